"""Case-insensitive text, the same on SQLite and PostgreSQL.

SQLite's own `lower` and `LIKE` know ASCII only, so a connection gets Python's `str.lower` as a
function; PostgreSQL's `lower` follows Unicode in a UTF-8 database.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

SQLITE_FUNCTION = "fieldpost_lower"


class folded(GenericFunction[str]):  # noqa: N801 - SQL functions are lower-case in SQLAlchemy
    """The lower-case form of a text."""

    type = sa.Text()
    inherit_cache = True


@compiles(folded)
def _lower(element: Any, compiler: Any, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(folded, "sqlite")
def _sqlite_lower(element: Any, compiler: Any, **kw: Any) -> str:
    # as bytes: a function never gets to see a text that is none, the statement fails before
    return f"{SQLITE_FUNCTION}(CAST({compiler.process(element.clauses, **kw)} AS BLOB))"


def add_folding(engine: sa.Engine) -> None:
    """Give every connection of a SQLite engine the function; other engines need nothing."""
    if engine.dialect.name != "sqlite":
        return

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.create_function(SQLITE_FUNCTION, 1, _fold, deterministic=True)


def _fold(text: Any) -> Any:
    return text.decode("utf-8", "replace").lower() if isinstance(text, bytes) else text
