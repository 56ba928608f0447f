"""Taking a backup: one consistent point while the server runs, whole or not there (R21)."""

import hashlib
import io
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import Code
from fieldpost_server.backup import files
from fieldpost_server.backup.faults import BackupError
from fieldpost_server.backup.manifest import ATTACHMENTS, attachment_path
from fieldpost_server.backup.programs import _connection
from fieldpost_server.inbox.chain_audit import check_chain, known_devices
from fieldpost_server.restore.timelines import begin_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.signing.keyring import current_row
from fieldpost_server.storage import tables


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def codes(caught: pytest.ExceptionInfo[BackupError]) -> list[Code]:
    return [each.code for each in caught.value.problems]


def test_rows_files_keys_and_ledger_come_back(yard: Any, serve: Callable[..., Any]) -> None:
    """A restored office has the same rows and files, signs with its key, and proves its ledger."""
    for words in ("one", "two", "three"):
        yard.work(words)
    taken = yard.take()
    settings = yard.empty()
    restored = yard.restore(taken.path, settings)
    other = serve(settings)

    assert [] == yard.faults(taken.path)
    assert (3, 3) == (taken.manifest.attachment_count, restored.put)
    query = sa.select(tables.envelope).order_by(tables.envelope.c.number)
    assert yard.office.rows(query) == other.rows(query)
    for content in yard.files:
        assert content == other.home.store.path(sha256(content)).read_bytes()
    with other.database.read_session() as session, yard.office.database.read_session() as former:
        assert current_row(former).private == current_row(session).private
        chains = [check_chain(session, name) for name in known_devices(session)]
    assert [(3, [])] == [(chain.envelopes, chain.faults) for chain in chains if chain.envelopes]
    assert other.health()["ok"], other.health()


@pytest.mark.long
def test_a_backup_is_one_point_while_others_write(yard: Any, serve: Callable[..., Any]) -> None:
    """What one transaction wrote into two tables is in a backup twice, or not at all."""
    yard.work("first")
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            written += 1
            name = f"pair-{written}"
            yard.office.run(
                sa.insert(tables.page_setting).values(page=name, offline=True),
                sa.insert(tables.meta).values(name=name, value="x" * 500),
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = [yard.take() for _ in range(4)]
    finally:
        stop.set()
        writer.join()
    seen = []
    for each in (taken[0], taken[-1]):
        settings = yard.empty()
        yard.restore(each.path, settings)
        other = serve(settings)
        pages = other.rows(sa.select(tables.page_setting.c.page).where(_PAIR(tables.page_setting)))
        names = other.rows(sa.select(tables.meta.c.name).where(_PAIR(tables.meta)))
        assert set(pages) == set(names)
        seen.append(len(pages))

    assert 0 <= seen[0] < seen[1] <= written


def _PAIR(table: sa.Table) -> sa.ColumnElement[bool]:  # noqa: N802 - a condition
    column = table.c.page if "page" in table.c else table.c.name
    return column.like("pair-%")


def test_files_of_the_backup_before_are_linked(yard: Any) -> None:
    """The second backup copies what is new, and both are whole by themselves."""
    yard.work("one")
    first = yard.take()
    yard.work("two")
    second = yard.take()
    inodes = {attachment_path(t.path, sha256(yard.files[0])).stat().st_ino for t in (first, second)}
    original = yard.store.path(sha256(yard.files[0])).stat().st_ino

    assert (1, 0) == (first.copied, first.reused)
    assert (1, 1) == (second.copied, second.reused)
    assert 1 == len(inodes)
    assert original not in inodes
    shutil.rmtree(first.path)
    assert [] == yard.faults(second.path)


@pytest.mark.passes("wrong-link-left")
def test_a_damaged_file_of_the_backup_before_is_not_taken_over(yard: Any) -> None:
    """What the last backup holds is believed only where its digest says so."""
    yard.work("one")
    first = yard.take()
    attachment_path(first.path, sha256(yard.files[0])).write_bytes(b"other bytes")
    second = yard.take()

    assert [] == yard.faults(second.path)
    assert (1, 0) == (second.copied, second.reused)
    assert yard.faults(first.path)


def test_a_file_that_the_office_has_lost_comes_from_the_backup_before(yard: Any) -> None:
    """It is kept in all backups that follow, and named."""
    yard.work("one")
    yard.take()
    yard.store.path(sha256(yard.files[0])).unlink()
    second = yard.take()

    assert [] == yard.faults(second.path)
    assert [sha256(yard.files[0])] == second.mended
    assert any("not at the office any more" in words for words in second.words())


@pytest.mark.long
@pytest.mark.parametrize("how", ["gone", "damaged", "link", "folder", "pipe"])
def test_a_file_that_nobody_has_is_named_and_stops_nothing(
    yard: Any, serve: Callable[..., Any], how: str
) -> None:
    """One file that is lost is no reason to have no backup of all others."""
    yard.work("one")
    yard.work("two")
    lost = yard.store.path(sha256(yard.files[0]))
    lost.unlink()
    if how == "damaged":
        lost.write_bytes(b"other bytes")
    elif how == "link":
        lost.symlink_to("/etc/passwd")
    elif how == "folder":
        lost.mkdir()
    elif how == "pipe":
        os.mkfifo(lost)
    taken = yard.take()
    settings = yard.empty()
    restored = yard.restore(taken.path, settings)

    assert [sha256(yard.files[0])] == taken.missing
    assert [] == yard.faults(taken.path)
    assert (1, 1) == (taken.manifest.attachment_count, taken.manifest.missing)
    assert any("were missing at the office" in words for words in restored.warnings)
    assert serve(settings).home.store.path(sha256(yard.files[1])).exists()


def test_backups_are_nobody_elses(yard: Any) -> None:
    """Nobody but their owner reads them, whatever the process's mask is."""
    yard.work("one")
    before = os.umask(0)
    try:
        yard.take()
    finally:
        os.umask(before)
    made = [yard.place.folder, *yard.place.folder.rglob("*")]

    assert [] == [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_one_backup_at_a_time_and_none_is_overwritten(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second is told to wait; a name that is taken is refused."""
    first = yard.take()
    with yard.place.turn(), pytest.raises(BackupError) as busy:
        yard.take()
    monkeypatch.setattr("fieldpost_server.backup.taking.utc_now", lambda: first.manifest.moment)
    with pytest.raises(BackupError) as taken:
        yard.take()

    assert [Code.BACKUP_BUSY] == codes(busy)
    assert [Code.BACKUP_FAILED] == codes(taken)
    assert [] == yard.faults(first.path)


def test_only_so_many_are_kept(yard: Any) -> None:
    """Rotation deletes the oldest of this timeline; all else in the folder is a person's."""
    before_restore = yard.take()
    counted = captured_tables(yard.office.home.app)
    yard.office.write(lambda session: begin_timeline(session, counted))
    unreadable = yard.place.folder / "fieldpost-20260101T000000.000000Z"
    unreadable.mkdir()
    foreign = yard.place.folder / "notes.txt"
    foreign.write_text("mine")
    made = [yard.take(keep=2) for _ in range(4)]

    assert [t.path for t in made[2:]] == [t.path for t in made if t.path.exists()]
    assert [made[1].path] == made[3].deleted
    assert all(path.exists() for path in (before_restore.path, unreadable, foreign))
    assert [] == [each.name for each in yard.place.folder.glob(".unfinished-*")]


@pytest.mark.passes("old-backup-undeleted")
def test_a_clock_that_was_put_back_deletes_no_new_backup(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was taken just now stays, whatever its name says."""
    first = yard.take()
    earlier = first.manifest.moment.replace(year=2020)
    monkeypatch.setattr("fieldpost_server.backup.taking.utc_now", lambda: earlier)
    second = yard.take(keep=1)

    assert second.path.exists()
    assert [first.path] == second.deleted


@pytest.mark.passes("unfinished-half-deleted")
def test_what_dead_processes_left_goes(yard: Any) -> None:
    """An unfinished folder is no backup, and the next one deletes it."""
    yard.work("one")
    first = yard.take()
    left = first.path.with_name(".unfinished-" + first.path.name)
    shutil.copytree(first.path, left)
    (yard.place.folder / ".unfinished-link").symlink_to(yard.store.folder)
    found = [each.path for each in yard.place.backups()]
    yard.take()

    assert [first.path] == found
    assert not left.exists()
    assert yard.store.path(sha256(yard.files[0])).exists()


def test_a_failure_leaves_nothing_and_harms_nothing(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong while a backup is taken, those that were there are as they were."""
    yard.work("one")
    first = yard.take()
    yard.work("two")

    def fails(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    for name in ("copy_database", "copied", "written", "synced"):
        with monkeypatch.context() as patch:
            patch.setattr(f"fieldpost_server.backup.taking.{name}", fails)
            with pytest.raises(OSError, match="No space"):
                yard.take()
        assert [first.path.name] == [p.name for p in yard.place.folder.glob("*[!k]")]
    assert [] == yard.faults(first.path)


@pytest.mark.long
def test_a_disk_without_room_is_left_as_it_is(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that cannot fit is not begun: a full disk stops the office, too."""
    yard.work("one")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage())
    with pytest.raises(BackupError) as caught:
        yard.take()

    assert [Code.BACKUP_NO_ROOM] == codes(caught)
    assert [] == list(yard.place.folder.glob("*[!k]"))


class _Usage:
    free = 1_000


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_log_of_sqlite_is_left_alone(yard: Any, tmp_path: Path) -> None:
    """What replicates the database from its log misses nothing: it is in WAL mode, and kept."""
    yard.work("one")
    file = Path(str(yard.office.database.engine.url.database))
    log = file.with_name(file.name + "-wal")
    # as Litestream does it: a reader that stays keeps the log from being begun anew
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        copy = tmp_path / "replica.sqlite"
        copy.write_bytes(file.read_bytes())
        head, size = log.read_bytes()[:32], log.stat().st_size
        for number in range(20):
            yard.work(f"more {number}")
        taken = yard.take()
        assert head == log.read_bytes()[:32]
        assert size < log.stat().st_size
        copy.with_name(copy.name + "-wal").write_bytes(log.read_bytes())
        reader.execute("ROLLBACK")
    with closing(sqlite3.connect(copy)) as replica, closing(sqlite3.connect(file)) as now:
        count = "SELECT count(*) FROM fieldpost_envelope"
        assert (21,) == replica.execute(count).fetchone() == now.execute(count).fetchone()
        assert ("wal",) == now.execute("PRAGMA journal_mode").fetchone()
    assert [] == yard.faults(taken.path)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_database_is_not_backed_up(yard: Any) -> None:
    """A backup that could not be restored takes no good one's place."""
    yard.work("one")
    first = yard.take()
    yard.office.database.close()
    file = Path(str(yard.office.database.engine.url.database))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'fieldpost_envelope_number'"
        (page,) = connection.execute(sql).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    with pytest.raises(BackupError) as caught:
        yard.take(keep=1)

    assert [Code.DATABASE_DAMAGED] == codes(caught)
    assert [] == yard.faults(first.path)


@pytest.mark.passes("failed-backup-left", "snapshot-exported")
@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_is_missing_of_postgresql_is_said(yard: Any, tmp_path: Path) -> None:
    """Without PostgreSQL's programs nothing is taken, and the words say what to install."""
    yard.programs.folder = str(tmp_path)
    with pytest.raises(BackupError) as caught:
        yard.take()

    assert [Code.PROGRAM_MISSING] == codes(caught)
    assert "postgresql-client" in str(caught.value)


@pytest.mark.passes("damaged-copy-undeleted")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_its_disk_does_not_give_is_missing(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector under one file is no full disk: all others are in the backup."""
    yard.work("one")
    yard.work("two")

    def fails(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    bad = yard.store.path(sha256(yard.files[0]))
    real = files.opened

    def opened(path: Path) -> Any:
        return Sector(path) if path == bad else real(path)

    monkeypatch.setattr(files, "opened", opened)
    monkeypatch.setattr(os, "copy_file_range", fails)
    taken = yard.take()
    monkeypatch.undo()

    assert [sha256(yard.files[0])] == taken.missing
    assert [] == yard.faults(taken.path)


class Sector(io.FileIO):
    """A file that can be opened, and not read."""

    def read(self, *_: Any) -> Any:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_lock_that_leads_elsewhere_is_not_followed(yard: Any, tmp_path: Path) -> None:
    """In a folder that others write to nobody has us make or open a file elsewhere."""
    yard.place.folder.mkdir()
    (yard.place.folder / ".lock").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="symbolic link"):
        yard.take()

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_of_somebody_else_are_copied(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to the folder has us link nothing that he could change later."""
    yard.work("one")
    yard.take()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    second = yard.take()

    assert (1, 0) == (second.copied, second.reused)


def test_no_password_is_among_the_words_of_a_command() -> None:
    """Everybody on a machine may read how its programs were called."""
    url = sa.make_url("postgresql+psycopg://me:secret%20word@db:5433/office?sslmode=require")
    info, password = _connection(url)

    assert "secret word" == password
    assert "secret" not in info
    assert "host=db" in info
    assert "sslmode=require" in info


def test_attachments_lie_by_their_digest(yard: Any) -> None:
    """Where a file lies in a backup follows from what it is."""
    yard.work("one")
    taken = yard.take()
    name = sha256(yard.files[0])

    assert taken.path / ATTACHMENTS / name[:2] / name == attachment_path(taken.path, name)
    assert yard.files[0] == attachment_path(taken.path, name).read_bytes()
