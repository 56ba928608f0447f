"""Devices as the change feed sees them: a cursor, and rows that must equal the user's scope."""

from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.checksum import table_digest
from fieldpost.users import User
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.feed.scope_delta import Delta, cursor_now, read_delta
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.scope.page_settings import offline_pages_for, plan_id
from fieldpost_server.scope.replication_plan import Plan, plan_for
from fieldpost_server.storage.database import Database

Rows = dict[str, dict[str, dict[str, Any]]]
"""Table, key as text, row as it travels."""


class FeedDevice:
    """One device of a user; `read_delta` is the server's own.

    Args:
        max_keys: the server's limit, so that some devices get tables whole.
        checksums: what the server keeps; all of it is compared with the rows themselves.
    """

    def __init__(
        self, app: App, database: Database, name: str, max_keys: int, checksums: Checksums
    ) -> None:
        self.app = app
        self.database = database
        self.user = User(name, name, frozenset({"Offline"}))
        self.max_keys = max_keys
        self.checksums = checksums
        self.cursor = ""
        self.rows: Rows = {}
        self.began: tuple[AbstractContextManager[Session], Session, int] | None = None

    def begin(self, truncations: int) -> None:
        """Take the snapshot of a pull."""
        manager = self.database.read_session()
        session = manager.__enter__()
        if self.database.dialect == "postgresql":
            # a reader that a TRUNCATE holds up would wait for ever: nobody else acts meanwhile
            session.execute(sa.text("SET LOCAL lock_timeout = '1ms'"))
        current_moment(session)
        self.began = manager, session, truncations

    def finish(self, truncations: int) -> bool:
        """Read in that snapshot, apply, compare; says whether the pull was answered."""
        assert self.began is not None
        manager, session, before = self.began
        self.began = None
        try:
            offline = offline_pages_for(session, self.app, self.user)
            plan = plan_for(self.app, self.user, offline)
            identity = plan_id(self.user, offline, "1")
            failed = FailedTables(plan)
            rows, cursor = self._pulled(session, failed, identity)
            if failed.causes:
                return False  # a table was locked; as an answer that got lost
            wanted = scope(session, plan)
            proven = self.checksums.digests(session, failed)
            if failed.causes:
                return False
        except sa.exc.OperationalError:
            return False  # as an answer that got lost
        finally:
            manager.__exit__(None, None, None)
        self.rows, self.cursor = rows, cursor
        # PostgreSQL shows older snapshots a truncated table as empty: the next pull tells why
        if before == truncations:
            assert wanted == rows, differences(wanted, rows)
            for name, held in wanted.items():
                assert table_digest(held.values()) == proven[name], f"the sum of {name}"
        return True

    def _pulled(self, session: Session, failed: FailedTables, identity: str) -> tuple[Rows, str]:
        if not self.cursor:
            return scope(session, failed.plan), str(cursor_now(session, identity))
        cursor = Cursor.parse(self.cursor)
        delta = read_delta(session, self.app, failed, identity, cursor, max_keys=self.max_keys)
        assert not delta.reset
        return applied(self.rows, self.app, delta), str(delta.cursor)


def scope(session: Session, plan: Plan) -> Rows:
    """Return the rows that belong on the device."""
    found: Rows = {}
    for name, entry in plan.items():
        names = [column.name for column in entry.key_columns]
        rows = (entry.to_wire(row) for row in session.execute(entry.select()))
        found[name] = {_key(row[n] for n in names): row for row in rows}
    return found


def differences(wanted: Rows, rows: Rows) -> str:
    """Return the keys that are missing, too many, or of another row, by table."""
    return "; ".join(
        f"{name} {key}: {wanted.get(name, {}).get(key)} but {rows.get(name, {}).get(key)}"
        for name in sorted({*wanted, *rows})
        for key in sorted({*wanted.get(name, {}), *rows.get(name, {})})
        if wanted.get(name, {}).get(key) != rows.get(name, {}).get(key)
    )


def applied(rows: Rows, app: App, delta: Delta) -> Rows:
    """Return the rows after an answer, in the protocol's order: replace, remove, put."""
    after = {name: {} if name in delta.replace else dict(held) for name, held in rows.items()}
    for name, keys in delta.remove.items():
        for key in keys:
            after[name].pop(_key(key), None)
    for name, put in delta.put.items():
        names = [column.name for column in app.tables[name].table.primary_key]
        after[name] |= {_key(row[n] for n in names): row for row in put}
    return after


def _key(values: Any) -> str:
    return repr(list(values))
