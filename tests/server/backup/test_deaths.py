"""The process dies at every fault point of a backup and of a restore (R21, R26)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fault_points import ROOT, fault_points
from fieldpost.errors import DefinitionError
from fieldpost_server.authoring.model_fit import unready
from fieldpost_server.restore.timelines import present_timeline
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

pytestmark = pytest.mark.long

DEAD = 99
ROOM = "server/fieldpost_server/backup/"
OURS = {point.name for point in fault_points() if point.path.startswith(ROOM)}
OURS |= {"timeline-without-borders", "names-unsynced"}
OFTEN = {"names-unsynced", "backup-text-unsynced"}
IN_A_BACKUP = {
    "attachments-copied",
    "backup-begun",
    "names-unsynced",
    "backup-named",
    "backup-part-unsynced",
    "backup-text-unsynced",
    "backup-unnamed",
    "backups-locked",
    "database-copied",
    "old-backup-undeleted",
    "parts-without-manifest",
    "point-without-files",
}
"""Of every backup; others are passed where something failed before."""

IN_A_RESTORE = {
    "backup-part-unsynced",
    "restored-file-unplaced",
    "restored-without-timeline",
    "timeline-without-borders",
}
WANTED = {
    "sqlite": {"restored-unnamed", "restoring-copy-left"},
    "postgresql": {"dump-half-loaded", "restore-marked"},
}
IN_A_REPLACEMENT = {"former-database-locked", "half-aside", "restored-unnamed"}


class Mortal:
    """Runs `fieldpost` in processes that may die."""

    def __init__(self, process: "subprocess.Popen[str]", yard: Any) -> None:
        self.process = process
        self.yard = yard

    def ask(self, settings: Any, *words: str, point: str = "", hit: int = 1) -> dict[str, Any]:
        options = ["--app", settings.app, "--data", str(settings.data)]
        told = {"words": [*options, "--database", settings.database, *words]}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({**told, "point": point, "hit": hit}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture
def mortal(yard: Any) -> Iterator[Mortal]:
    """A process that runs commands in processes of their own."""
    paths = [ROOT / "tests", *(ROOT / part for part in ("shared", "server", "pwa/py", "examples"))]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "FIELDPOST_POSTGRES_BIN": yard.programs.folder,
    }
    words = [sys.executable, str(Path(__file__).with_name("dying.py"))]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Mortal(process, yard)
        process.stdin and process.stdin.close()


def test_a_death_while_a_backup_is_taken(yard: Any, mortal: Mortal) -> None:
    """At whichever point: all backups that are there are whole, and the next one is taken."""
    settings, place = yard.office.settings, str(yard.place.folder)
    yard.work("one")
    yard.take()
    yard.work("two")
    yard.take()
    words = ("backup", place, "--keep", "2")
    yard.work("three")
    first = mortal.ask(settings, *words)
    points = OURS & {*first["passed"]}

    assert 0 == first["status"]
    assert IN_A_BACKUP <= {*points}
    assert yard.kind == "sqlite" or "snapshot-exported" in points
    for point in sorted(points):
        yard.work(point)
        # where a point is passed several times, another time of them with each run
        hit = len(yard.files) % 2 + 1 if point in OFTEN else 1
        assert DEAD == mortal.ask(settings, *words, point=point, hit=hit)["status"], point
        there = yard.place.backups()
        assert 2 <= len(there) <= 3, point
        assert [] == [words for each in there for words in yard.faults(each.path)], point
        assert 0 == mortal.ask(settings, *words)["status"], point
        there = yard.place.backups()
        assert 2 == len(there), point
        assert [] == list(yard.place.folder.glob(".unfinished-*")), point
    assert [] == yard.faults(there[0].path)
    assert len(yard.files) == there[0].manifest.attachment_count


@pytest.mark.parametrize(
    ("database_url", "replace"),
    [
        ("sqlite", False),
        ("sqlite", True),
        pytest.param("postgresql", False, marks=pytest.mark.postgresql),
    ],
    indirect=["database_url"],
)
def test_a_death_while_a_backup_is_put_back(
    yard: Any, mortal: Mortal, serve: Callable[..., Any], *, replace: bool
) -> None:
    """At whichever point: nobody is served the backup's timeline, and it can be done again."""
    yard.work("one")
    yard.work("two")
    taken = yard.take()
    words = ("restore", str(taken.path), *(["--replace"] if replace else []))

    def target() -> Any:
        settings = yard.empty()
        if replace:
            yard.restore(taken.path, settings)
            shutil.rmtree(settings.attachments)
        return settings

    first = mortal.ask(target(), *words)
    points = OURS & {*first["passed"]}
    assert 0 == first["status"]
    assert IN_A_RESTORE <= {*points}
    assert (IN_A_REPLACEMENT if replace else WANTED[yard.kind]) <= {*points}
    for point in sorted(points):
        settings = target()
        assert DEAD == mortal.ask(settings, *words, point=point)["status"], point
        timelines = served(yard, settings)
        assert taken.manifest.timeline not in timelines, point
        again = mortal.ask(settings, *words)
        if again["status"]:
            assert yard.kind == "postgresql" or timelines, point
            continue
        other = serve(settings)
        assert 2 == len(other.rows(sa.select(tables.envelope.c.id))), point
        other.close()
    assert [] == yard.faults(taken.path)


def served(yard: Any, settings: Any) -> set[str]:
    """Return the timeline that a server would serve; none where it would serve nothing."""
    url = sa.make_url(settings.database_url)
    if yard.kind == "sqlite" and not Path(str(url.database)).exists():
        return set()
    with closing(Database(settings.database_url)) as database:
        try:
            unready(database, yard.office.home.app)
        except DefinitionError:
            return set()
        with database.read_session() as session:
            return {present_timeline(session)}
