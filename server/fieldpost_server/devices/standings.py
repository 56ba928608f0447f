"""How devices stand, as they have told last: storage, what waits, and whether they were emptied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.storage import tables

LARGEST = (1 << 53) - 1
"""A device counts no further, and a database could not keep it."""

_STANDING, _DEVICE, _USE = tables.device_standing, tables.device, tables.session_device
_ORDER = tables.device_revocation
_COUNTS = ("waiting", "attention", "drafts")
_SIZES = ("used", "quota")
_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Standing:
    """How a device stands.

    Attributes:
        told_at: when it told so.
        browser: in words; may be empty.
        app_version: of the app's files that it runs.
        waiting, attention, drafts: entries that it has not sent, those that somebody has to see to,
            and forms that are filled in and not saved.
        persisted: whether its browser has promised to keep the data; None where it does not tell.
        used, quota: bytes that the browser keeps for the app, and may; None where it does not tell.
        emptied_at: when it told that nothing is left on it; None before.
    """

    told_at: datetime
    browser: str
    app_version: str
    waiting: int
    attention: int
    drafts: int
    persisted: bool | None
    used: int | None
    quota: int | None
    emptied_at: datetime | None

    @property
    def storage_words(self) -> str:
        """Return the state of its storage for people."""
        kept = {True: "kept for good", False: "the browser may remove it", None: "not known"}
        words = f"storage: {kept[self.persisted]}"
        if self.used is None or self.quota is None:
            return words
        return f"{words}, {_size(self.used)} of {_size(self.quota)} used"


def standing_of(data: Any) -> dict[str, Any]:
    """Return what a device tells of itself.

    Raises:
        InputError: it is not in shape.
    """
    told = data if isinstance(data, Mapping) else {}
    counts = {name: told.get(name) for name in _COUNTS}
    sizes = {name: told.get(name) for name in _SIZES}
    persisted = told.get("persisted")
    sound = all(_is_count(value) for value in counts.values())
    sound = sound and all(value is None or _is_count(value) for value in sizes.values())
    if not sound or not (persisted is None or isinstance(persisted, bool)):
        reason = "counts and sizes must be whole numbers, and 'persisted' true, false or null"
        raise InputError([problem(Code.MALFORMED, "standing", reason=reason)])
    return {**counts, **sizes, "persisted": persisted}


def take_standing(
    session: Session, device: str, told: Mapping[str, Any], browser: str, app_version: str
) -> None:
    """Keep what a device tells of itself, in the place of what it told before."""
    values = {
        **told,
        "told_at": tables.utc_now(),
        "browser": browser[:200],
        "app_version": app_version[:100],
        "emptied_at": None,
    }
    _put(session, device, values)


def note_emptied(session: Session, device: str, token: str) -> bool:
    """Keep that a device says that nothing is left on it; returns whether that is news.

    It is believed where the session shows which device it is, and of one that is to hand over
    nothing, which may have none: who lies there changes what is shown, and no work is lost by it.

    Args:
        session: to write in.
        device: which one, as it says itself.
        token: of the session that it was used with, ended or not.
    """
    used = sa.select(_USE.c.device).where(
        _USE.c.device == _DEVICE.c.id, _USE.c.token_sha256 == digest_of(token)
    )
    order = sa.select(_ORDER.c.device).where(
        _ORDER.c.device == _DEVICE.c.id, sa.not_(_ORDER.c.hand_over)
    )
    proven = sa.or_(used.exists(), sa.and_(_DEVICE.c.revoked, order.exists()))
    query = sa.select(_DEVICE.c.id).where(
        _DEVICE.c.id == device.replace("\0", ""), _DEVICE.c.kind == "device", proven
    )
    if session.scalar(query) is None:
        return False
    nothing: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
    now = tables.utc_now()
    kept = session.execute(sa.select(_STANDING).where(_STANDING.c.device == device)).first()
    if kept is not None and kept.emptied_at is not None:
        return False
    told_at = now if kept is None else kept.told_at
    _put(session, device, {**nothing, "told_at": told_at, "emptied_at": now})
    return True


def note_alive(session: Session, device: str) -> None:
    """Forget that a device said that nothing is left on it: it was heard of since."""
    gone = sa.and_(_STANDING.c.device == device, _STANDING.c.emptied_at.is_not(None))
    session.execute(sa.update(_STANDING).where(gone).values(emptied_at=None))


def standings(session: Session, devices: Iterable[str]) -> dict[str, Standing]:
    """Return by device how it stands; those that have told nothing are left out."""
    query = sa.select(_STANDING).where(_STANDING.c.device.in_(list(devices)))
    return {row.device: _standing(row) for row in session.execute(query)}


def _put(session: Session, device: str, values: Mapping[str, Any]) -> None:
    # fault point: standing-half-told — one row, changed whole or not at all: what is shown is what
    # was told before.
    known = sa.update(_STANDING).where(_STANDING.c.device == device).values(**values)
    if not session.connection().execute(known).rowcount:
        session.execute(sa.insert(_STANDING).values(device=device, **values))


def _standing(row: Any) -> Standing:
    return Standing(
        row.told_at,
        row.browser,
        row.app_version,
        row.waiting,
        row.attention,
        row.drafts,
        row.persisted,
        row.used,
        row.quota,
        row.emptied_at,
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GB" if count >= _GIB else f"{count / _MIB:.1f} MB"
