"""The tables of a replica: all of the app's, so that its models work, without what is private."""

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from fieldpost.app import App
from fieldpost.wire import public_columns


@cache
def replica_metadata(app: App) -> sa.MetaData:
    """Return the tables that a device has.

    Private columns are there, because the models name them, but they are empty. Constraints that a
    part of the data cannot keep (foreign keys to rows outside the scope) are left out; replay
    checks references itself.
    """
    made = sa.MetaData()
    for model in app.models.values():
        public = {c.name for c in public_columns(model)}
        columns = [_column(c, private=c.name not in public) for c in model.table.columns]
        table = sa.Table(model.table.name, made, *columns)
        for index in model.table.indexes:
            names = [c.name for c in index.columns]
            if len(names) == len(index.expressions):
                sa.Index(index.name, *(table.c[n] for n in names), unique=index.unique)
        for constraint in model.table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                table.append_constraint(
                    sa.UniqueConstraint(*(table.c[c.name] for c in constraint.columns))
                )
    for secondary in _secondaries(app):
        if secondary.name not in made.tables:
            private = {c.name for c in secondary.columns if c.info.get("private")}
            columns = [_column(c, private=c.name in private) for c in secondary.columns]
            sa.Table(secondary.name, made, *columns)
    return made


def _secondaries(app: App) -> Iterator[sa.Table]:
    """Yield the tables of many-to-many relationships, also of those that are in no form.

    SQLAlchemy looks into them when a row is deleted.
    """
    for model in app.models.values():
        for relation in model.mapper.relationships:
            if isinstance(relation.secondary, sa.Table):
                yield relation.secondary


def _column(column: sa.Column[object], *, private: bool) -> sa.Column[object]:
    return sa.Column(
        column.name,
        column.type,
        primary_key=column.primary_key,
        nullable=column.nullable or private,
        server_default=None if column.computed is not None else column.server_default,
        autoincrement=column.autoincrement,
        unique=column.unique,
    )


def create_replica(connection: sa.Connection, app: App) -> None:
    """Create a replica's empty tables in a SQLite database."""
    replica_metadata(app).create_all(connection, checkfirst=False)
