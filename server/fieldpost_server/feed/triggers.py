"""Change capture: triggers that write a row for every change, whoever makes it (R45).

`install` puts them on the author's tables. They see other programs' plain SQL, too, and ask
nothing of those programs: on PostgreSQL the trigger functions run with their owner's rights.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost_server.feed.reference_triggers import rebuild_references, reference_triggers
from fieldpost_server.feed.trigger import (
    FUNCTIONS,
    PREFIX,
    Trigger,
    digest,
    literal,
    quoted,
    quoted_table,
    run,
)
from fieldpost_server.restore.timelines import start
from fieldpost_server.storage import tables as own
from fieldpost_server.storage.tables import HISTORY, PRUNED

_INSTALL_LOCK = 0x_F1E1_D905  # an arbitrary number, for PostgreSQL's advisory locks
_COUNTED_AT = "CAST(strftime('%s', 'now') AS INTEGER)"


def install(engine: sa.Engine, tables: Iterable[sa.Table]) -> list[str]:
    """Create Fieldpost's own tables and the triggers on `tables`, which must exist.

    May be run again at any time, also after a model changed: what is right stays untouched. A
    table that gets new triggers is recorded as changed whole, because nobody knows what happened
    to it before.

    Returns:
        The names of the tables that got new triggers.

    Raises:
        DefinitionError: a table has no primary key, or a binary one.
    """
    wanted = list(tables)
    _check(wanted)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_INSTALL_LOCK)))
        # fault point: install-locked — tables, triggers and the mark 'changed whole' are one
        # transaction, and the lock ends with its connection: nobody ever sees half of it, and it
        # may be run again.
        own.metadata.create_all(connection)
        _start_timeline(connection, wanted)
        stale, unfed = uninstalled(connection, wanted), _unfed(connection, wanted)
        right = _triggers(connection, [t for t in wanted if t not in stale])
        _drop_all_but(connection, right)
        for trigger in _triggers(connection, stale):
            run(connection, trigger.sql)
        for table in unfed:
            _record_whole(connection, table)
        rebuild_references(connection, stale, schema_of(connection))
    return [table.name for table in stale]


def uninstalled(connection: sa.Connection, tables: Iterable[sa.Table]) -> list[sa.Table]:
    """Return those of `tables` that lack a trigger or have one that was changed or disabled."""
    tables = list(tables)
    wrong = {trigger.table.name for trigger in _wrong(connection, tables)}
    return [table for table in tables if table.name in wrong]


def _unfed(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[sa.Table]:
    """Return those of which the feed may lack changes."""
    wrong = {trigger.table.name for trigger in _wrong(connection, tables) if trigger.is_feed}
    return [table for table in tables if table.name in wrong]


def _wrong(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[Trigger]:
    present = _present(connection)
    return [
        trigger
        for trigger in _triggers(connection, tables)
        if (trigger.table.name, trigger.name, trigger.definition) not in present
    ]


def _check(tables: Sequence[sa.Table]) -> None:
    problems = []
    for table in tables:
        columns = list(table.primary_key.columns)
        if not columns:
            words = f"The table '{table.name}' has no primary key; give it one."
            problems.append(problem(Code.DEFINITION, table.name, text=words))
        elif any(isinstance(c.type, sa.LargeBinary) for c in columns):
            words = f"The primary key of '{table.name}' is binary; use text or UUID."
            problems.append(problem(Code.DEFINITION, table.name, text=words))
    if problems:
        raise DefinitionError(problems)


def _start_timeline(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Give the database its timeline; a new one when it was restored into another server."""
    value = connection.scalar(sa.select(own.meta.c.value).where(own.meta.c.name == HISTORY))
    former = value or ""
    if connection.dialect.name == "postgresql" and value is not None:
        # transaction ids of a restored dump mean nothing to the server that it was restored into
        newest = connection.scalar(sa.select(sa.func.max(own.change.c.transaction))) or 0
        following = connection.scalar(
            sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        )
        if newest > (following or 0):
            connection.execute(sa.delete(own.change))
            connection.execute(sa.delete(own.meta).where(own.meta.c.name.in_([HISTORY, PRUNED])))
            value = None
    if value is None:
        start(connection, tables, former)


def _record_whole(connection: sa.Connection, table: sa.Table) -> None:
    transaction: sa.ColumnElement[int] = sa.literal(0)
    if connection.dialect.name == "postgresql":
        transaction = sa.literal_column("pg_current_xact_id()::text::bigint")
    connection.execute(
        sa.insert(own.change).values(
            transaction=transaction,
            table_name=table.name,
            key=None,
            at=int(own.utc_now().timestamp()),
        )
    )


def schema_of(connection: sa.Connection) -> str:
    """Return where Fieldpost's own tables are on PostgreSQL, quoted; on SQLite nothing is asked."""
    if connection.dialect.name == "sqlite":
        return ""
    current = connection.scalar(sa.text("SELECT current_schema()"))
    return quoted(connection.dialect, current or "public")


def _triggers(connection: sa.Connection, tables: Iterable[sa.Table]) -> list[Trigger]:
    dialect, schema, tables = connection.dialect, schema_of(connection), list(tables)
    found = [*reference_triggers(dialect, tables, schema)]
    for table in tables:
        if dialect.name == "sqlite":
            found += _sqlite_triggers(dialect, table)
        else:
            found += _postgresql_triggers(dialect, table, schema)
    return found


def _present(connection: sa.Connection) -> set[tuple[str, str, str]]:
    """Return table, name and definition of all triggers that are enabled."""
    if connection.dialect.name == "sqlite":
        sql = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        sql = """
            SELECT c.relname, t.tgname, p.proname FROM pg_trigger t
            JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgenabled = 'A' AND NOT t.tgisinternal
        """
    return {(row[0], row[1], row[2]) for row in connection.execute(sa.text(sql))}


def _drop_all_but(connection: sa.Connection, right: Sequence[Trigger]) -> None:
    """Drop our triggers that are outdated, or on tables that are no longer in the app."""
    if connection.dialect.name == "sqlite":
        kept = {trigger.name for trigger in right}
        for _, name, _ in _present(connection):
            if name.startswith(PREFIX) and name not in kept:
                run(connection, f"DROP TRIGGER {quoted(connection.dialect, name)}")
        return
    kept = {trigger.definition for trigger in right}
    functions = connection.execute(
        sa.text(
            "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n "
            "ON n.oid = p.pronamespace WHERE p.proname LIKE 'fieldpost_changes_%' "
            "AND n.nspname = current_schema()"
        )
    ).all()
    for schema, name in functions:
        if name not in kept:
            place = quoted(connection.dialect, schema)
            run(connection, f"DROP FUNCTION {place}.{name}() CASCADE")


def _postgresql_triggers(dialect: sa.Dialect, table: sa.Table, schema: str) -> Iterator[Trigger]:
    """Yield triggers for each statement: one insert of all its keys, however many rows.

    ENABLE ALWAYS makes them work for rows that logical replication brings, too.
    """
    columns = ", ".join(f"r.{quoted(dialect, c.name)}" for c in table.primary_key.columns)
    keys = f"SELECT json_build_array({columns})::text FROM"
    on = quoted_table(dialect, table)
    for event, (rows, referencing) in _POSTGRESQL_EVENTS.items():
        body = _POSTGRESQL_BODY.format(
            schema=schema, table=literal(table.name), rows=rows.format(keys=keys)
        )
        name = f"{PREFIX}{event.lower()}"
        function = f"{FUNCTIONS}{digest(on + event + body)}"
        sql = _POSTGRESQL_SQL.format(
            function=f"{schema}.{function}",
            body=literal(body),
            name=name,
            event=event,
            on=on,
            referencing=referencing,
        )
        yield Trigger(table, name, function, sql)


_POSTGRESQL_EVENTS = {
    "INSERT": ("{keys} new_rows r", "REFERENCING NEW TABLE AS new_rows"),
    "DELETE": ("{keys} old_rows r", "REFERENCING OLD TABLE AS old_rows"),
    "UPDATE": (
        "{keys} old_rows r UNION {keys} new_rows r",
        "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    ),
    "TRUNCATE": ("SELECT NULL::text", ""),
}
_POSTGRESQL_BODY = """
BEGIN
  INSERT INTO {schema}.fieldpost_change (transaction, table_name, key, at)
  SELECT pg_current_xact_id()::text::bigint, {table}, changed.key,
    extract(epoch FROM clock_timestamp())::bigint
  FROM ({rows}) AS changed (key);
  RETURN NULL;
END
"""
_POSTGRESQL_SQL = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS {body};
CREATE TRIGGER {name} AFTER {event} ON {on} {referencing} FOR EACH STATEMENT
  EXECUTE FUNCTION {function}();
ALTER TABLE {on} ENABLE ALWAYS TRIGGER {name};
"""


def _sqlite_triggers(dialect: sa.Dialect, table: sa.Table) -> Iterator[Trigger]:
    on = quoted_table(dialect, table)
    columns = [quoted(dialect, c.name) for c in table.primary_key.columns]

    def record(row: str, where: str = "") -> str:
        key = ", ".join(f"{row}.{c}" for c in columns)
        return (
            "INSERT INTO fieldpost_change (table_name, key, at) "
            f"SELECT {literal(table.name)}, json_array({key}), {_COUNTED_AT}{where};"
        )

    # a collation takes texts for the same that are not
    exact = [" COLLATE BINARY" if _is_collated(c) else "" for c in table.primary_key.columns]
    moved = " OR ".join(
        f"OLD.{c}{as_is} IS NOT NEW.{c}{as_is}" for c, as_is in zip(columns, exact, strict=True)
    )
    bodies = {
        "AFTER INSERT": record("NEW"),
        "AFTER UPDATE": record("NEW") + " " + record("OLD", f" WHERE {moved}"),
        "AFTER DELETE": record("OLD"),
    }
    # INSERT OR REPLACE deletes the rows in its way without any DELETE trigger: note them before
    for number, unique in enumerate(_unique_columns(dialect, table)):
        same = " AND ".join(f"r.{c} = NEW.{c}" for c in unique)
        replaced = record("r", f" FROM {on} AS r WHERE {same}")
        bodies[f"BEFORE INSERT {number}"] = replaced
        bodies[f"BEFORE UPDATE {number}"] = replaced
    for event, body in bodies.items():
        when = " ".join(event.split()[:2])
        name = f"{PREFIX}{digest(table.name + event)}"
        sql = f"CREATE TRIGGER {name} {when} ON {on} BEGIN {body} END"
        yield Trigger(table, name, sql, sql)


def _unique_columns(dialect: sa.Dialect, table: sa.Table) -> list[list[str]]:
    """Return the quoted columns by which one row may take the place of one with another key."""
    key = table.primary_key.columns
    found = [*unique_columns(table), *([list(key)] if any(map(_is_collated, key)) else [])]
    return sorted([quoted(dialect, c.name) for c in columns] for columns in found)


def unique_columns(table: sa.Table) -> list[list[sa.Column[Any]]]:
    """Return the columns of each unique constraint and index beside the primary key."""
    found = [
        list(constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    found += [
        list(index.columns)
        for index in table.indexes
        if index.unique and len(index.columns) == len(index.expressions)
    ]
    return found


def _is_collated(column: sa.Column[Any]) -> bool:
    return getattr(column.type, "collation", None) is not None
