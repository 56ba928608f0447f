"""The commands `fieldpost backup` and `fieldpost restore`: words, JSON and status."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from fieldpost_server.cli.main import main

RUN = "import sys; from fieldpost_server.cli.main import main; sys.exit(main(sys.argv[1:]))"
Fieldpost = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an app that is installed."""
    folder = tmp_path / "data"
    assert 0 == main(["--app", "apps.clinic:app", "--data", str(folder), "db", "install"])
    return folder


@pytest.fixture
def fieldpost(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Fieldpost:
    """Return what runs a command, and returns status, output and faults."""
    monkeypatch.delenv("FIELDPOST_DATABASE", raising=False)
    capsys.readouterr()

    def run(*words: str, into: Path = data, app: str = "apps.clinic:app") -> tuple[int, str, str]:
        status = main(["--app", app, "--data", str(into), *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_script_reads_what_was_done(fieldpost: Fieldpost, tmp_path: Path) -> None:
    """With `--json` each command prints one object, and its status says whether all is well."""
    place = str(tmp_path / "place")
    status, said, _ = fieldpost("backup", place, "--json")
    taken = json.loads(said)
    verified = json.loads(fieldpost("restore", place, "--verify", "--json")[1])
    restored = json.loads(fieldpost("restore", place, "--json", into=tmp_path / "new")[1])

    assert 0 == status
    assert verified["ok"]
    assert taken["backup"] == verified["backup"]
    assert taken["digest"] == verified["digest"]
    assert taken["moment"] == restored["moment"]
    assert taken["timeline"] != restored["timeline"]


def test_what_cannot_be_done_is_said(
    fieldpost: Fieldpost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No place, no backup, another digest, another app, a target that is not empty (R61)."""
    place = tmp_path / "place"
    monkeypatch.delenv("FIELDPOST_BACKUP", raising=False)
    assert "No place for backups is named" in fieldpost("backup")[2]
    assert "no folder with one that is whole" in fieldpost("restore", str(place))[2]
    assert 0 == fieldpost("backup", str(place))[0]
    assert "another one than you want" in fieldpost("restore", str(place), "--digest", "x")[2]
    assert "is there already" in fieldpost("restore", str(place))[2]
    other = fieldpost("restore", str(place), into=tmp_path / "new", app="apps.depot:app")
    assert "of the app 'clinic'" in other[2]
    assert 1 == other[0]
    assert not (tmp_path / "new").exists()


def test_damage_is_said_with_its_status(fieldpost: Fieldpost, tmp_path: Path) -> None:
    """What is wrong stands on standard error, in words and as JSON."""
    place = tmp_path / "place"
    fieldpost("backup", str(place))
    (backup,) = place.glob("fieldpost-*")
    (backup / "more").write_text("x")
    status, said, faults = fieldpost("restore", str(backup), "--verify", "--json")

    assert (1, False) == (status, json.loads(said)["ok"])
    assert "'more' is no part of it" in faults
    assert 1 == fieldpost("restore", str(backup), into=tmp_path / "new")[0]


def test_the_place_of_the_settings_is_taken(
    fieldpost: Fieldpost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer's line needs no more than `fieldpost backup --keep`."""
    monkeypatch.setenv("FIELDPOST_BACKUP", str(tmp_path / "place"))
    for _ in range(3):
        assert 0 == fieldpost("backup", "--keep", "2")[0]

    assert 2 == len(list((tmp_path / "place").glob("fieldpost-*")))
    with pytest.raises(SystemExit):
        fieldpost("backup", "--keep", "0")


def test_only_the_files_are_put_back(fieldpost: Fieldpost, data: Path, tmp_path: Path) -> None:
    """Beside a database that came back in another way."""
    place = str(tmp_path / "place")
    fieldpost("backup", place)
    before = (data / "fieldpost.sqlite3").read_bytes()
    status, said, _ = fieldpost("restore", place, "--files")

    assert (0, "0 attachments were put back, 0 were there.\n") == (status, said)
    assert before == (data / "fieldpost.sqlite3").read_bytes()


def test_files_that_the_office_lacks_have_a_status_of_their_own(
    fieldpost: Fieldpost, data: Path, tmp_path: Path
) -> None:
    """A timer tells it from a backup that was not taken, and from a mistyped command."""
    with closing(sqlite3.connect(data / "fieldpost.sqlite3")) as connection:
        lost = "INSERT INTO fieldpost_attachment VALUES (?, 5, 'text/plain', 'x', 1, 'anna', ?)"
        connection.execute(lost, ("0" * 64, "2026-11-26 00:00:00.000000"))
        connection.commit()
    status, said, faults = fieldpost("backup", str(tmp_path / "place"), "--json")

    assert (3, ["0" * 64]) == (status, json.loads(said)["missing"])
    assert "The backup was taken, and 1 attachments are not in it" in faults
    assert 0 == fieldpost("restore", str(tmp_path / "place"), "--verify")[0]


@pytest.mark.long
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_harms_nothing(
    fieldpost: Fieldpost, data: Path, tmp_path: Path, command: str
) -> None:
    """Wherever the disk is full, it is said, nothing half is left, and what was there is whole."""
    place = tmp_path / "place"
    assert 0 == fieldpost("backup", str(place))[0]
    former = sorted(p.name for p in place.iterdir())
    into = data if command == "backup" else tmp_path / "new"

    for limit in (0, 4096, 100_000):
        # as a full disk: every write beyond it fails
        little = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        words = ["--app", "apps.clinic:app", "--data", str(into), command, str(place)]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            preexec_fn=little,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 1 == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.strip()
        assert former == sorted(p.name for p in place.iterdir())
        assert not (into / "fieldpost.sqlite3").exists() or command == "backup"
        assert [] == list(into.glob(".*restoring*"))
    assert 0 == fieldpost("restore", str(place), "--verify")[0]
    assert 0 == fieldpost("restore", str(place), into=tmp_path / "last")[0]
