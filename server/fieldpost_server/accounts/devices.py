"""Devices: which there are, their contacts, what they are called, and their end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, Forbidden, InputError, NotFound, problem
from fieldpost_server.accounts.sessions import TOUCH_EVERY, digest_of
from fieldpost_server.storage import tables

MOST_CHARACTERS = 100
"""Of a device's name."""

_DEVICE, _NAME, _USE = tables.device, tables.device_name, tables.session_device
_REAL = _DEVICE.c.kind == "device"

# every call of a device asks for it
_USED = sa.select(_USE.c.device).where(
    _USE.c.token_sha256 == sa.bindparam("token"), _USE.c.device == sa.bindparam("device")
)


class DeviceRevoked(Forbidden):
    """A device was revoked; whoever answers it says what it is ordered."""

    def __init__(self, device: str) -> None:
        super().__init__([problem(Code.DEVICE_REVOKED)])
        self.device = device


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a field worker.

    Attributes:
        id, user: which it is, and whose.
        name: what people call it; may be empty.
        number: of the newest envelope that has arrived.
        app_version: of the app's files that it had when it was last heard of.
        created_at, last_seen_at: its first contact, and its last within a few minutes.
        revoked: whether it may not do anything any more.
    """

    id: str
    user: str
    name: str
    number: int
    app_version: str
    created_at: datetime
    last_seen_at: datetime
    revoked: bool

    @property
    def label(self) -> str:
        """Return what to call it."""
        return self.name or self.id


def devices(session: Session, user: str | None = None) -> list[Device]:
    """Return all devices, or those of one user, the last heard of first."""
    query = sa.select(_DEVICE, _NAME.c.name).outerjoin(_NAME, _NAME.c.device == _DEVICE.c.id)
    query = query.where(_REAL).order_by(_DEVICE.c.last_seen_at.desc(), _DEVICE.c.id)
    if user is not None:
        query = query.where(_DEVICE.c.user == user)
    return [_device(row) for row in session.execute(query)]


def find_device(session: Session, identity: str, owner: str | None = None) -> Device:
    """Return a device; with `owner` only one of hers.

    Raises:
        NotFound: there is no such.
    """
    query = sa.select(_DEVICE, _NAME.c.name).outerjoin(_NAME, _NAME.c.device == _DEVICE.c.id)
    row = session.execute(query.where(_REAL, _DEVICE.c.id == identity.replace("\0", ""))).first()
    if row is None or owner not in (None, row.user):
        raise NotFound([problem(Code.UNKNOWN_DEVICE)])
    return _device(row)


def name_device(session: Session, identity: str, name: str) -> None:
    """Call a device by a name; an empty one takes it away.

    Raises:
        InputError: the name is too long, or holds what cannot be read.
    """
    name = name.strip()
    if len(name) > MOST_CHARACTERS or not name.isprintable():
        raise InputError([problem(Code.NOT_ALLOWED, "name", label="Name of the device")])
    session.execute(sa.delete(_NAME).where(_NAME.c.device == identity))
    if name:
        session.execute(sa.insert(_NAME).values(device=identity, name=name))


def revoke(session: Session, device: Device) -> None:
    """Revoke a device for good: it is answered nothing, and sessions that it has used end.

    Sessions of its user of which it is not known where they were begun end as well.
    """
    # fault point: device-revoked-sessions-open — that it is revoked and the end of its sessions are
    # one transaction; a contact at the same moment waits for the device's row, or is waited for.
    session.execute(sa.update(_DEVICE).where(_DEVICE.c.id == device.id).values(revoked=True))
    used = sa.select(_USE.c.token_sha256).where(_USE.c.device == device.id)
    known = sa.select(tables.session_origin.c.token_sha256)
    token, user = tables.session.c.token_sha256, tables.session.c.user
    of_old = sa.and_(user == device.user, token.not_in(known))
    session.execute(sa.delete(tables.session).where(sa.or_(token.in_(used), of_old)))


def needs_noting(session: Session, row: Any, token: str) -> bool:
    """Say whether a contact of a device is one to keep: a new session, or a while since the last.

    Args:
        session: to read in.
        row: of the device.
        token: of the session that it uses.
    """
    if tables.utc_now() - row.last_seen_at > TOUCH_EVERY:
        return True
    values = {"token": digest_of(token), "device": row.id}
    return session.connection().execute(_USED, values).first() is None


def note_contact(session: Session, device: str, token: str) -> None:
    """Keep that a device was heard of now, and by which session.

    Raises:
        DeviceRevoked: it was, a moment ago.
    """
    where = sa.and_(_DEVICE.c.id == device, sa.not_(_DEVICE.c.revoked))
    values = {"last_seen_at": tables.utc_now()}
    touched = session.connection().execute(sa.update(_DEVICE).where(where).values(values))
    if not touched.rowcount:
        raise DeviceRevoked(device)
    use = {"token": digest_of(token), "device": device}
    if session.connection().execute(_USED, use).first() is None:
        session.execute(sa.insert(_USE).values(token_sha256=use["token"], device=device))


def forget_uses(session: Session) -> int:
    """Forget which devices, but revoked ones, have used sessions that ended; returns how many."""
    gone = _USE.c.token_sha256.not_in(sa.select(tables.session.c.token_sha256))
    kept = _USE.c.device.not_in(sa.select(_DEVICE.c.id).where(_DEVICE.c.revoked))
    return session.connection().execute(sa.delete(_USE).where(gone, kept)).rowcount


def _device(row: Any) -> Device:
    return Device(
        row.id,
        row.user,
        row.name or "",
        row.number,
        row.app_version,
        row.created_at,
        row.last_seen_at,
        row.revoked,
    )
