"""Installs a replica: stored with its cursor and with what leaves the outbox, then shown."""

from collections.abc import Collection, Mapping
from typing import Any

from fieldpost.errors import Code, problem
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.held_back import HeldBack, held_back
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.base import Operation, StoreError
from fieldpost_client.replica.device_state import about_operations, keys_operation, seal_of
from fieldpost_client.replica.replica import Replica, Unreadable, kept_pieces
from fieldpost_client.sync.contact import Stopped, stopped_by
from fieldpost_client.sync.download import Image
from fieldpost_client.sync.incoming import forget_incoming
from fieldpost_client.sync.resend import keys_in_replica
from fieldpost_client.sync_status import TROUBLE

SHOWN_FROM = "shown_from"
"""Changes with the rows of the replica: `shell/kept` looks which ones a page was made of."""


async def install_image(
    home: DeviceHome, image: Image, about: Mapping[str, Any] | None, confirmed: list[Entry]
) -> None:
    """Put a downloaded image in the place of the replica; raises `Stopped`."""
    try:
        replica = Replica(home.app, image.content)
    except Unreadable as error:
        cause = problem(Code.UNEXPECTED, cause="the download cannot be opened")
        raise Stopped(TROUBLE, cause) from error
    image.references = replica.references()
    try:
        held, leave = hold_back(home, confirmed, image.lacks)
        await install(home, replica, image.cursor, about, leave, held=held)
    except StoreError as error:
        raise stopped_by(error) from error


async def install(
    home: DeviceHome,
    replica: Replica,
    cursor: str,
    about: Mapping[str, Any] | None,
    confirmed: list[Entry],
    *,
    pieces_changed: bool = True,
    proven: Mapping[str, Any] | None = None,
    held: HeldBack = HeldBack(),  # noqa: B008 - it is frozen
) -> None:
    """Store a replica and swap the working copy; confirmed envelopes leave the outbox with it.

    Raises:
        StoreError: nothing was stored, and the old working copy stays.
    """
    pieces, operations = home.state.pieces, list[Operation]()
    image = replica.image()
    if pieces_changed or replica.is_refitted or not pieces:
        pieces, operations = await kept_pieces(home.platform, image, pieces)
        # pages that were kept of other rows are not shown any more
        operations.append(("put", "session", SHOWN_FROM, home.platform.new_id()))
    current = _current(home, cursor, pieces, len(image), proven or {}, held)
    operations.append(("put", "replica", "current", current))
    operations += about_operations(about) if about else []
    operations += [*home.outbox.leaving(confirmed), *forget_incoming()]
    keys = keys_in_replica(home, cursor)
    operations += [] if keys == home.state.keys else [keys_operation(keys)]
    async with home.turn:
        # fault point: replica-unstored — pieces, cursor, settings, keys and the move to the history
        # are one transaction: without it the old replica and the outbox are whole, and the next
        # sync pulls again.
        try:
            await home.platform.store.write(operations)
        except BaseException:
            replica.close()
            raise
        # fault point: replica-stored — the stored replica is the new one and what it confirms is in
        # the history; the working copy is memory: the next start makes it from these.
        if about:
            home.state.adopt_about(about)
        home.state.cursor, home.state.pieces, home.state.proven = cursor, pieces, proven or {}
        home.state.keys, home.state.held = keys, held
        home.outbox.leave(confirmed)
        home.swap(home.prepared(replica))


def hold_back(
    home: DeviceHome, confirmed: list[Entry], lacks: Collection[str]
) -> tuple[HeldBack, list[Entry]]:
    """Return what stays in the outbox because the new replica lacks it, and what leaves."""
    former = (e for n, e in sorted(home.outbox.entries.items()) if n in home.state.held.numbers)
    known = {e.number: e for e in (*former, *confirmed)}
    held = held_back(home.app, known.values(), lacks)
    return held, [entry for number, entry in known.items() if number not in held.numbers]


def _current(
    home: DeviceHome,
    cursor: str,
    pieces: list[str],
    size: int,
    proven: Mapping[str, Any],
    held: HeldBack,
) -> dict[str, Any]:
    seal = seal_of(pieces)
    return {
        "cursor": cursor,
        "pieces": pieces,
        "size": size,
        "app_version": home.app_version,
        "proven": {"of": seal, "digests": dict(proven)},
        "held": {"of": seal, "tables": sorted(held.tables), "numbers": sorted(held.numbers)},
    }
