"""What changed on the server since a device's cursor, in terms of that device's rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.rows import row_to_wire
from fieldpost_server.feed.changes import Key, read_changes
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.feed.touched_rows import chunks, is_one_of, touched_rows
from fieldpost_server.scope.replication_plan import TablePlan, captured_tables


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
    plan = failed.plan
    changes = read_changes(session, cursor, captured_tables(app), max_keys=max_keys)
    now = replace(changes.cursor, plan=plan_id)
    if changes.reset:
        return Delta(now, reset=True)
    delta = Delta(now)
    is_same = cursor.plan == plan_id
    every = (set(whole) & set(plan)) | cursor.lacked(plan) if is_same else set(plan)
    touched = touched_rows(session, app, failed, changes, whole=every, max_keys=max_keys)
    for name, entry in plan.items():
        keys = touched.of(name)
        if name in failed.causes or keys == set():
            continue
        failed.read(session, name, partial(_read_table, session, entry, keys, delta))
    if not is_same:
        # what is in no table of the plan any more goes
        delta.replace += [name for name in app.tables if name not in plan]
    return delta


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
    for chunk in chunks(keys):
        rows += [entry.to_wire(row) for row in entry.read(session, is_one_of(columns, chunk))]
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
