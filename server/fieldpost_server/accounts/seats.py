"""Seats: each field worker takes one, and there are so many (R5)."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.users import OFFLINE
from fieldpost_server.storage import tables
from fieldpost_server.storage.turns import take_turn

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
    """Make two administrators who give the last seat at once take turns."""
    take_turn(session, _LOCK)
