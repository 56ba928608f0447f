"""Whether the database's tables are those of the models: what differs is named before it hurts."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, Problem, problem
from fieldpost_server.authoring.rule_names import misnamed_fields
from fieldpost_server.backup.restoration import HALF_RESTORED
from fieldpost_server.storage import tables as own
from fieldpost_server.storage.database import Database

_FIX = "Alter the table with the tool of your choice, then run 'fieldpost db install'."


@dataclass(frozen=True, slots=True)
class Misfit:
    """One difference.

    Attributes:
        table, words: where, and what.
        stops: pages over this table fail; otherwise some saves do.
    """

    table: str
    words: str
    stops: bool

    def problem(self) -> Problem:
        """Return it as a problem of the catalogue."""
        return problem(Code.MODEL_MISFIT, self.table, words=self.words)


def is_installed(connection: sa.Connection) -> bool:
    """Say whether Fieldpost's own tables are there."""
    return {*sa.inspect(connection).get_table_names()} >= {*own.metadata.tables}


def misfits(connection: sa.Connection, tables: Iterable[sa.Table]) -> list[Misfit]:
    """Return how the database differs from the models."""
    inspector = sa.inspect(connection)
    views = {*inspector.get_view_names()}
    if connection.dialect.name == "postgresql":
        views |= {*inspector.get_materialized_view_names()}
    tables = list(tables)
    every = inspector.get_multi_columns(filter_names=[table.name for table in tables])
    columns = {name: {c["name"]: c for c in found} for (_, name), found in every.items()}
    found: list[Misfit] = []
    for table in tables:
        if table.name in views:
            found.append(_of_view(table.name))
        elif table.name not in columns:
            words = f"The table '{table.name}' is not there. {_FIX}"
            found.append(Misfit(table.name, words, stops=True))
        else:
            found += _of_table(connection.dialect, table, columns[table.name])
    return found


def fit(database: Database, app: App) -> None:
    """Refuse a database in which pages would fail.

    Raises:
        DefinitionError: tables or columns are missing or of other types; all of it at once.
    """
    with database.read_session() as session:
        found = misfits(session.connection(), app.base.metadata.sorted_tables)
    if any(each.stops for each in found):
        raise DefinitionError([each.problem() for each in found])


def unready(database: Database, app: App) -> list[str]:
    """Return in words what some saves will meet: of the database, and of the app's rules.

    Raises:
        DefinitionError: nothing is installed, a restore was cut off, or pages would fail.
    """
    with database.read_session() as session:
        if sa.inspect(session.connection()).has_table(HALF_RESTORED):
            raise DefinitionError([problem(Code.HALF_RESTORED, "database")])
        if not is_installed(session.connection()):
            raise DefinitionError([problem(Code.NOT_INSTALLED, "database")])
        found = misfits(session.connection(), app.base.metadata.sorted_tables)
    if any(each.stops for each in found):
        raise DefinitionError([each.problem() for each in found])
    return [*(each.words for each in found), *misnamed_fields(app)]


def _cause(error: SQLAlchemyError) -> str:
    return (str(getattr(error, "orig", None) or error).splitlines() or ["no words"])[0][:300]


def is_not_installed(error: SQLAlchemyError) -> bool:
    """Say whether a statement failed because Fieldpost's own tables are not there."""
    cause = _cause(error)
    if "fieldpost_" not in cause:
        return False
    return "no such table" in cause or "does not exist" in cause


def database_problem(error: SQLAlchemyError) -> Problem:
    """Return the catalogue's words for what a database, or the way to it, refused."""
    cause = _cause(error)
    if is_not_installed(error):
        return problem(Code.NOT_INSTALLED, "database")
    there = isinstance(getattr(error, "orig", None), sqlite3.Error) and "unable to" not in cause
    if isinstance(error, OperationalError) and not there:
        return problem(Code.DATABASE_UNREACHABLE, "database", cause=cause)
    return problem(Code.DATABASE_FAILED, "database", cause=cause)


def _of_view(name: str) -> Misfit:
    words = (
        f"'{name}' is a view. No trigger sees what changes in it, so no device would learn of it: "
        "use its tables for models."
    )
    return Misfit(name, words, stops=True)


def _of_table(dialect: sa.Dialect, table: sa.Table, there: Mapping[str, Any]) -> Iterator[Misfit]:
    name = table.name
    for column in table.columns:
        if column.name not in there:
            words = f"The table '{name}' has no column '{column.name}'. {_FIX}"
            yield Misfit(name, words, stops=True)
        else:
            yield from _of_column(dialect, column, there[column.name])
    for extra in there.keys() - {c.name for c in table.columns}:
        if _must_be_given(there[extra]):
            words = (
                f"The column '{extra}' of '{name}' must have a value, and the models do not know "
                "it: no row can be added. Add it to the model, or give it a default."
            )
            yield Misfit(name, words, stops=False)


def _of_column(
    dialect: sa.Dialect, column: sa.Column[Any], there: Mapping[str, Any]
) -> Iterator[Misfit]:
    name = f"'{column.name}' of '{column.table.name}'"
    wanted, given = _family(dialect, column.type), _family(dialect, there["type"])
    if wanted and given and given not in (wanted, *_SAME.get(wanted, ())):
        words = (
            f"The column {name} is {there['type']!r} in the database and {column.type!r} in the "
            f"model. {_FIX}"
        )
        yield Misfit(column.table.name, words, stops=True)
    elif (least := _too_short(column.type, there["type"])) is not None:
        words = f"The column {name} holds {least} characters, and the model allows more. {_FIX}"
        yield Misfit(column.table.name, words, stops=False)
    by_itself = column.default is not None or column.server_default is not None
    if column.nullable and _must_be_given(there) and not by_itself:
        words = (
            f"The column {name} must have a value in the database, and the model lets it be empty: "
            f"saving it empty fails. Make it required in the model."
        )
        yield Misfit(column.table.name, words, stops=False)


def _must_be_given(there: Mapping[str, Any]) -> bool:
    by_itself = there.get("default") is not None or there.get("identity") or there.get("computed")
    return not there["nullable"] and not by_itself and there.get("autoincrement") is not True


def _too_short(wanted: Any, given: Any) -> int | None:
    if isinstance(wanted, sa.Enum) or not isinstance(wanted, sa.String):
        return None
    length: int | None = getattr(given, "length", None)
    asked: int | None = wanted.length
    return length if length and (asked or length + 1) > length else None


# what reads and writes the same, whatever it is called
_SAME: Mapping[str, tuple[str, ...]] = {
    "number": ("whole number",),
    "text": ("choice",),
    "choice": ("text",),
}
_FAMILIES: tuple[tuple[type[Any], str], ...] = (
    (sa.Enum, "choice"),
    (sa.Boolean, "yes or no"),
    (sa.Integer, "whole number"),
    (sa.Numeric, "number"),
    (sa.DateTime, "moment"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "interval"),
    (sa.Uuid, "identifier"),
    (sa.JSON, "JSON"),
    (sa.LargeBinary, "bytes"),
    (sa.String, "text"),
)


def _family(dialect: sa.Dialect, type_: Any) -> str:
    """Return what a type holds; empty where that is nobody's business."""
    while isinstance(type_, sa.types.TypeDecorator):
        type_ = type_.load_dialect_impl(dialect)
    if dialect.name == "sqlite":
        return _affinity(type_)
    found = next((name for kind, name in _FAMILIES if isinstance(type_, kind)), "")
    if found == "moment":
        return f"{found} {'with' if type_.timezone else 'without'} time zone"
    return found


def _affinity(type_: Any) -> str:
    """Return the affinity of a column on SQLite, as far as it changes what is stored."""
    try:
        declared = type_.compile(dialect=sqlite.dialect()).upper()
    except sa.exc.CompileError:
        return ""
    if "INT" in declared or "REAL" in declared or "FLOA" in declared or "DOUB" in declared:
        return "number"
    if "CHAR" in declared or "CLOB" in declared or "TEXT" in declared:
        # a moment is kept as text in either
        return "text" if isinstance(type_, sa.String) else ""
    return "number" if "NUM" in declared or "DEC" in declared else ""
