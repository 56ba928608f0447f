"""Turns: transactions of which the later one must see what the earlier one has done."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.storage import tables


def take_turn(session: Session, name: str) -> None:
    """Let transactions that take a turn of this name come one after the other.

    All write one row. A lock would not do on PostgreSQL: who has waited for it goes on with what
    was there before. For a row that was written meanwhile the later transaction fails as not
    serialisable, and `Database.write` runs it again; SQLite has one writer anyway.
    """
    # fault point: turn-taken — the row is held until the transaction ends, however it ends; its
    # value never changes, so there is nothing to be left half done.
    where = tables.meta.c.name == name
    touched = sa.update(tables.meta).where(where).values(value=tables.meta.c.value)
    if session.connection().execute(touched).rowcount == 0:
        session.execute(sa.insert(tables.meta).values(name=name, value=""))
