"""What changed on the server since a device's cursor, in terms of that device's rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.rows import row_to_wire
from fieldpost.schema.unreadable import is_readable
from fieldpost_server.feed.changes import ChangeSet, read_changes
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.scope.replication_plan import Plan, TablePlan, captured_tables

CHUNK_KEYS = 400
"""Keys in one query; SQLite allows 32,766 variables and a key may have several parts."""

Key = tuple[Any, ...]


@dataclass
class Delta:
    """What a device has to do to be equal to the snapshot.

    Attributes:
        put: rows as they travel, by table.
        remove: keys as they travel, by table.
        replace: tables whose rows in `put` are all there are.
        reset: the device needs a new image.
    """

    cursor: Cursor
    put: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    remove: dict[str, list[list[Any]]] = field(default_factory=dict)
    replace: list[str] = field(default_factory=list)
    reset: bool = False

    def without(self, failed: FailedTables, *, is_safe: bool) -> "Delta":
        """Return what is sent where some tables fail: nothing of them, and the cursor says so.

        Args:
            failed: they are read again as a whole the next time.
            is_safe: what decides who sees what is as it was when the device got its rows: it keeps
                those. Otherwise they go, because nobody can say that they are still its user's.
        """
        left_out = failed.causes.keys() & failed.plan.keys()
        emptied = [] if is_safe else sorted(left_out)
        if self.reset:
            return self
        return Delta(
            self.cursor.lacking(failed.plan, left_out),
            {name: rows for name, rows in self.put.items() if name not in left_out},
            {name: keys for name, keys in self.remove.items() if name not in left_out},
            [*(name for name in self.replace if name not in left_out), *emptied],
        )


def cursor_now(session: Session, plan_id: str) -> Cursor:
    """Return the snapshot's cursor for a reader with this plan."""
    return current_moment(session).cursor(plan_id)


def read_delta(
    session: Session,
    app: App,
    failed: FailedTables,
    plan_id: str,
    cursor: Cursor,
    *,
    whole: Iterable[str] = (),
    max_keys: int = 5_000,
) -> Delta:
    """Return what changed since `cursor`.

    Args:
        session: a snapshot; everything is read in it.
        app: whose data it is.
        failed: what the device has; gets what of that cannot be read, see `Delta.without`.
        plan_id: identity of the plan; where the cursor has another, every table is sent whole.
        cursor: how far the device is.
        whole: tables that the device wants whole.
        max_keys: with more changed keys than this a table is sent whole.
    """
    # fault point: pull-snapshot — cursor, rows and checksums are of one snapshot; nothing is
    # written: the device asks again with the cursor that it has.
    plan, captured = failed.plan, captured_tables(app)
    changes = read_changes(session, cursor, captured, max_keys=max_keys)
    now = replace(changes.cursor, plan=plan_id)
    if changes.reset:
        return Delta(now, reset=True)
    delta = Delta(now)
    is_same = cursor.plan == plan_id
    every = (set(whole) & set(plan)) | cursor.lacked(plan) if is_same else set(plan)
    whole_tables = every | _swept(plan, changes, {table.name for table in captured})
    candidates = _candidates(session, app, failed, changes, whole_tables, max_keys)
    for name, entry in plan.items():
        if name in failed.causes or not (name in whole_tables or candidates[name]):
            continue
        keys = None if name in whole_tables else candidates[name]
        failed.read(session, name, partial(_read_table, session, entry, keys, delta))
    if not is_same:
        # what is in no table of the plan any more goes
        delta.replace += [name for name in app.tables if name not in plan]
    return delta


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
    return _with_all_below(plan, swept)


def _with_all_below(plan: Plan, names: set[str]) -> set[str]:
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
                    whole |= _with_all_below(plan, {name})
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
    for chunk in _chunks(parents):
        rows = session.execute(query.where(_is_one_of(columns, chunk)).limit(most))
        found.update(tuple(row) for row in rows if is_readable(row))
        if len(found) >= most:
            break
    return found


def _read_table(session: Session, entry: TablePlan, keys: set[Key] | None, delta: Delta) -> None:
    """Read the rows with these keys, or all there are."""
    if keys is not None:
        _read_keys(session, entry, keys, delta)
        return
    delta.put[entry.model.name] = [entry.to_wire(row) for row in entry.read(session)]
    delta.replace.append(entry.model.name)


def _read_keys(session: Session, entry: TablePlan, keys: set[Key], delta: Delta) -> None:
    name, columns = entry.model.name, entry.key_columns
    rows: list[dict[str, Any]] = []
    for chunk in _chunks(keys):
        rows += [entry.to_wire(row) for row in entry.read(session, _is_one_of(columns, chunk))]
    there = {tuple(row[c.name] for c in columns) for row in rows}
    gone = [
        list(
            row_to_wire(
                entry.model.table, dict(zip((c.name for c in columns), key, strict=True))
            ).values()
        )
        for key in sorted(keys, key=repr)
    ]
    if rows:
        delta.put[name] = rows
    if missing := [key for key in gone if tuple(key) not in there]:
        delta.remove[name] = missing


def _is_one_of(columns: list[sa.Column[Any]], keys: list[Key]) -> sa.ColumnElement[bool]:
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return sa.or_(*(sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys))


def _chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    left = iter(keys)
    while chunk := list(islice(left, CHUNK_KEYS)):
        yield chunk
