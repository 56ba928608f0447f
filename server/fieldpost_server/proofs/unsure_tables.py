"""Tables of which nobody can name all rows that changes have touched: they are counted anew.

The feed names rows by keys. This says where that is enough to find again each row that has changed,
and each that is gone.
"""

from collections import defaultdict
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost_server.feed.changes import ChangeSet, Key, stored_type
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.touched_rows import Touched, with_all_below
from fieldpost_server.feed.triggers import unique_columns
from fieldpost_server.scope.replication_plan import deciding_tables

_EXACT = (sa.Integer, sa.String, sa.Uuid, sa.Date, sa.DateTime, sa.Time, sa.Boolean)
"""Types whose values the feed gives as they are stored."""
_AS_STORED = {
    "sqlite": (sa.Integer, sa.String),
    "postgresql": (sa.Integer, sa.String, sa.Date, sa.DateTime, sa.Time, sa.Boolean),
}
"""Those whose values are stored in one way only, by whatever program."""

_UNIQUE = sa.text("""
    SELECT l.name, x.name, x.coll
    FROM pragma_index_list(:name) AS l, pragma_index_xinfo(l.name) AS x
    WHERE l."unique" AND x.key
    UNION ALL SELECT '', name, 'BINARY' FROM pragma_table_info(:name) WHERE pk
""")


def unsure_tables(
    session: Session, app: App, failed: FailedTables, touched: Touched, changes: ChangeSet
) -> set[str]:
    """Return the tables of which these changes may have touched more rows than `touched` says."""
    plan, unsure = failed.plan, set[str]()
    changed = {*changes.changed, *changes.whole}
    for name, entry in plan.items():
        deciding = deciding_tables(plan, name)
        if deciding & changed and deciding & failed.causes.keys():
            # what hangs on the rows of a table that fails was not asked
            unsure.add(name)
        if not _names_all(session, entry.model.table, touched.of(name), changes.changed):
            unsure.add(name)
        for parent, pairs in entry.parents:
            by_key = {above for _, above in pairs} >= set(app.models[parent].key)
            if not by_key and touched.of(parent) != set():
                # a row that was pointed to by something else than its key may have let go
                unsure.add(name)
    return with_all_below(plan, unsure)


def _names_all(
    session: Session,
    table: sa.Table,
    keys: set[Key] | None,
    changed: Mapping[str, set[Key]],
) -> bool:
    """Say whether the touched rows of a table are those that have these keys, and no others."""
    if not keys:
        return True
    dialect = session.connection().dialect.name
    # keys that were read from child rows are not as they are stored, but as their types read them
    are_read = not keys <= changed.get(table.name, set())
    if not all(_is_exact(c.type, dialect, is_read=are_read) for c in table.primary_key.columns):
        return False
    return (
        dialect != "sqlite" or table.name not in changed or not _is_replaced_unseen(session, table)
    )


def _is_exact(kind: sa.types.TypeEngine[object], dialect: str, *, is_read: bool) -> bool:
    stored = stored_type(kind)
    if dialect == "sqlite" and isinstance(stored, sa.String) and stored.collation is not None:
        return False
    if not is_read:
        # what is not written in its type's own way the feed does not give (`KeyReader.exact`)
        return isinstance(stored, _EXACT) or (
            # a double is written with as many digits as a session wants, on SQLite with 15
            dialect == "postgresql"
            and isinstance(stored, sa.Numeric)
            and not isinstance(stored, sa.Float)
        )
    if isinstance(kind, sa.Uuid):
        return dialect == "postgresql" and kind.native_uuid
    return isinstance(kind, _AS_STORED[dialect])


def _is_replaced_unseen(session: Session, table: sa.Table) -> bool:
    """Say whether SQLite may replace rows of a table that no trigger has noted before.

    That is so with what only the database knows to be unique: an expression, a collation.
    """
    found = defaultdict[str, set[str | None]](set)
    for index, column, collation in session.connection().execute(_UNIQUE, {"name": table.name}):
        found[index].add(column if collation == "BINARY" else None)
    noted = [{column.name for column in columns} for columns in unique_columns(table)]
    noted.append({column.name for column in table.primary_key.columns})
    return any(
        None in columns or not any(each <= columns for each in noted) for columns in found.values()
    )
