"""Which rows refer to which attachments: a table that triggers keep, whoever writes the rows.

It holds every reference of every row, and may hold a few that are none any more: a row that SQLite
replaces because of another unique value is deleted without any trigger. Whoever finds a reference
there looks at the row before she relies on it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from fieldpost.types import AttachmentType
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

_COLUMNS = "(sha256, table_name, column_name, key)"
_TABLE = "fieldpost_attachment_reference"
# in JSON text a name that looks like this has its quotes escaped, and is none
_NAMED = r'"sha256"\s*:\s*"([0-9a-f]{64})"'


def referring_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of a table that refer to attachments."""
    return [column for column in table.columns if isinstance(column.type, AttachmentType)]


def reference_triggers(
    dialect: sa.Dialect, tables: Iterable[sa.Table], schema: str
) -> Iterator[Trigger]:
    """Yield the triggers of the tables that refer to attachments.

    Args:
        dialect: of the database.
        tables: of the app.
        schema: PostgreSQL: where Fieldpost's own tables are, quoted.
    """
    for table in tables:
        if referring_columns(table):
            if dialect.name == "sqlite":
                yield from _sqlite_triggers(dialect, table)
            else:
                yield from _postgresql_triggers(dialect, table, schema)


def rebuild_references(connection: sa.Connection, tables: Iterable[sa.Table], schema: str) -> int:
    """Write anew which rows of tables refer to attachments; returns how many references.

    Nobody else writes these rows meanwhile.
    """
    dialect, count = connection.dialect, 0
    for table in tables:
        columns, on = referring_columns(table), quoted_table(connection.dialect, table)
        if columns and dialect.name == "postgresql":
            # fault point: references-locked — the table is locked until the transaction ends, in
            # which its references go and come: all or nothing, and it may be run again.
            run(connection, f"LOCK TABLE {on} IN SHARE ROW EXCLUSIVE MODE")
        run(connection, f"DELETE FROM {_own(dialect, schema)} {_of(table)}")  # noqa: S608 - ours
        for column in columns:
            found = _found(dialect, table, column, on)
            into = f"INSERT INTO {_own(dialect, schema)} {_COLUMNS}"
            count += run(connection, f"{into} {found}")
    return count


def _own(dialect: sa.Dialect, schema: str) -> str:
    return _TABLE if dialect.name == "sqlite" else f"{schema}.{_TABLE}"


def _of(table: sa.Table) -> str:
    return f"WHERE table_name = {literal(table.name)}"


def _key(dialect: sa.Dialect, table: sa.Table, row: str) -> str:
    """Return the key of a row as the change feed writes it."""
    columns = ", ".join(f"{row}.{quoted(dialect, c.name)}" for c in table.primary_key.columns)
    if dialect.name == "sqlite":
        return f"json_array({columns})"
    return f"json_build_array({columns})::text"


def _found(dialect: sa.Dialect, table: sa.Table, column: sa.Column[Any], rows: str) -> str:
    """Return the query for the references of rows; `rows` names them, and is `r` in it."""
    of = f"{literal(table.name)}, {literal(column.name)}, {_key(dialect, table, 'r')}"
    value = f"r.{quoted(dialect, column.name)}"
    if dialect.name == "sqlite":
        return f"SELECT DISTINCT j.value, {of} FROM {rows} AS r, {_members(value)}"  # noqa: S608 - names of tables, quoted
    named = f"regexp_matches({value}::text, {literal(_NAMED)}, 'g') AS m"
    return f"SELECT DISTINCT m[1], {of} FROM {rows} AS r, {named}"  # noqa: S608 - our own names


def _members(value: str) -> str:
    """Return what SQLite finds of references in a value; other programs may have written any."""
    is_json = f"typeof({value}) = 'text' AND json_valid({value})"
    return (
        f"json_tree(CASE WHEN {is_json} THEN {value} END) AS j "
        "WHERE j.key = 'sha256' AND j.type = 'text' AND length(j.value) = 64"
    )


# SQLite: a trigger for each row


def _sqlite_triggers(dialect: sa.Dialect, table: sa.Table) -> Iterator[Trigger]:
    on, columns = quoted_table(dialect, table), referring_columns(table)
    watched = [*table.primary_key.columns, *columns]
    changed = " OR ".join(
        f"OLD.{name} IS NOT NEW.{name}" for name in (quoted(dialect, c.name) for c in watched)
    )
    new = "".join(
        f"INSERT INTO {_TABLE} {_COLUMNS} SELECT DISTINCT j.value, {literal(table.name)}, "  # noqa: S608 - names of tables, quoted
        f"{literal(c.name)}, {_key(dialect, table, 'NEW')} "
        f"FROM {_members(f'NEW.{quoted(dialect, c.name)}')}; "
        for c in columns
    )

    def forget(row: str) -> str:
        key = _key(dialect, table, row)
        return f"DELETE FROM {_TABLE} {_of(table)} AND key = {key}; "  # noqa: S608 - our own names

    # the row of this key may have been replaced, which no other trigger sees
    bodies = {
        "AFTER INSERT": ("", forget("NEW") + new),
        "AFTER UPDATE": (f"WHEN {changed} ", forget("OLD") + forget("NEW") + new),
        "AFTER DELETE": ("", forget("OLD")),
    }
    for event, (when, body) in bodies.items():
        name = f"{PREFIX}{digest(f'{table.name} refers {event}')}"
        sql = f"CREATE TRIGGER {name} {event} ON {on} {when}BEGIN {body}END"
        yield Trigger(table, name, sql, sql, is_feed=False)


# PostgreSQL: a trigger for each statement


def _postgresql_triggers(dialect: sa.Dialect, table: sa.Table, schema: str) -> Iterator[Trigger]:
    own = _own(dialect, schema)
    new, old = "NEW TABLE AS new_rows", "OLD TABLE AS old_rows"
    gone = _other_rows(dialect, table, "old_rows", "new_rows")
    come = _other_rows(dialect, table, "new_rows", "old_rows")
    kept = _kept(dialect, table, schema, "new_rows")
    changed = _forgotten(dialect, table, own, gone) + _kept(dialect, table, schema, come)
    forgotten = _forgotten(dialect, table, own, "old_rows")
    is_new, was_old = (_some_refer(dialect, table, rows) for rows in ("new_rows", "old_rows"))
    bodies = {
        "INSERT": (f"REFERENCING {new}", f"IF {is_new} THEN {kept}END IF;"),
        "UPDATE": (
            f"REFERENCING {old} {new}",
            f"IF {was_old} OR {is_new} THEN {changed}END IF;",
        ),
        "DELETE": (f"REFERENCING {old}", f"IF {was_old} THEN {forgotten}END IF;"),
        "TRUNCATE": ("", f"DELETE FROM {own} {_of(table)};"),  # noqa: S608 - our own names
    }
    on = quoted_table(dialect, table)
    for event, (rows, work) in bodies.items():
        name = f"{PREFIX}refers_{event.lower()}"
        body = f"BEGIN {work} RETURN NULL; END"
        function = f"{FUNCTIONS}r{digest(on + event + body)}"
        sql = f"""
CREATE FUNCTION {schema}.{function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS {literal(body)};
CREATE TRIGGER {name} AFTER {event} ON {on} {rows} FOR EACH STATEMENT
  EXECUTE FUNCTION {schema}.{function}();
ALTER TABLE {on} ENABLE ALWAYS TRIGGER {name};
"""
        yield Trigger(table, name, function, sql, is_feed=False)


def _some_refer(dialect: sa.Dialect, table: sa.Table, rows: str) -> str:
    """Return the condition that any of a statement's rows refers to anything: most do not.

    It is one short look, where all that is to be done for references is several long ones.
    """
    return f"EXISTS (SELECT FROM {rows} AS r WHERE {_refers(dialect, table)})"


def _refers(dialect: sa.Dialect, table: sa.Table) -> str:
    """Return the condition that a row may refer to something."""
    return " OR ".join(f"r.{quoted(dialect, c.name)} IS NOT NULL" for c in referring_columns(table))


def _other_rows(dialect: sa.Dialect, table: sa.Table, rows: str, others: str) -> str:
    """Return those of an update's rows that refer otherwise than before: most changes do not."""
    keys = [quoted(dialect, c.name) for c in table.primary_key.columns]
    names = [quoted(dialect, c.name) for c in referring_columns(table)]
    columns = ", ".join([*keys, *(f"{name}::text AS {name}" for name in names)])
    return f"(SELECT {columns} FROM {rows} EXCEPT SELECT {columns} FROM {others})"  # noqa: S608 - names of tables, quoted


def _forgotten(dialect: sa.Dialect, table: sa.Table, own: str, rows: str) -> str:
    some = _refers(dialect, table)
    keys = f"SELECT {_key(dialect, table, 'r')} FROM {rows} AS r WHERE {some}"  # noqa: S608 - names of tables, quoted
    return f"DELETE FROM {own} {_of(table)} AND key IN ({keys}); "  # noqa: S608 - our own names


def _kept(dialect: sa.Dialect, table: sa.Table, schema: str, rows: str) -> str:
    """Return what keeps the references of rows, and holds the attachments until the end.

    Nobody collects them meanwhile; whoever has begun before one was collected is told to try again.
    """
    found = " UNION ALL ".join(_found(dialect, table, c, rows) for c in referring_columns(table))
    digests = f"SELECT n.sha256 FROM ({found}) AS n {_COLUMNS}"  # noqa: S608 - our own names
    return (
        f"PERFORM 1 FROM {schema}.fieldpost_attachment AS a "
        f"WHERE a.sha256 = ANY (ARRAY({digests})) FOR KEY SHARE; "
        f"INSERT INTO {_own(dialect, schema)} {_COLUMNS} {found}; "
    )
