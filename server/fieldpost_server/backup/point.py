"""The point of a backup: what one snapshot of the database sees, and the copy of all of that."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code
from fieldpost_server.backup.faults import fault
from fieldpost_server.backup.files import Part, made_new, part_of
from fieldpost_server.backup.programs import Programs
from fieldpost_server.restore.timelines import present_timeline
from fieldpost_server.signing.keyring import current_row
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.durable import synced

_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What a snapshot says of itself; see `Manifest` for the same names."""

    office: str
    timeline: str
    signing_key: str
    needs_secret: bool
    rows: Mapping[str, int]
    attachments: Sequence[str]


def read_facts(session: Session, app: App) -> Facts:
    """Return what the session's snapshot says of itself."""
    order = sa.select(tables.history.c.id).order_by(tables.history.c.number).limit(1)
    key = current_row(session)
    whole = sa.select(tables.attachment.c.sha256).where(tables.attachment.c.complete)
    present = present_timeline(session)
    return Facts(
        office=session.scalar(order) or present,
        timeline=present,
        signing_key="" if key is None else key.id,
        needs_secret=key is not None and "ENCRYPTED" in key.private.partition("\n")[0],
        rows=count_rows(session, all_tables(app)),
        attachments=sorted(session.scalars(whole)),
    )


def all_tables(app: App) -> list[sa.Table]:
    """Return the app's tables and Fieldpost's own."""
    return [*app.base.metadata.sorted_tables, *tables.metadata.sorted_tables]


def count_rows(session: Session, counted: Iterable[sa.Table]) -> dict[str, int]:
    """Return how many rows each table has."""
    every = sa.func.count()
    return {
        table.fullname: session.scalar(sa.select(every).select_from(table)) or 0
        for table in counted
    }


def copy_database(session: Session, database: Database, target: Path, programs: Programs) -> Part:
    """Copy all that the session's snapshot sees into a new file, while others go on writing.

    Raises:
        BackupError: it cannot be copied, or the database itself is damaged.
        OSError: the file cannot be written.
    """
    made_new(target)
    if database.dialect == "sqlite":
        _copy_sqlite(session, target)
    else:
        _dump_postgresql(session, database, target, programs)
    # fault point: database-copied — the copy lies in a folder that is no backup yet; the database
    # itself was only read, in one snapshot.
    synced(target)
    return part_of(target)


def sqlite_faults(file: Path) -> list[str]:
    """Return what SQLite finds wrong in a database that nobody writes to."""
    try:
        with reading(file) as connection:
            found = connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    return [str(row[0]) for row in found if row[0] != "ok"]


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file that nobody writes to, without leaving anything beside it."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        # it may be anybody's: what its schema calls must not reach beyond it
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


def _copy_sqlite(session: Session, target: Path) -> None:
    source: Any = session.connection().connection.driver_connection
    try:
        copy = sqlite3.connect(target)
        try:
            # in one step: page by page of the snapshot that the session has, and no other
            source.backup(copy)
        finally:
            copy.close()
    except sqlite3.Error as error:
        raise fault(Code.BACKUP_FAILED, cause=str(error)) from error
    if found := sqlite_faults(target):
        raise fault(Code.DATABASE_DAMAGED, cause="; ".join(found))


def _dump_postgresql(
    session: Session, database: Database, target: Path, programs: Programs
) -> None:
    # the dump may take longer than an abandoned transaction is borne
    session.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    # fault point: snapshot-exported — the snapshot ends with this transaction: the dump has taken
    # it by then, or fails.
    snapshot = session.scalar(sa.text("SELECT pg_export_snapshot()"))
    programs.dump(database.engine.url, str(snapshot), target)
