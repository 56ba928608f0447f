"""The first download: the device becomes known, and gets its rows as one image.

Each step is durable before the next begins, so that a download that was cut off goes on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldpost.errors import Code, problem
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import Damaged
from fieldpost_client.replica.device_state import about_operations, user_from_json
from fieldpost_client.sync.contact import Stopped, ask, data_of, headers_for
from fieldpost_client.sync.receipt_verification import SIGNING_KEYS, learn_keys
from fieldpost_client.sync_status import OFFLINE, TROUBLE

ATTEMPTS = 3


@dataclass
class Image:
    """A downloaded database.

    Attributes:
        content: the bytes of a SQLite database.
        cursor: the server's state that it shows.
        rows: number of rows by table.
        references: SHA-256 and size of the attachments that the rows refer to.
    """

    content: bytes
    cursor: str
    rows: dict[str, int] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)


async def register(
    home: DeviceHome, forgotten: Sequence[str] = (), base: str = ""
) -> Mapping[str, Any]:
    """Make the device known to the server, under an id that it keeps from the first attempt on.

    Args:
        home: the device.
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
    headers = headers_for(home.state.device) | {"content-type": "application/json"}
    about = data_of(await ask(home.platform, "POST", "/sync/device", headers, body))
    user = user_from_json(about["user"])
    if home.state.user is not None and home.state.user.name != user.name:
        raise Stopped(TROUBLE, problem(Code.DEVICE_OF_ANOTHER))
    known = int(about.get("number") or 0)
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


def _call(home: DeviceHome, forgotten: Sequence[str], base: str) -> str:
    asked: dict[str, Any] = {"device": home.state.device}
    if home.state.user is not None:
        # whoever is signed in by now must not become the owner of another's device
        asked["user"] = home.state.user.name
    if forgotten:
        asked |= {"forgotten": list(forgotten), "base": base}
    return json.dumps(asked, ensure_ascii=False)


async def download_image(home: DeviceHome) -> Image:
    """Return the user's rows as they are now; raises `Stopped`."""
    for attempt in range(1, ATTEMPTS + 1):
        home.platform.notify({"event": "progress", "step": "rows", "done": 0, "total": 1})
        try:
            return await _image(home)
        except Stopped as stopped:
            if stopped.activity != OFFLINE or attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _image(home: DeviceHome) -> Image:
    answer = await ask(home.platform, "GET", "/sync/image", headers_for(home.state.device))
    try:
        content = answer.body
        # some proxies unpack what they pass on
        if content.startswith(b"\x1f\x8b"):
            content = await home.platform.gunzip(content)
        rows = json.loads(answer.headers.get("fieldpost-rows") or "{}")
        cursor = answer.headers["fieldpost-cursor"]
    except (Damaged, ValueError, KeyError) as error:
        raise Stopped(OFFLINE, problem(Code.UNREACHABLE)) from error
    home.platform.notify(
        {
            "event": "progress",
            "step": "rows",
            "done": len(content),
            "total": len(content),
            "rows": rows,
        }
    )
    return Image(content, cursor, rows)
