"""Putting a backup back: into an empty place, on a new timeline, with everybody signed out."""

import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, FieldpostError
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.backup.faults import BackupError, fault
from fieldpost_server.backup.files import copied, opened, part_of
from fieldpost_server.backup.manifest import DATABASES, Manifest, attachment_path
from fieldpost_server.backup.point import all_tables, count_rows
from fieldpost_server.backup.programs import Programs
from fieldpost_server.backup.verification import Verified
from fieldpost_server.factors.used_once import forget_used_once
from fieldpost_server.restore.timelines import begin_timeline, present_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.signing.keyring import current_row, private_key, read_secret
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.durable import synced
from fieldpost_server.storage.tables import utc_now

HALF_RESTORED = "fieldpost_half_restored"
"""On PostgreSQL, a table that is there while a database is being put back, and no longer."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put back.

    Attributes:
        manifest: of the backup.
        timeline: the new one.
        put, there: how many attachments were copied, and how many were there already.
        aside: where the former database lies now; None where there was none.
        warnings: what to look after, in words.
    """

    manifest: Manifest
    timeline: str
    put: int
    there: int
    aside: Path | None
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what a program wants to know."""
        return {
            "moment": self.manifest.moment.isoformat(),
            "timeline": self.timeline,
            "attachments": {"put": self.put, "there": self.there},
            "aside": None if self.aside is None else str(self.aside),
            "warnings": list(self.warnings),
        }

    def words(self) -> list[str]:
        """Return what a person wants to know, and what is to be done next."""
        moment = self.manifest.moment.isoformat(timespec="seconds")
        told = [
            (
                f"Restored what there was at {moment}: {sum(self.manifest.rows.values())} rows, "
                f"{self.put + self.there} attachments."
            )
        ]
        if self.aside is not None:
            told.append(f"The former database is kept as {self.aside}.")
        return [*told, *(f"Mind: {words}" for words in self.warnings), *_NEXT]


class Restoration:
    """Puts one backup back.

    Args:
        settings: of the server that gets it.
        app: its app.
        backup: what was found whole.
        programs: PostgreSQL's.
    """

    def __init__(self, settings: Settings, app: App, backup: Verified, programs: Programs) -> None:
        if backup.manifest is None or backup.faults:
            raise BackupError(backup.problems)
        self.settings = settings
        self.app = app
        self.backup = backup
        self.manifest = backup.manifest
        self.programs = programs
        self._check_fit()

    def restore(self, *, replace: bool = False) -> Restored:
        """Put it back.

        Args:
            replace: a SQLite database that is there is put aside; it is never deleted.

        Raises:
            BackupError: the target is not empty, or the backup cannot be put there.
            OSError, SQLAlchemyError: files or database cannot be used; what was there is as it was.
        """
        file = self._sqlite_file()
        if file is None:
            with closing(Database(self.settings.database_url)) as database:
                self._check_empty(database)
                put, there = self._put_files(database)
                self._load(database)
                timeline, warnings = self._begin(database)
                return Restored(self.manifest, timeline, put, there, None, warnings)
        remains = _remains(file)
        if remains and not replace:
            raise fault(Code.RESTORE_TARGET, target=remains[0], advice=_REPLACE)
        with self._copy_beside(file) as (copy, database):
            put, there = self._put_files(database)
            timeline, warnings = self._begin(database)
            database.close()
            aside = _put_aside(file) if remains else None
            # fault point: restored-unnamed — everything is ready but the name: where a database was
            # put aside there is none until the restore is run again.
            _name(copy, file)
            synced(file.parent)
            return Restored(self.manifest, timeline, put, there, aside, warnings)

    def restore_files(self) -> tuple[int, int]:
        """Put only the attachments back; return how many, and how many were there.

        Raises:
            BackupError: the backup has changed meanwhile.
            OSError: files cannot be written.
        """
        with closing(Database(self.settings.database_url)) as database:
            return self._put_files(database)

    def _check_fit(self) -> None:
        kind = sa.make_url(self.settings.database_url).get_backend_name()
        if self.manifest.app != self.app.name:
            raise fault(
                Code.BACKUP_UNFIT,
                backup=self.backup.path.name,
                cause=f"it is of the app '{self.manifest.app}', and this is '{self.app.name}'",
            )
        if self.manifest.kind != kind:
            cause = f"it is of a database of the kind {self.manifest.kind}, and this is {kind}"
            raise fault(Code.BACKUP_UNFIT, backup=self.backup.path.name, cause=cause)

    def _sqlite_file(self) -> Path | None:
        if self.manifest.kind != "sqlite":
            return None
        url = sa.make_url(self.settings.database_url)
        if url.database in (None, "", ":memory:"):
            raise fault(Code.DATABASE_URL, cause="nothing can be put back into memory")
        return Path(str(url.database)).absolute()

    def _put_files(self, database: Database) -> tuple[int, int]:
        """Bring the attachments into the store; returns how many, and how many were there."""
        settings = self.settings
        store = AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)
        put = there = 0
        for sha256, size in self.backup.sizes.items():
            if size is None:
                continue
            target = store.path(sha256)
            if _is_there(target, sha256):
                there += 1
                continue
            target.parent.mkdir(exist_ok=True)
            part = store.folder / "uploads" / f"restoring-{uuid.uuid4().hex}"
            try:
                if copied(attachment_path(self.backup.path, sha256), part).sha256 != sha256:
                    cause = f"{sha256} was changed"
                    raise fault(Code.BACKUP_DAMAGED, backup=self.backup.path.name, cause=cause)
                # fault point: restored-file-unplaced — files come before the rows that name them; a
                # file without a row is nobody's, and the restore is run again.
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            put += 1
        return put, there

    @contextmanager
    def _copy_beside(self, file: Path) -> Iterator[tuple[Path, Database]]:
        """Copy the database beside its place, under a name that no server opens."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = file.with_name(f".{file.name}.restoring-{uuid.uuid4().hex}")
        try:
            part = copied(self.backup.path / DATABASES["sqlite"], copy)
            if part != self.manifest.database:
                cause = f"{DATABASES['sqlite']} was changed"
                raise fault(Code.BACKUP_DAMAGED, backup=self.backup.path.name, cause=cause)
            url = sa.make_url(self.settings.database_url).set(database=str(copy))
            database = Database(url.render_as_string(hide_password=False))
            try:
                yield copy, database
            finally:
                database.close()
        finally:
            # fault point: restoring-copy-left — it has a name that nobody opens; a person may
            # delete it.
            for each in _remains(copy):
                each.unlink()

    def _check_empty(self, database: Database) -> None:
        with database.read_session() as session:
            names = set(session.scalars(_OWN_TABLES))
        if HALF_RESTORED in names:
            raise fault(Code.HALF_RESTORED)
        if names:
            named = ", ".join(sorted(names)[:3])
            raise fault(Code.RESTORE_TARGET, target=f"the database ({named})", advice=_CREATE)

    def _load(self, database: Database) -> None:
        with database.engine.begin() as connection:
            # fault point: restore-marked — until the mark goes nobody serves the database: it holds
            # nothing, or rows on the timeline of the backup.
            connection.exec_driver_sql(f"CREATE TABLE {HALF_RESTORED} (since text)")
        try:
            with opened(self.backup.path / DATABASES["postgresql"]) as dump:
                self.programs.load(database.engine.url, dump)
        except (FieldpostError, OSError):
            with database.engine.begin() as connection:
                # fault point: restore-failed-marked — the load has left nothing; with the mark the
                # database would have to be made anew.
                connection.exec_driver_sql(f"DROP TABLE {HALF_RESTORED}")
            raise

    def _begin(self, database: Database) -> tuple[str, tuple[str, ...]]:
        """Compare the rows with the manifest, begin a new timeline, let nobody in from before."""
        counted = captured_tables(self.app)

        def work(session: Session) -> tuple[str, tuple[str, ...]]:
            known = [t for t in all_tables(self.app) if t.fullname in self.manifest.rows]
            there = count_rows(session, known)
            if wrong := [name for name in there if there[name] != self.manifest.rows[name]]:
                cause = f"rows of {', '.join(wrong)} are missing, or too many"
                raise fault(Code.RESTORE_FAILED, cause=cause)
            begin_timeline(session, counted)
            # who was let out since the backup must not come in again by what it remembers
            without_codes = forget_used_once(session)
            moment = self.manifest.moment.isoformat(timespec="seconds")
            record(session, COMMAND_LINE, Event.DATABASE_RESTORED, detail=f"backup of {moment}")
            # fault point: restored-without-timeline — new timeline, ended sessions and the end of
            # the mark are one transaction: nobody serves the rows on the timeline of the backup.
            if database.dialect == "postgresql":
                session.execute(sa.text(f"DROP TABLE IF EXISTS {HALF_RESTORED}"))
            return present_timeline(session), tuple(self._warnings(session, without_codes))

        return database.write(work)

    def _warnings(self, session: Session, without_codes: Sequence[str]) -> Iterator[str]:
        if self.manifest.missing:
            yield (
                f"{self.manifest.missing} attachments were missing at the office when the backup "
                "was taken; those that a device still has come back with its next sync."
            )
        if without_codes:
            named = ", ".join(without_codes[:20]) + (", …" if without_codes[20:] else "")
            yield (
                f"Recovery codes of {len(without_codes)} are void now ({named}): tell whose they "
                "were to make new ones, at 'Your account'."
            )
        row = current_row(session)
        try:
            if row is not None:
                private_key(row, read_secret(self.settings.signing_secret_file))
        except FieldpostError as error:
            yield str(error)


_NEXT = (
    "A new timeline has begun, so 'fieldpost db restored' is not needed. Do next:",
    "1. Run 'fieldpost check'.",
    (
        "2. Everybody is signed out; invitations have ended, and recovery codes are void, since "
        "they may have been used meanwhile. What you did since that moment, do again: people "
        "switched off, roles taken, passwords set, second factors reset, devices revoked."
    ),
    (
        "3. Start the server. Devices bring what they have saved since with their next sync; "
        "what was saved online since is lost."
    ),
)
_IN_USE = "Stop the server and all that has it open, such as Litestream, and try again"
_SHARED_FIRST, _SHARED_BYTES = 0x4000_0002, 510
"""Where SQLite locks its files, see its `os.h`."""

_ENDINGS = ("", "-wal", "-shm", "-journal")
_REPLACE = "Name another place with --data or --database, or give --replace to put it aside"
_CREATE = (
    "Make an empty one with 'createdb' and name it in FIELDPOST_DATABASE; the former one stays as "
    "it is until you drop it"
)
_OWN_TABLES = sa.text(
    """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname <> 'information_schema'
    AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    """
)


def _is_there(target: Path, sha256: str) -> bool:
    try:
        return part_of(target).sha256 == sha256
    except OSError:
        return False


def _remains(file: Path) -> list[Path]:
    """Return the files of a SQLite database that are there; a log alone would be played back."""
    named = (file.with_name(file.name + ending) for ending in _ENDINGS)
    return [each for each in named if os.path.lexists(each)]


def _name(copy: Path, file: Path) -> None:
    """Give a restored database its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(copy, file)
    except FileExistsError:
        raise fault(Code.RESTORE_TARGET, target=file, advice=_REPLACE) from None
    except OSError:
        # a file system without links: nobody else restores into the same place at this moment
        # fault point: restored-renamed — it has its name and is whole, or has it not.
        copy.rename(file)


@contextmanager
def _nobodys(file: Path) -> Iterator[None]:
    """Let nobody open a SQLite database; raises `BackupError` where somebody has it open."""
    with file.open("r+b") as held:
        try:
            # the lock that every reader and writer of SQLite shares; opened by SQLite itself, a
            # damaged database would lose the log that may hold what can be saved of it
            # fault point: former-database-locked — the lock ends with the process; nothing of the
            # database was touched.
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            raise fault(Code.RESTORE_TARGET, target=file, advice=_IN_USE) from None
        yield


def _put_aside(file: Path) -> Path:
    """Give a database that nobody has open another name; raises `BackupError`."""
    moment = f"{utc_now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
    aside = f"{file.name}.before-restore-{moment}"
    with _nobodys(file) if file.is_file() else nullcontext():
        for each in _remains(file):
            # fault point: half-aside — all of the former database is there, under one name or the
            # other: the restore is run again, and puts aside the rest.
            each.rename(file.with_name(aside + each.name.removeprefix(file.name)))
    return file.with_name(aside)
