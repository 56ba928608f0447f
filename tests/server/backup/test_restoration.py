"""Putting a backup back: into an empty place only, on a new timeline, with nobody signed in."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import depot
from fieldpost.errors import Code, DefinitionError
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost_server.accounts.invitations import invite
from fieldpost_server.authoring.model_fit import unready
from fieldpost_server.backup import files, restoration
from fieldpost_server.backup.faults import BackupError
from fieldpost_server.backup.programs import Programs
from fieldpost_server.backup.restoration import Restoration
from fieldpost_server.backup.verification import verify
from fieldpost_server.factors import authenticators, recovery_codes
from fieldpost_server.factors.half_sign_ins import enter
from fieldpost_server.feed.changes import prune_changes, read_changes
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.providers.openid import Question
from fieldpost_server.providers.questions import keep_question
from fieldpost_server.restore.timelines import present_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.tables import utc_now
from postgresql import Cluster, running

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def codes(caught: pytest.ExceptionInfo[BackupError]) -> list[Code]:
    return [each.code for each in caught.value.problems]


def file_of(settings: Any) -> Path:
    return Path(str(sa.make_url(settings.database_url).database))


def test_a_new_timeline_begins(yard: Any, serve: Callable[..., Any]) -> None:
    """No work of devices takes a record that is made from now on for another (R26)."""
    yard.work("one")
    taken = yard.take()
    settings = yard.empty()
    restored = yard.restore(taken.path, settings)
    other = serve(settings)
    with other.database.read_session() as session:
        present = present_timeline(session)
    query = sa.select(tables.history.c.id).order_by(tables.history.c.number)
    ids = [row[0] for row in other.rows(query)]
    marks = dict(other.rows(sa.select(tables.border.c.table_name, tables.border.c.key)))

    assert restored.timeline == present != taken.manifest.timeline
    assert [taken.manifest.timeline, present] == ids
    assert 1 <= marks["visit"]
    told = other.rows(sa.select(tables.security_event.c.what, tables.security_event.c.address))
    assert ("database restored", "command line") == told[-1]


def test_nobody_is_signed_in_by_a_backup(yard: Any, serve: Callable[..., Any]) -> None:
    """A session or an invitation that has ended since does not live again (R49, R52)."""
    client = yard.office.client("dora")
    code = yard.office.write(lambda session: invite(session, "bert", timedelta(hours=99)))
    assert 200 == client.get("/pages/visit").status_code
    taken = yard.take()
    settings = yard.empty()
    yard.restore(taken.path, settings)
    other = serve(settings)
    again = other.client()
    again.cookies.update(client.cookies)

    assert code
    assert 303 == again.get("/pages/visit").status_code
    assert [] == other.rows(sa.select(tables.session.c.token_sha256))
    assert [] == other.rows(sa.select(tables.invitation.c.user))


def test_what_was_used_since_lets_nobody_in_again(yard: Any, serve: Callable[..., Any]) -> None:
    """Recovery codes, codes of the moment and begun sign-ins of a backup are void (R49, R52)."""
    now = utc_now()

    def begin(session: Session) -> tuple[str, list[str]]:
        identity, text = authenticators.propose(session, "dora", None)
        first = pyotp.TOTP(text).at(now)
        assert authenticators.confirm(session, "dora", identity, first, "Phone", None)
        authenticators.propose(session, "dora", None)
        assert enter(session, User("dora"), "x", yard.office.settings, "", "127.0.0.1").half
        asked = Question("http://provider", "state", "nonce", "verifier")
        keep_question(session, asked, "/", "")
        return text, recovery_codes.make_codes(session, "dora")

    text, made = yard.office.write(begin)
    taken = yard.take()
    # used after the backup, which knows nothing of it
    assert yard.office.write(lambda session: recovery_codes.use_code(session, "dora", made[0]))
    settings = yard.empty()
    restored = yard.restore(taken.path, settings)
    other = serve(settings)

    for code in made:
        assert not other.write(lambda session, c=code: recovery_codes.use_code(session, "dora", c))
    shown = []
    for seconds in (-30, 0, 30, 90):
        at = utc_now() + timedelta(seconds=seconds)
        code = pyotp.TOTP(text).at(at)
        shown.append(
            other.write(lambda s, c=code, a=at: authenticators.shows_code(s, "dora", c, None, a))
        )
    assert [False, False, False, True] == shown
    for table in (tables.half_sign_in, tables.challenge, tables.provider_question):
        assert [] == other.rows(sa.select(table))
    assert [(True,)] == other.rows(sa.select(tables.authenticator.c.confirmed))
    told = "\n".join(restored.words())
    assert "Recovery codes of 1 are void now (dora)" in told
    assert "recovery codes are void" in told


def test_a_device_goes_on_at_the_restored_office(yard: Any, serve: Callable[..., Any]) -> None:
    """Changes reach devices of the new timeline, and counters go on where they were."""
    yard.work("one")
    settings = yard.empty()
    yard.restore(yard.take().path, settings)
    other = serve(settings)
    device = other.device("anna")
    other.run(sa.update(tables.meta).where(tables.meta.c.name == "x").values(value="y"))
    new = {"patient_id": _patient(other), "visited_on": "2026-11-24", "kind": "first"}
    insert = Operation("insert", "visit", (-1,), {**new, "nurse": "anna"})
    (receipt,) = device.push(device.envelope(insert))
    pulled = device.pull()

    assert "accepted" == receipt["outcome"], receipt
    assert not pulled.get("reset")
    assert ["2026-11-24"] == [row["visited_on"] for row in pulled["put"]["visit"]]
    keys = [key for (key,) in other.rows(sa.text("SELECT id FROM visit ORDER BY id"))]
    assert len(keys) == len({*keys})


def _patient(office: Any) -> str:
    (row,) = office.rows(sa.text("SELECT patient_id FROM visit ORDER BY id DESC LIMIT 1"))
    text = str(row[0]).replace("-", "")
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def test_what_is_there_is_not_written_over(yard: Any) -> None:
    """A target with anything in it is refused, and is as it was (R65)."""
    taken = yard.take()
    settings = yard.empty()
    yard.restore(taken.path, settings)
    with pytest.raises(BackupError) as caught:
        yard.restore(taken.path, settings)

    assert [Code.RESTORE_TARGET] == codes(caught)


@POSTGRESQL
@pytest.mark.postgresql
@pytest.mark.parametrize("sql", ["CREATE TABLE x ()", "CREATE VIEW x AS SELECT 1", "other schema"])
def test_a_database_with_anything_of_anybody_is_refused(yard: Any, sql: str) -> None:
    """Also with `replace`: a database of PostgreSQL is never emptied by us."""
    settings = yard.empty()
    if sql == "other schema":
        sql = "CREATE SCHEMA y; CREATE TABLE y.x ()"
    with closing(Database(settings.database_url)) as database, database.engine.begin() as there:
        there.exec_driver_sql(sql)
    with pytest.raises(BackupError) as caught:
        yard.restore(yard.take().path, settings, replace=True)

    assert [Code.RESTORE_TARGET] == codes(caught)
    assert "createdb" in str(caught.value)


@pytest.mark.long
@pytest.mark.passes("half-aside", "restored-file-unplaced")
@SQLITE
@pytest.mark.parametrize("state", ["whole", "damaged", "log alone"])
def test_a_database_is_put_aside_when_that_is_said(
    yard: Any, serve: Callable[..., Any], state: str
) -> None:
    """`--replace` deletes nothing, and no log of the former database is played into the new one."""
    yard.work("one")
    taken = yard.take()
    settings = yard.empty()
    yard.restore(taken.path, settings)
    file = file_of(settings)
    log = file.with_name(file.name + "-wal")
    if state == "whole":
        former = serve(settings)
        former.run(sa.insert(tables.page_setting).values(page="former", offline=True))
        former.close()
    elif state == "damaged":
        file.write_bytes(b"\xff" * 10_000)
        log.write_bytes(b"log of something else")
    else:
        file.unlink()
        log.write_bytes(b"log of something else")
    with pytest.raises(BackupError):
        yard.restore(taken.path, settings)
    restored = yard.restore(taken.path, settings, replace=True)
    aside = restored.aside
    assert aside is not None

    assert [] == serve(settings).rows(sa.select(tables.page_setting))
    assert not log.exists() or b"something else" not in log.read_bytes()
    if state == "whole":
        with closing(sqlite3.connect(aside)) as kept:
            query = "SELECT page FROM fieldpost_page_setting"
            assert [("former",)] == kept.execute(query).fetchall()
    else:
        assert b"log of something else" == aside.with_name(aside.name + "-wal").read_bytes()


@SQLITE
def test_a_name_that_was_taken_meanwhile_is_not_written_over(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two restores into one place at the same time: one of them is told so."""
    taken = yard.take()
    settings = yard.empty()
    begin = Restoration._begin

    def slow(self: Restoration, database: Database) -> Any:
        begun = begin(self, database)
        file_of(settings).write_text("of somebody else")
        return begun

    monkeypatch.setattr(Restoration, "_begin", slow)
    with pytest.raises(BackupError) as caught:
        yard.restore(taken.path, settings)

    assert [Code.RESTORE_TARGET] == codes(caught)
    assert "of somebody else" == file_of(settings).read_text()


@pytest.mark.passes(
    "attachments-copied",
    "backup-begun",
    "names-unsynced",
    "backup-named",
    "backup-text-unsynced",
    "backup-unnamed",
    "backups-locked",
    "database-copied",
    "parts-without-manifest",
    "point-without-files",
    "store-locked",
)
@SQLITE
def test_nothing_is_put_back_into_memory(yard: Any) -> None:
    """It would be gone with the command, and must not become a file of that name."""
    found = verify(yard.take().path, yard.programs)
    for url in ("sqlite://", "sqlite:///:memory:"):
        settings = replace(yard.empty(), database=url)
        with pytest.raises(BackupError) as caught:
            Restoration(settings, yard.office.home.app, found, yard.programs).restore()
        assert [Code.DATABASE_URL] == codes(caught)


@pytest.mark.passes(
    "backup-part-unsynced",
    "former-database-locked",
    "restored-unnamed",
    "restored-without-timeline",
    "restoring-copy-left",
)
@SQLITE
def test_a_database_that_is_in_use_is_not_put_aside(yard: Any) -> None:
    """A server that runs would go on writing into a file that nobody looks at."""
    taken = yard.take()
    settings = yard.empty()
    yard.restore(taken.path, settings)
    words = [sys.executable, "-c", HOLDS, str(file_of(settings))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert b"open\n" == server.stdout.readline()
        with pytest.raises(BackupError) as caught:
            yard.restore(taken.path, settings, replace=True)
        server.communicate(b"\n")

    assert [Code.RESTORE_TARGET] == codes(caught)
    assert "Stop the server" in str(caught.value)
    assert [file_of(settings).name] == [
        p.name for p in file_of(settings).parent.glob("*office*") if not p.name.endswith(_SIDES)
    ]


@pytest.mark.passes("restored-renamed")
@SQLITE
def test_a_file_system_without_links_will_do(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick for the archive gets the database too, under its name and whole."""
    taken = yard.take()
    settings = yard.empty()

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    yard.restore(taken.path, settings)

    with closing(sqlite3.connect(file_of(settings))) as restored:
        assert [("ok",)] == restored.execute("PRAGMA integrity_check").fetchall()
    assert [] == list(file_of(settings).parent.glob("*half*"))


FALSE = Programs()
HOLDS = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1])
held.execute("SELECT count(*) FROM fieldpost_history").fetchone()
print("open", flush=True)
sys.stdin.readline()
"""
_SIDES = ("-wal", "-shm")


def test_a_backup_of_another_app_or_database_is_refused(yard: Any) -> None:
    """What does not belong here is told before anything is written."""
    taken = yard.take()
    settings = yard.empty()
    other = "postgresql:///x" if yard.kind == "sqlite" else "sqlite:///x"
    with pytest.raises(BackupError) as of_kind:
        yard.restore(taken.path, replace(settings, database=other))
    found = verify(taken.path, yard.programs)
    with pytest.raises(BackupError) as of_app:
        Restoration(settings, depot.app, found, yard.programs)

    assert [Code.BACKUP_UNFIT] == codes(of_kind) == codes(of_app)
    assert not settings.data.exists()


def test_files_that_are_there_already_are_kept(yard: Any, serve: Callable[..., Any]) -> None:
    """The folder of files may have outlived the database; wrong ones are put right."""
    for words in ("one", "two", "three"):
        yard.work(words)
    taken = yard.take()
    settings = yard.empty()
    shutil.copytree(yard.office.settings.attachments, settings.attachments)
    spoiled, lost, *_ = sorted(p for p in settings.attachments.rglob("??/*") if p.is_file())
    spoiled.write_bytes(b"spoiled")
    lost.unlink()
    restored = yard.restore(taken.path, settings)

    assert (2, 1) == (restored.put, restored.there)
    found = {p.name: p.read_bytes() for p in settings.attachments.rglob("??/*") if p.is_file()}
    assert sorted(yard.files) == sorted(found.values())
    assert serve(settings).health()["ok"]


def test_what_changes_between_look_and_copy_is_not_put_back(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is compared once more as it is copied."""
    yard.work("one")
    taken = yard.take()
    settings = yard.empty()
    real = files.copied

    def changed(source: Path, target: Path) -> Any:
        if "attachments" in source.parts:
            source.write_bytes(b"changed meanwhile")
        return real(source, target)

    monkeypatch.setattr(restoration, "copied", changed)
    with pytest.raises(BackupError) as caught:
        yard.restore(taken.path, settings)

    assert [Code.BACKUP_DAMAGED] == codes(caught)
    left = [p for p in settings.attachments.rglob("*") if p.is_file()]
    assert [] == left
    if yard.kind == "sqlite":
        assert not file_of(settings).exists()


@pytest.mark.passes("dump-half-loaded", "restore-marked")
@POSTGRESQL
@pytest.mark.postgresql
def test_a_database_that_was_half_restored_is_not_served(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows on the timeline of the backup are served to nobody; the words say what to do."""
    taken = yard.take()
    settings = yard.empty()

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoration.Restoration, "_begin", dies)
        with pytest.raises(KeyboardInterrupt):
            yard.restore(taken.path, settings)
    with closing(Database(settings.database_url)) as database:
        app = yard.office.home.app
        with pytest.raises(DefinitionError) as caught:
            unready(database, app)
    with pytest.raises(BackupError) as again:
        yard.restore(taken.path, settings)

    assert [Code.HALF_RESTORED] == [each.code for each in caught.value.problems] == codes(again)


@pytest.mark.passes("restore-failed-marked")
@POSTGRESQL
@pytest.mark.postgresql
def test_a_load_that_fails_leaves_an_empty_database(
    yard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure the same database can be tried again."""
    taken = yard.take()
    settings = yard.empty()
    restore = Restoration(settings, yard.office.home.app, verify(taken.path, yard.programs), FALSE)
    monkeypatch.setattr(FALSE, "find", lambda _: Path("/bin/false"))
    with pytest.raises(BackupError) as caught:
        restore.restore()

    assert [Code.RESTORE_FAILED] == codes(caught)
    assert yard.restore(taken.path, settings).timeline


@pytest.fixture
def young_cluster(find_part: Callable[[str], Path]) -> Iterator[Cluster]:
    """A cluster that has counted fewer transactions than the one of the other tests."""
    with running(find_part("postgres")) as cluster:
        yield cluster


@POSTGRESQL
@pytest.mark.postgresql
@pytest.mark.long
def test_a_younger_server_goes_on_with_the_feed(
    yard: Any, serve: Callable[..., Any], young_cluster: Cluster
) -> None:
    """Transaction ids of the former server mean nothing to the new: nothing is skipped (R45)."""
    with closing(psycopg.connect(_plain(yard.office.settings.database), autocommit=True)) as old:
        for _ in range(5000):
            old.execute("SELECT pg_current_xact_id()")
    yard.work("one")
    future = utc_now() + timedelta(days=1)
    yard.office.write(lambda s: prune_changes(s, older_than=future, at_least=0))
    yard.work("two")
    settings = replace(yard.empty(), database=young_cluster.create("restored"))
    yard.restore(yard.take().path, settings)
    other = serve(settings)
    watched = captured_tables(other.home.app)
    with other.database.read_session() as session:
        before = current_moment(session)
    other.run(sa.text("UPDATE visit SET nurse = 'bert'"))
    with other.database.read_session() as session:
        changes = read_changes(session, Cursor(before.timeline, before.position), watched)

    assert before.oldest <= before.position
    assert not changes.reset
    assert 2 <= len(changes.changed["visit"])
    device = other.device("anna")
    assert not device.pull().get("reset")


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")
