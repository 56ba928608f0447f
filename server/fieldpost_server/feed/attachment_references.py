"""Where an attachment is referred to: asked of the table that triggers keep, never of all rows."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.feed.changes import UNDECODABLE, Key, KeyReader
from fieldpost_server.storage import tables

AT_ONCE = 200
"""So many rows that refer to one attachment are looked at together."""

_REFERENCE = tables.attachment_reference


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of one table that refer to an attachment by one column, at most `AT_ONCE`."""

    table: str
    column: str
    keys: list[Key]


def places_of(session: Session, every: Iterable[sa.Table], sha256: str) -> Iterator[Place]:
    """Yield the rows that refer to an attachment, or have until now: look at each.

    Args:
        session: to read in.
        every: the tables that are looked for.
        sha256: the attachment.
    """
    by_name = {table.name: table for table in every}
    columns = (_REFERENCE.c.table_name, _REFERENCE.c.column_name, _REFERENCE.c.key)
    query = sa.select(*columns).where(
        _REFERENCE.c.sha256 == sha256, _REFERENCE.c.table_name.in_(list(by_name))
    )
    # the rows of one place together: there may be very many
    with session.execute(query.order_by(*columns).execution_options(yield_per=AT_ONCE)) as found:
        for (name, column), rows in groupby(found, lambda row: (row.table_name, row.column_name)):
            reader = KeyReader(session, by_name[name])
            for some in _batches(rows):
                keys = list[Key]()
                for row in some:
                    # a row with a key that cannot be read is nobody's to read
                    with suppress(*UNDECODABLE):
                        keys.append(reader.read(row.key))
                if keys:
                    yield Place(name, column, keys)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(rows, AT_ONCE)):
        yield some


def envelopes_with(session: Session, sha256: str) -> list[str]:
    """Return the ids of envelopes that are kept, are not applied and bring an attachment."""
    query = sa.select(_REFERENCE.c.key).where(
        _REFERENCE.c.sha256 == sha256, _REFERENCE.c.table_name == tables.envelope.name
    )
    return list(session.scalars(query.order_by(_REFERENCE.c.key)))


def note_envelope(
    connection: sa.Connection, identity: str, digests: Iterable[str], *, is_new: bool
) -> None:
    """Keep which attachments an envelope brings that is not applied; none where it is.

    Args:
        connection: in the transaction that keeps the envelope.
        identity: its id.
        digests: what it brings.
        is_new: nothing was noted of it before.
    """
    if not is_new:
        connection.execute(_FORGET, {"envelope": identity, "name": tables.envelope.name})
    wanted = sorted(set(digests))
    if not wanted:
        return
    # fault point: attachments-held — until the transaction ends: nobody collects them meanwhile,
    # and whoever has begun before one was collected is told to try again.
    held = sa.select(tables.attachment.c.sha256).where(tables.attachment.c.sha256.in_(wanted))
    connection.execute(held.order_by("sha256").with_for_update(read=True, key_share=True)).all()
    rows: list[dict[str, Any]] = [
        {
            "sha256": sha256,
            "table_name": tables.envelope.name,
            "column_name": "attachments",
            "key": identity,
        }
        for sha256 in wanted
    ]
    connection.execute(sa.insert(_REFERENCE), rows)


_FORGET = sa.delete(_REFERENCE).where(
    _REFERENCE.c.key == sa.bindparam("envelope"), _REFERENCE.c.table_name == sa.bindparam("name")
)


def forget_envelopes(connection: sa.Connection, ids: sa.Select[Any] | None = None) -> None:
    """Forget what envelopes bring: all, or those with these ids."""
    gone = sa.delete(_REFERENCE).where(_REFERENCE.c.table_name == tables.envelope.name)
    connection.execute(gone if ids is None else gone.where(_REFERENCE.c.key.in_(ids)))
