"""A trigger as this server puts it on an author's table, and names and texts within its SQL."""

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

PREFIX = "fieldpost_"
"""Begins the names of all our triggers."""
FUNCTIONS = "fieldpost_changes_"
"""Begins the names of all functions that PostgreSQL's triggers run."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, and what shows in the database that it is this one and no other.

    Attributes:
        table: where it is.
        name: of it.
        definition: SQLite: the SQL; PostgreSQL: the function's name, which holds a digest.
        sql: makes it.
        is_feed: it writes the change feed: where it was missing nobody knows what has changed.
    """

    table: sa.Table
    name: str
    definition: str
    sql: str
    is_feed: bool = True


def quoted(dialect: sa.Dialect, name: str) -> str:
    """Quote a name for SQL that runs as it stands: SQLAlchemy doubles percent signs for psycopg."""
    done = dialect.identifier_preparer.quote(name)
    return done.replace("%%", "%") if dialect.name == "postgresql" else done


def quoted_table(dialect: sa.Dialect, table: sa.Table) -> str:
    """Quote a table's name."""
    names = (table.schema, table.name) if table.schema else (table.name,)
    return ".".join(quoted(dialect, name) for name in names)


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def digest(text: str) -> str:
    """Return what stands for a text in the name of a trigger or a function."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def run(connection: sa.Connection, sql: str) -> int:
    """Run SQL as it stands: names may hold what drivers and `text()` take for parameters."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return int(cursor.rowcount)
    finally:
        cursor.close()
