"""The first download: a user's rows as a SQLite database."""

from functools import partial
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.replica_tables import (
    empty_image,
    load_image,
    read_image,
    replica_engine,
    replica_metadata,
)
from fieldpost.replication.rows import public_columns
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.scope.replication_plan import CHUNK_ROWS, TablePlan


def make_image(
    session: Session, app: App, failed: FailedTables
) -> tuple[bytes, dict[str, int | None]]:
    """Return the image of the session's snapshot, and the number of rows of each table.

    A table that fails is empty in it, and has no number.
    """
    counts: dict[str, int | None] = {}
    with replica_engine().connect() as image:
        load_image(image, empty_image(app))
        for name, entry in failed.plan.items():
            copy = partial(_copy, session, image, app, entry)
            counts[name] = None if name in failed.causes else failed.read(session, name, copy)
        image.exec_driver_sql("ANALYZE")
        image.commit()
        return read_image(image), counts


def _copy(session: Session, image: sa.Connection, app: App, entry: TablePlan) -> int:
    """Copy the rows of a table, all or none; returns their number."""
    target = replica_metadata(app).tables[entry.model.name]
    names = [c.name for c in public_columns(entry.model)]
    insert = sa.insert(target)
    count = 0
    found = entry.read(session)
    with image.begin_nested():
        while rows := list(islice(found, CHUNK_ROWS)):
            image.execute(insert, [dict(zip(names, row, strict=True)) for row in rows])
            count += len(rows)
    return count
