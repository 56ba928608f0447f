"""The first download: the device becomes known, and gets its rows as one image.

Each step is durable before the next begins, so that a download that was cut off goes on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldpost.errors import Code, problem
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import Damaged, Platform, StoreError
from fieldpost_client.replica.answers import is_registration
from fieldpost_client.replica.device_state import about_operations
from fieldpost_client.sync.contact import JSON, Contact, Stopped, no_answer_of_ours, stopped_by
from fieldpost_client.sync.incoming import (
    Incoming,
    content_of,
    forget_incoming,
    load_incoming,
    receive,
)
from fieldpost_client.sync.receipt_verification import SIGNING_KEYS, learn_keys
from fieldpost_client.sync_status import TROUBLE

ATTEMPTS = 3


@dataclass
class Image:
    """A downloaded database.

    Attributes:
        content: the bytes of a SQLite database.
        cursor: the server's state that it shows.
        rows: number of rows by table; None of one that the office could not read.
        references: SHA-256 and size of the attachments that the rows refer to.
    """

    content: bytes
    cursor: str
    rows: dict[str, int | None] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return the number of all rows."""
        return sum(count or 0 for count in self.rows.values())

    @property
    def lacks(self) -> list[str]:
        """Return the tables that the office could not read."""
        return [name for name, count in self.rows.items() if count is None]


async def register(
    home: DeviceHome, contact: Contact, forgotten: Sequence[str] = (), base: str = ""
) -> Mapping[str, Any]:
    """Make the device known to the server, under an id that it keeps from the first attempt on.

    Args:
        home: the device.
        contact: with its server.
        forgotten: signed receipts of envelopes that the server has forgotten.
        base: cursor of the data that fitted them.

    Returns:
        How far its envelopes have arrived, see `dependencies.missing_at_the_office`.

    Raises:
        Stopped: the server cannot be reached or refuses; the device belongs to another user.
    """
    if not home.state.device:
        device = f"d-{home.platform.new_id()}"
        await home.platform.store.write([("put", "session", "device", device)])
        # fault point: device-id-chosen — the server does not know the id: the next attempt
        # registers with this very one, so one device is never two.
        home.state.device = device
    body = _call(home, forgotten, base)
    headers = {"content-type": JSON}
    about = await contact.data("POST", "/sync/device", headers, body, is_whole=is_registration)
    check_user(home, about)
    known = about["number"]
    counters = home.state.counters
    if known >= counters.next_number:
        # the browser has lost what this device had sent: its numbers must not be used again
        raise Stopped(TROUBLE, problem(Code.NUMBER_TAKEN, number=known))
    operations = [*about_operations(about), *counters.operations()]
    operations.append(("put", "session", "is_new", False))
    # fault point: registered-unnoted — the server knows the device, the device does not know it: it
    # registers again under the same id and is greeted.
    await home.platform.store.write(operations)
    home.state.adopt_about(about)
    home.state.is_new = False
    # fault point: registered-keys-unlearnt — user and settings are stored, the server's keys are
    # not: no receipt is believed before, and the first one has them asked for.
    await learn_keys(home, about.get(SIGNING_KEYS))
    return about.get("arrived") or {}


def check_user(home: DeviceHome, about: Mapping[str, Any]) -> None:
    """Stop where the server speaks to somebody else than whose device this is; raises `Stopped`."""
    if home.state.user is not None and home.state.user.name != about["user"]["name"]:
        raise Stopped(TROUBLE, problem(Code.DEVICE_OF_ANOTHER))


def _call(home: DeviceHome, forgotten: Sequence[str], base: str) -> str:
    asked: dict[str, Any] = {"device": home.state.device}
    if home.state.user is not None:
        # whoever is signed in by now must not become the owner of another's device
        asked["user"] = home.state.user.name
    if forgotten:
        asked |= {"forgotten": list(forgotten), "base": base}
    return json.dumps(asked, ensure_ascii=False)


async def download_image(home: DeviceHome, contact: Contact) -> Image:
    """Return the user's rows as they are now, or were when an unfinished download began.

    Raises:
        Stopped: the server cannot be reached or refuses; what has arrived is stored.
    """
    for _ in range(ATTEMPTS):
        incoming = await receive(contact, await load_incoming(home.platform))
        image = await _opened(home.platform, incoming)
        if image is not None:
            return image
        try:
            # fault point: damaged-download-forgotten — nothing of it was used: the next attempt
            # begins at the first byte.
            await home.platform.store.write(forget_incoming())
        except StoreError as error:
            raise stopped_by(error) from error
    raise no_answer_of_ours()


async def _opened(platform: Platform, incoming: Incoming) -> Image | None:
    """Return the image that has arrived; None where it is not what was sent."""
    content = await content_of(platform, incoming)
    if content is None:
        return None
    try:
        return Image(await platform.gunzip(content), incoming.cursor, incoming.rows)
    except Damaged:
        return None
