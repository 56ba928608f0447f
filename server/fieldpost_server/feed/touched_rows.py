"""Which rows of a plan changes have touched: what changed itself, and what hangs on that.

A pull sends these, and what is proven of a table is brought forward by these: what is in neither
set of a table is as it was, for whoever has this plan.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.schema.unreadable import is_readable
from fieldpost_server.feed.changes import ChangeSet, Key
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.scope.replication_plan import Plan, TablePlan, captured_tables

CHUNK_KEYS = 400
"""Keys in one query; SQLite allows 32,766 variables and a key may have several parts."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Rows that may have come, gone or changed.

    Attributes:
        whole: tables of which any row may have.
        keys: those of the other tables of the plan, by table.
    """

    whole: set[str]
    keys: dict[str, set[Key]]

    def of(self, name: str) -> set[Key] | None:
        """Return the keys of a table, or None where it may be any."""
        return None if name in self.whole else self.keys[name]


def touched_rows(
    session: Session,
    app: App,
    failed: FailedTables,
    changes: ChangeSet,
    *,
    whole: Collection[str] = (),
    max_keys: int,
) -> Touched:
    """Return what changes have touched of what somebody has.

    Args:
        session: the snapshot that the changes were read in.
        app: whose data it is.
        failed: what she has; gets what of that cannot be read.
        changes: from the feed, with at most `max_keys` of each table.
        whole: tables that are of no interest one by one.
        max_keys: a table with more than that is whole, with all below.
    """
    captured = {table.name for table in captured_tables(app)}
    found = {*whole} | _swept(failed.plan, changes, captured)
    keys = _candidates(session, app, failed, changes, found, max_keys)
    return Touched(found, keys)


def _swept(plan: Plan, changes: ChangeSet, captured: set[str]) -> set[str]:
    """Return the tables of which any row may have come or gone, and the child lists below them."""
    touched = {*changes.changed, *changes.whole}
    swept = {
        name
        for name, entry in plan.items()
        if name in changes.whole
        or entry.watches & touched
        # nobody knows what happens in a table without a key
        or entry.watches - captured
    }
    return with_all_below(plan, swept)


def with_all_below(plan: Plan, names: set[str]) -> set[str]:
    """Return these tables and the child lists below them, at any depth."""
    swept = set(names)
    while below := {n for n, e in plan.items() if swept & {p for p, _ in e.parents}} - swept:
        swept |= below
    return swept


def _candidates(
    session: Session,
    app: App,
    failed: FailedTables,
    changes: ChangeSet,
    whole: set[str],
    max_keys: int,
) -> dict[str, set[Key]]:
    """Return the keys that changed, and those of the child rows of records that changed.

    A record that enters the scope brings its children although they did not change themselves.
    Tables in `whole` and those that fail are left out; those with more than `max_keys` are added
    to `whole`, with all below.
    """
    plan = failed.plan
    found = {name: set(changes.changed.get(name, ())) for name in plan}
    fresh = {name: set(keys) for name, keys in found.items() if keys}
    while fresh:
        parent, keys = fresh.popitem()
        for name, entry in plan.items():
            for other, pairs in entry.parents:
                if other != parent or name in whole or name in failed.causes:
                    continue
                look = partial(_children, session, app, entry, parent, pairs, keys, max_keys + 1)
                # a table may be below several others, and they below each other: until none is new
                more = (failed.read(session, name, look) or set()) - found[name]
                found[name] |= more
                if len(found[name]) > max_keys:
                    whole |= with_all_below(plan, {name})
                elif more:
                    fresh.setdefault(name, set()).update(more)
    return found


def _children(
    session: Session,
    app: App,
    entry: TablePlan,
    parent: str,
    pairs: tuple[tuple[str, str], ...],
    parents: set[Key],
    most: int,
) -> set[Key]:
    """Return the keys of the rows below these parents, but hardly more than `most`."""
    model = app.models[parent]
    linked = {above: entry.model.column(below) for below, above in pairs}
    query = sa.select(*entry.key_columns)
    if linked.keys() >= set(model.key):
        # not through the parent's row: it may be gone, and its child rows left behind
        columns = [linked[attribute] for attribute in model.key]
    else:
        columns = list(model.table.primary_key.columns)
        joined = (model.column(above) == below for above, below in linked.items())
        query = query.join(model.table, sa.and_(*joined)).distinct()
    found: set[Key] = set()
    for chunk in chunks(parents):
        rows = session.execute(query.where(is_one_of(columns, chunk)).limit(most))
        found.update(tuple(row) for row in rows if is_readable(row))
        if len(found) >= most:
            break
    return found


def is_one_of(columns: list[sa.Column[Any]], keys: list[Key]) -> sa.ColumnElement[bool]:
    """Return the condition that a row has one of these keys."""
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return sa.or_(*(sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys))


def chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Yield keys, as many as fit into one query."""
    left = iter(keys)
    while chunk := list(islice(left, CHUNK_KEYS)):
        yield chunk
