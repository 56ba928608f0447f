"""The first download: a user's rows as a SQLite database."""

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
from fieldpost_server.scope.replication_plan import CHUNK_ROWS, Plan, TablePlan


def make_image(session: Session, app: App, plan: Plan) -> tuple[bytes, dict[str, int]]:
    """Return the image of the session's snapshot, and the number of rows of each table."""
    counts: dict[str, int] = {}
    with replica_engine().connect() as image:
        load_image(image, empty_image(app))
        for entry in plan.values():
            counts[entry.model.name] = _copy(session, image, app, entry)
        image.exec_driver_sql("ANALYZE")
        image.commit()
        return read_image(image), counts


def _copy(session: Session, image: sa.Connection, app: App, entry: TablePlan) -> int:
    target = replica_metadata(app).tables[entry.model.name]
    names = [c.name for c in public_columns(entry.model)]
    insert = sa.insert(target)
    count = 0
    found = entry.read(session)
    while rows := list(islice(found, CHUNK_ROWS)):
        image.execute(insert, [dict(zip(names, row, strict=True)) for row in rows])
        count += len(rows)
    return count
