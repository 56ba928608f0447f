"""What a replica is: a database in memory with all tables of the app, without what is private."""

import sqlite3
from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from fieldpost.app import App
from fieldpost.schema.unreadable import keep_reading


@cache
def replica_metadata(app: App) -> sa.MetaData:
    """Return the tables that a device has.

    All columns are there, because the models name them; what the user may not read is empty.
    Constraints that a part of the data cannot keep (foreign keys to rows outside the scope, values
    that must not be empty) are left out; replay checks references itself.
    """
    made = sa.MetaData()
    for model in app.models.values():
        columns = [_column(c) for c in model.table.columns]
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
            columns = [_column(c) for c in secondary.columns]
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


def _column(column: sa.Column[object]) -> sa.Column[object]:
    return sa.Column(
        column.name,
        column.type,
        primary_key=column.primary_key,
        nullable=not column.primary_key,
        server_default=None if column.computed is not None else column.server_default,
        autoincrement=column.autoincrement,
        unique=column.unique,
    )


class QuickSavepoints(SQLiteDialect_pysqlite):
    """SQLite, but for SQLAlchemy's way to compile the statements of each savepoint anew."""

    supports_statement_cache = True

    def do_savepoint(self, connection: sa.Connection, name: str) -> None:
        """Begin a savepoint."""
        connection.exec_driver_sql(f"SAVEPOINT {name}")

    def do_rollback_to_savepoint(self, connection: sa.Connection, name: str) -> None:
        """Undo what was done since the savepoint."""
        connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {name}")

    def do_release_savepoint(self, connection: sa.Connection, name: str) -> None:
        """End a savepoint and keep what was done."""
        connection.exec_driver_sql(f"RELEASE SAVEPOINT {name}")


registry.register("sqlite.fieldpost", __name__, "QuickSavepoints")


@cache
def replica_engine() -> sa.Engine:
    """Return the engine of all replicas in memory; each of its connections is an empty database.

    It is one for all, because compiled statements belong to an engine, and compiling one costs
    more than running it. On a device they are part of the memory snapshot.
    """
    # no implicit transactions: they would end where nobody asked
    arguments = {"isolation_level": None, "check_same_thread": False}
    engine = sa.create_engine("sqlite+fieldpost://", poolclass=sa.NullPool, connect_args=arguments)
    keep_reading(engine, strict=False)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def load_image(connection: sa.Connection, image: bytes) -> None:
    """Put a database in the place of the empty one of a connection of `replica_engine`."""
    # a database in memory has no write-ahead log; the header says whether there was one
    _driver(connection).deserialize(image[:18] + b"\1\1" + image[20:])


def read_image(connection: sa.Connection) -> bytes:
    """Return the bytes of a connection's database."""
    return _driver(connection).serialize()


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("a replica needs Python's own sqlite3")
    return driver


@cache
def empty_image(app: App) -> bytes:
    """Return a replica without rows."""
    with replica_engine().connect() as connection:
        replica_metadata(app).create_all(connection, checkfirst=False)
        connection.commit()
        return read_image(connection)
