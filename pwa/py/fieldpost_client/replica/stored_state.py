"""Reads what the device has stored of itself. What is damaged is put right from the rest.

A device always starts: the envelopes tell whose it is and where its numbers stand, and what the
server knows comes with the next sync.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.users import User
from fieldpost_client.outbox.chain import Counters
from fieldpost_client.outbox.held_back import HeldBack
from fieldpost_client.outbox.outbox import Entry, Outbox
from fieldpost_client.platform.base import Store
from fieldpost_client.replica.device_state import (
    DeviceState,
    KeyMap,
    LostByHistory,
    seal_of,
    user_from_json,
)
from fieldpost_client.replica.server_keys import server_keys_from_json

UNSURE = 1_000
"""So many temporary keys are left out where it is not known which were given out."""


async def load_state(store: Store, outbox: Outbox) -> DeviceState:
    """Read the state from the store; `outbox` is what was read before."""
    session = {str(name): value for name, value in await store.read_all("session")}
    replica = _mapping(await store.read("replica", "current"))
    user, is_known = _user(session.get("user"), outbox)
    device = _device(session.get("device"), outbox)
    pieces = _texts(replica.get("pieces")) if is_known else []
    proven, held = _mapping(replica.get("proven")), _mapping(replica.get("held"))
    keys = _keys(session.get("keys"))
    return DeviceState(
        device=device,
        user=user,
        settings=_settings(session.get("settings")),
        counters=_counters(session, outbox, keys) if device else _afresh(session, outbox, keys),
        is_new=session.get("is_new") is True,
        sent_to=_sent_to(session, outbox),
        keys=keys,
        lost_keys=_lost_keys(session.get("lost")),
        server_keys=server_keys_from_json(_trust(session.get("trust"))),
        cursor=_text(replica.get("cursor")) if pieces else "",
        pieces=pieces,
        proven=_mapping(proven.get("digests")) if proven.get("of") == seal_of(pieces) else {},
        held=_held(held) if held.get("of") == seal_of(pieces) else HeldBack(),
        last_sync=_text(session.get("last_sync")) or None,
        report=_report(session.get("report")),
    )


def _user(data: Any, outbox: Outbox) -> tuple[User | None, bool]:
    """Return whose device it is, and whether her roles are known.

    Her entries say who she is where nothing else does, or not the same.
    """
    authors = {entry.envelope.user for entry in outbox.entries.values()}
    try:
        user = user_from_json(data)
    except (KeyError, TypeError, AttributeError, IndexError):
        user = None
    is_sound = user is not None and all(
        isinstance(text, str) for text in (user.name, user.display_name, *user.roles)
    )
    if user is not None and is_sound and user.name and authors <= {user.name}:
        return user, True
    # the server names her roles when the rows are downloaded anew
    kept = outbox.kept
    return (User(kept[-1].envelope.user) if kept else None), False


def _device(data: Any, outbox: Outbox) -> str:
    """Return the id under which what waits was made."""
    made = [entry.envelope.device for _, entry in sorted(outbox.entries.items())]
    return made[-1] if made else _text(data)


def _counters(session: Mapping[str, Any], outbox: Outbox, keys: KeyMap) -> Counters:
    """Return where the sequence stands: behind everything that is here."""
    newest = outbox.kept[-1] if outbox.kept else None
    behind = max((*outbox.entries, *outbox.broken, newest.number if newest else 0), default=0) + 1
    number = max(_count(session.get("next_number"), 1), behind)
    digest = _text(session.get("last_digest"))
    if newest is not None and newest.number == number - 1:
        # a void that comes too late gives way to what it was to discard: only that is sure to stay
        voided = newest.envelope.voids
        digest = newest.envelope.digest if voided is None else voided.digest
    return Counters(number, digest, _temporary(session, outbox, keys))


def _sent_to(session: Mapping[str, Any], outbox: Outbox) -> int:
    """Return the newest number that may have been sent: nothing is folded into that."""
    newest = max((*outbox.entries, *outbox.broken), default=0)
    was_sent = "last_sync" in session or any(entry.receipt for entry in outbox.kept)
    return _count(session.get("sent_to"), newest if was_sent or "sent_to" in session else 0)


def _afresh(session: Mapping[str, Any], outbox: Outbox, keys: KeyMap) -> Counters:
    """Return the counters of a device that is registered under a new id."""
    return Counters(next_temporary=_temporary(session, outbox, keys))


def _temporary(session: Mapping[str, Any], outbox: Outbox, keys: KeyMap) -> int:
    """Return the next temporary key, which was never given out before."""
    used = [temporary for _, temporary in keys]
    used += (part for entry in outbox.kept for part in _temporaries(entry))
    lowest = min(used, default=0)
    stored = session.get("next_temporary")
    if is_temporary(stored):
        return min(int(stored or 0), lowest - 1)
    # a device that was never registered has given out none
    return lowest - UNSURE if used or session.get("user") else -1


def _temporaries(entry: Entry) -> Iterator[int]:
    for operation in entry.envelope.operations:
        yield from (part for part in operation.key if is_temporary(part))


def _settings(data: Any) -> Mapping[str, Any]:
    settings = dict(_mapping(data))
    for name in ("offline", "pages"):
        if name in settings and settings[name] != _texts(settings[name]):
            del settings[name]
    return settings


def _report(data: Any) -> Mapping[str, Any]:
    report = dict(_mapping(data))
    for name in ("repaired", "unproven"):
        report[name] = _texts(report.get(name))
    failed = _mapping(report.get("failed"))
    report["failed"] = {str(name): why for name, why in failed.items() if isinstance(why, str)}
    lacking = report.get("lacking")
    report["lacking"] = (
        [each for each in lacking if isinstance(each, list) and _are(each, (int, int))]
        if isinstance(lacking, list)
        else []
    )
    return report if data else {}


def _held(data: Mapping[str, Any]) -> HeldBack:
    """Return what is replayed in part: whatever is not listed is replayed whole."""
    numbers = data.get("numbers")
    found = numbers if isinstance(numbers, list) else ()
    sound = frozenset(n for n in found if isinstance(n, int) and not isinstance(n, bool))
    return HeldBack(frozenset(_texts(data.get("tables"))), sound)


def _trust(data: Any) -> Mapping[str, Any]:
    trust = dict(_mapping(data))
    for name in ("keys", "former"):
        known = _mapping(trust.get(name))
        trust[name] = {n: key for n, key in known.items() if isinstance(key, str)}
    return trust


def _keys(data: Any) -> KeyMap:
    rows = data if isinstance(data, list) else ()
    sound = (row for row in rows if isinstance(row, list) and _are(row, (str, int, int)))
    return {(model, temporary): real for model, temporary, real in sound}


def _lost_keys(data: Any) -> LostByHistory:
    lost: LostByHistory = {}
    for row in data if isinstance(data, list) else ():
        if isinstance(row, list) and _are(row, (str, str, int, int)):
            history, model, real, temporary = row
            lost.setdefault(history, {})[model, real] = temporary
    return lost


def _are(row: Sequence[Any], kinds: Sequence[type]) -> bool:
    """Say whether values are of these kinds; a yes or no is no number."""
    return len(row) == len(kinds) and all(
        type(v) is kind for v, kind in zip(row, kinds, strict=True)
    )


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _texts(data: Any) -> list[str]:
    is_sound = isinstance(data, list) and all(isinstance(each, str) for each in data)
    return list(data) if is_sound else []


def _text(data: Any) -> str:
    return data if isinstance(data, str) else ""


def _count(data: Any, otherwise: int) -> int:
    is_sound = isinstance(data, int) and not isinstance(data, bool) and data >= 0
    return data if is_sound else otherwise
