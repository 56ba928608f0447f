"""Revoked devices: what they are ordered, how far they have come, and what they may still do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, NotFound, problem
from fieldpost_server.accounts.devices import Device, revoke
from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.storage import tables

ORDER_WORDS = {True: "hands over its work first", False: "hands over nothing"}

_ORDER, _DEVICE, _USE = tables.device_revocation, tables.device, tables.session_device
_ENVELOPE, _STANDING = tables.envelope, tables.device_standing


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a revoked device is ordered.

    Attributes:
        hand_over: whether it hands its work over before it wipes itself.
        revoked_at: since when.
        told_at: when it was told first; None before.
        handed_at: when it said that it has handed over what it could; None before.
        handed: how many entries came from it since it was revoked.
        left: how many things it says that it could not hand over.
    """

    hand_over: bool
    revoked_at: datetime
    told_at: datetime | None
    handed_at: datetime | None
    handed: int
    left: int


def revoke_device(session: Session, device: Device, *, hand_over: bool) -> None:
    """Revoke a device for good, and order it to wipe itself at its next contact.

    One that is revoked already stays so; whether it hands over its work may be said anew as long as
    it is not wiped.

    Args:
        session: to write in.
        device: which one.
        hand_over: whether what it has not sent is taken first.
    """
    revoke(session, device)
    order = sa.update(_ORDER).where(_ORDER.c.device == device.id).values(hand_over=hand_over)
    # fault point: device-revoked-unordered — that it is revoked and what it is ordered are one
    # transaction: it is never told the one without the other.
    if not session.connection().execute(order).rowcount:
        session.execute(sa.insert(_ORDER).values(device=device.id, hand_over=hand_over))


def revocations(session: Session, devices: Iterable[str]) -> dict[str, Revocation]:
    """Return by device what it is ordered; those that are not are left out."""
    handed = (
        sa.select(sa.func.count())
        .where(
            _ENVELOPE.c.device == _ORDER.c.device, _ENVELOPE.c.received_at >= _ORDER.c.revoked_at
        )
        .scalar_subquery()
    )
    query = sa.select(_ORDER, handed.label("handed")).where(_ORDER.c.device.in_(list(devices)))
    return {
        row.device: Revocation(
            row.hand_over, row.revoked_at, row.told_at, row.handed_at, row.handed, row.left
        )
        for row in session.execute(query)
    }


def order_of(session: Session, device: str) -> Any:
    """Return the row of what a device is ordered, with its user; None where it is not."""
    query = sa.select(_ORDER, _DEVICE.c.user).join(_DEVICE, _DEVICE.c.id == _ORDER.c.device)
    return session.execute(query.where(_ORDER.c.device == device, _DEVICE.c.revoked)).first()


def revoked_by_token(session: Session, token: str, asked: str) -> tuple[str, str] | None:
    """Return device and user where an ended session was used by a device that was revoked.

    Args:
        session: to read in.
        token: of the session.
        asked: the device that it says it is: a session may have been used by several.
    """
    if not token:
        return None
    query = (
        sa.select(_DEVICE.c.id, _DEVICE.c.user)
        .join(_USE, _USE.c.device == _DEVICE.c.id)
        .where(_USE.c.token_sha256 == digest_of(token), _DEVICE.c.revoked)
    )
    is_it = sa.case((_DEVICE.c.id == asked.replace("\0", ""), 0), else_=1)
    row = session.execute(query.order_by(is_it, _DEVICE.c.last_seen_at.desc()).limit(1)).first()
    return None if row is None else (row.id, row.user)


def may_hand_over(session: Session, device: str, *, to_end: bool = False) -> bool:
    """Say whether a revoked device may still send its work.

    So it is until it has said that this was all. It may say that again: it may not have heard that
    it was heard.

    Args:
        session: to read in.
        device: which one.
        to_end: whether it only says that this was all.
    """
    is_open = sa.true() if to_end else _ORDER.c.handed_at.is_(None)
    query = (
        sa.select(_ORDER.c.device)
        .outerjoin(_STANDING, _STANDING.c.device == _ORDER.c.device)
        .where(_ORDER.c.device == device, _ORDER.c.hand_over, is_open)
        .where(_STANDING.c.emptied_at.is_(None))
    )
    return session.scalar(query) is not None


def note_told(session: Session, device: str) -> None:
    """Keep that a device was told its order; only the first time counts."""
    where = sa.and_(_ORDER.c.device == device, _ORDER.c.told_at.is_(None))
    session.execute(sa.update(_ORDER).where(where).values(told_at=tables.utc_now()))


def note_handed_over(session: Session, device: str, left: int) -> None:
    """Keep that a device has handed over what it could; `left` is what it could not.

    Raises:
        NotFound: it was not to do so.
    """
    values = {"handed_at": tables.utc_now(), "left": left}
    where = sa.and_(_ORDER.c.device == device, _ORDER.c.hand_over)
    noted = session.connection().execute(sa.update(_ORDER).where(where).values(values))
    if not noted.rowcount:
        raise NotFound([problem(Code.UNKNOWN_DEVICE)])
