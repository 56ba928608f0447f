"""Seats: each field worker takes one, and there are so many (R5)."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.users import OFFLINE
from fieldpost_server.storage import tables

_LOCK = "seats"


def seats_taken(session: Session) -> int:
    """Return how many active users have the role ``Offline``."""
    query = (
        sa.select(sa.func.count())
        .select_from(tables.user_role.join(tables.user))
        .where(tables.user_role.c.role == OFFLINE, tables.user.c.active)
    )
    return session.scalar(query) or 0


def need_seat(session: Session, seats: int) -> None:
    """Refuse one field worker too many; nobody who has a seat is affected.

    Raises:
        InputError: all seats are taken.
    """
    if seats_taken(session) >= seats:
        raise InputError([problem(Code.NO_SEAT_LEFT, "role", seats=seats)])


def lock_seats(session: Session) -> None:
    """Make two administrators who give the last seat at once take turns.

    Both write one row: on PostgreSQL the later transaction fails as not serialisable and is run
    again by `Database.write`; SQLite has one writer anyway.
    """
    # fault point: seats-locked — the row is held until the transaction ends, however it ends; a
    # seat is taken by the role alone, which is in the same transaction.
    where = tables.meta.c.name == _LOCK
    touched = sa.update(tables.meta).where(where).values(value=tables.meta.c.value)
    if session.connection().execute(touched).rowcount == 0:
        session.execute(sa.insert(tables.meta).values(name=_LOCK, value=""))
