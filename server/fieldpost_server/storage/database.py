"""The database: engines for SQLite and PostgreSQL that keep what transactions promise."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from psycopg import DataError
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.schema.unreadable import Unreadable, keep_reading
from fieldpost.text.jsontext import parse

BUSY_TIMEOUT_MS = 30_000
"""How long a SQLite connection waits for the one writer."""

ATTEMPTS = 6
"""How often a transaction is tried when the database asks to try again."""

_RETRY_STATES = {"40001", "40P01"}  # serialization failure, deadlock
_MODE = "fieldpost_mode"

T = TypeVar("T")


class Database:
    """One database and its two kinds of transaction.

    Args:
        url: SQLAlchemy URL; ``sqlite:///…`` or ``postgresql+psycopg://…``.
    """

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """Open a transaction that commits when the block ends and rolls back if it raises.

        SQLite: the write lock is taken at once, so that what was read stays true. PostgreSQL:
        REPEATABLE READ, so that two transactions which change one row cannot overwrite each
        other; the later one fails and is tried again by `write`.
        """
        with (
            self._connect("write", "REPEATABLE READ") as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            # fault point: transaction-uncommitted — nothing of it is kept, and nobody was told that
            # it was: whoever asked asks again.
            session.commit()
            # fault point: committed-unanswered — all of it is kept, the answer is not sent: what is
            # asked once more finds what the first time has left.

    @contextmanager
    def current_session(self) -> Iterator[Session]:
        """Open a transaction whose statements see what others have committed before each of them.

        For what takes a lock and then looks: in `write_session` the look would be of before.
        """
        with (
            self._connect("write", "READ COMMITTED") as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            # fault point: current-uncommitted — nothing of it is kept, as in `write_session`.
            session.commit()

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """Open a snapshot: every statement in the block sees the same moment."""
        with self._connect("read", "REPEATABLE READ") as connection:
            if self.dialect == "sqlite":
                # a deferred BEGIN takes its snapshot at the first read only
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")
            # fault point: snapshot-open — nothing is written; all of a block is read at one moment,
            # which REPEATABLE READ and SQLite's snapshot promise.
            with Session(connection, expire_on_commit=False) as session:
                yield session

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a write session; again, from the start, when the database asks for it.

        A row that another transaction inserted at the same time counts as such a request, once:
        the second time `work` finds that row.
        """
        raced = False
        for attempt in range(1, ATTEMPTS):
            try:
                with self.write_session() as session:
                    return work(session)
            except DBAPIError as error:
                if not is_transient(error) and (raced or not is_taken(error)):
                    raise
                raced |= is_taken(error)
                # fault point: rolled-back-before-retry — the attempt has left nothing: the next
                # one, or whoever asks again, begins from the start.
                time.sleep(0.01 * 2**attempt)
        with self.write_session() as session:
            return work(session)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _connect(self, mode: str, isolation: str) -> sa.Connection:
        options: dict[str, Any] = {_MODE: mode}
        if self.dialect == "postgresql":
            options |= {"isolation_level": isolation, "postgresql_readonly": mode == "read"}
        return self.engine.connect().execution_options(**options)


def is_transient(error: DBAPIError) -> bool:
    """Say whether the same transaction may succeed when it is tried again."""
    if error.connection_invalidated:
        return True
    if getattr(error.orig, "sqlstate", None) in _RETRY_STATES:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


def is_taken(error: DBAPIError) -> bool:
    """Say whether a row with the same unique value was there already."""
    if not isinstance(error, IntegrityError):
        return False
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE" in str(error.orig)


def make_engine(url: str) -> sa.Engine:
    """Make an engine with the events and options that `Database` relies on.

    Raises:
        DefinitionError: the URL is none, or of another kind of database.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # the text itself may hold a password
        raise DefinitionError([problem(Code.DATABASE_URL, "database", cause="no URL")]) from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise DefinitionError([problem(Code.DATABASE_URL, "database", cause=f"'{kind}'")])
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    engine = sa.create_engine(
        parsed,
        json_deserializer=parse,
        pool_size=10,
        max_overflow=20,
        # a database that was restarted costs a reconnect, not an error
        pool_pre_ping=True,
        connect_args={
            "application_name": "fieldpost",
            # an abandoned transaction would hold back the change feed for everybody
            "options": "-c timezone=UTC -c idle_in_transaction_session_timeout=60000",
        },
    )
    sa.event.listen(engine, "connect", _on_postgresql_connect)
    keep_reading(engine, strict=True)
    return engine


def _on_postgresql_connect(connection: Any, _: Any) -> None:
    """Let the driver go on where PostgreSQL holds more than Python: infinity, BC, 24:00."""
    adapters = connection.adapters
    for name in ("date", "time", "timetz", "timestamp", "timestamptz", "interval"):
        oid = adapters.types[name].oid
        adapters.register_loader(oid, _tolerant(adapters.get_loader(oid, Format.TEXT)))


def _tolerant(usual: Any) -> type[Loader]:
    class Tolerant(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._inner = usual(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._inner.load(data)
            except DataError:
                return Unreadable(bytes(data).decode("utf-8", "replace"))

    return Tolerant


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if url.database:
        try:
            Path(url.database).absolute().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fault = problem(Code.DATABASE_UNREACHABLE, "database", cause=str(error))
            raise DefinitionError([fault]) from error
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, json_deserializer=parse
    )
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    keep_reading(engine, strict=True)
    return engine


def _on_sqlite_connect(connection: Any, _: Any) -> None:
    # pysqlite's own transaction control begins too late and not at all before SELECT:
    # switch it off, `_on_sqlite_begin` says BEGIN
    connection.isolation_level = None
    connection.text_factory = _text
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    # fault point: power-cut — a commit that has returned is on the disk, log and all; one that has
    # not is not there after the next opening.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _text(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Unreadable(data)


def _on_sqlite_begin(connection: sa.Connection) -> None:
    # a deferred transaction that reads and then writes fails when another wrote in between,
    # without waiting: writers take the lock first
    # fault point: write-lock-held — the lock is the process's and ends with it; what it had written
    # is in no commit, and so not there.
    writes = connection.get_execution_options().get(_MODE, "write") == "write"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
