"""Verification: whatever became of a backup, `restore --verify` says it, and nothing is restored.

Every part is flipped, cut, lengthened, emptied, deleted, exchanged and led astray (R21).
"""

import hashlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpost.errors import Code
from fieldpost.text.canonical import digest
from fieldpost_server.backup import verification
from fieldpost_server.backup.faults import BackupError
from fieldpost_server.backup.manifest import ATTACHMENTS, LIST, MANIFEST
from fieldpost_server.backup.place import looked_at

PARTS = ("manifest", "database", "list", "first attachment", "last attachment")
Damage = Callable[[Path, Path, random.Random], None]


def flip(part: Path, _: Path, rng: random.Random) -> None:
    content = bytearray(part.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    part.write_bytes(content)


def cut(part: Path, _: Path, rng: random.Random) -> None:
    os.truncate(part, rng.randrange(part.stat().st_size))


def lengthen(part: Path, _: Path, rng: random.Random) -> None:
    with part.open("ab") as file:
        file.write(rng.randbytes(rng.randint(1, 5000)))


def space(part: Path, _: Path, rng: random.Random) -> None:
    content = part.read_bytes()
    place = rng.randrange(len(content) + 1)
    part.write_bytes(content[:place] + b" " + content[place:])


def empty(part: Path, _: Path, __: random.Random) -> None:
    part.write_bytes(b"")


def delete(part: Path, _: Path, __: random.Random) -> None:
    part.unlink()


def swap(part: Path, other: Path, _: random.Random) -> None:
    """Put the same part of another backup of this office in its place."""
    part.write_bytes(other.read_bytes())


def mingle(part: Path, other: Path, rng: random.Random) -> None:
    """Put any other file of the other backup in its place."""
    backup = next(folder for folder in other.parents if (folder / MANIFEST).exists())
    files = [p for p in backup.rglob("*") if p.is_file() and p.name != part.name]
    part.write_bytes(rng.choice(sorted(files)).read_bytes())


def link(part: Path, _: Path, __: random.Random) -> None:
    """Lead to the right bytes, which are not in the backup."""
    elsewhere = part.with_name(part.name + ".real")
    aside = part.parents[3] / elsewhere.name
    shutil.move(part, aside)
    part.symlink_to(aside)


def pipe(part: Path, _: Path, __: random.Random) -> None:
    part.unlink()
    os.mkfifo(part)


def folder(part: Path, _: Path, __: random.Random) -> None:
    part.unlink()
    part.mkdir()


DAMAGES = (flip, cut, lengthen, space, empty, delete, swap, mingle, link, pipe, folder)


def parts_of(backup: Path, kind: str) -> dict[str, Path]:
    database = "database.sqlite3" if kind == "sqlite" else "database.dump"
    files = sorted(p for p in (backup / ATTACHMENTS).rglob("*") if p.is_file())
    named = (backup / MANIFEST, backup / database, backup / LIST, files[0], files[-1])
    return dict(zip(PARTS, named, strict=True))


@pytest.mark.long
def test_damage_of_every_kind_to_every_part_is_found(yard: Any, tmp_path: Path) -> None:
    """Each part in each way, with five seeds; what is damaged is not put back either."""
    yard.work("one")
    yard.work("two")
    good = yard.take().path
    yard.work("three")
    other = yard.take().path
    target = yard.empty()
    not_found = []
    for damage in DAMAGES:
        for name in PARTS:
            for seed in range(5 if damage in (flip, cut, space) else 1):
                copy = tmp_path / "tried" / "copies" / "backup"
                shutil.copytree(good, copy)
                part, foreign = parts_of(copy, yard.kind)[name], parts_of(other, yard.kind)[name]
                if damage is swap and part.read_bytes() == foreign.read_bytes():
                    foreign = parts_of(other, yard.kind)["list"]
                damage(part, foreign, random.Random(f"{name}{seed}"))
                if not yard.faults(copy):
                    not_found.append((damage.__name__, name, seed))
                with pytest.raises(BackupError):
                    yard.restore(copy, target)
                shutil.rmtree(tmp_path / "tried")

    assert [] == not_found
    assert [] == yard.faults(good)
    assert not target.data.exists()


@pytest.mark.long
@pytest.mark.parametrize(
    "place", ["", ATTACHMENTS, f"{ATTACHMENTS}/zz", f"{ATTACHMENTS}/00", f"{ATTACHMENTS}/00/00"]
)
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_no_part_is_found(yard: Any, place: str, kind: str) -> None:
    """Nothing can be hidden in a backup, nor hang from it."""
    yard.work("one")
    backup = yard.take().path
    at = backup / place
    at.mkdir(parents=True, exist_ok=True)
    added = at / ("0" * 64)
    if kind == "file":
        added.write_text("more")
    elif kind == "link":
        added.symlink_to("/etc")
    else:
        added.mkdir()

    assert any("is no part of it" in words for words in yard.faults(backup))


def test_a_folder_of_files_that_leads_elsewhere_is_found(yard: Any, tmp_path: Path) -> None:
    """The files are right, and are not in the backup: it would not be whole elsewhere."""
    yard.work("one")
    backup = yard.take().path
    shutil.move(backup / ATTACHMENTS, tmp_path / "moved")
    (backup / ATTACHMENTS).symlink_to(tmp_path / "moved")

    assert any("is no part of it" in words for words in yard.faults(backup))


def forge(backup: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a manifest says, and seal it again, as somebody would who knows how."""
    file = backup / MANIFEST
    told = json.loads(file.read_text())
    change(told)
    told["digest"] = digest({name: value for name, value in told.items() if name != "digest"})
    file.write_text(json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


FORGERIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "no part": lambda told: told["parts"].pop("database"),
    "a part more": lambda told: told["parts"].update(more={"size": 0, "sha256": "0" * 64}),
    "a path": lambda told: told["parts"]["database"].update(path="/etc/passwd"),
    "a path for a digest": lambda told: told["parts"]["database"].update(sha256="../" * 21 + "x"),
    "a path for a kind": lambda told: told.update(kind="../../../etc/passwd"),
    "a list for a kind": lambda told: told.update(kind=[]),
    "a negative size": lambda told: told["parts"]["database"].update(size=-1),
    "true for a size": lambda told: told["parts"]["attachments"].update(size=True),
    "an endless size": lambda told: told["parts"]["database"].update(size=2**80),
    "text for rows": lambda told: told.update(rows="many"),
    "other rows": lambda told: told["rows"].update(visit=99),
    "other counts": lambda told: told.update(attachment_count=9),
    "another timeline": lambda told: told.update(timeline="f" * 32),
    "a moment of nowhere": lambda told: told.update(moment="2026-11-26T00:00:00"),
    "no moment": lambda told: told.update(moment="yesterday"),
    "a later format": lambda told: told.update(format=2),
    "true for a format": lambda told: told.update(format=True),
    "half a character": lambda told: told.update(app="\ud800"),
    "too much": lambda told: told.update(app="x" * (1 << 21)),
}


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_manifest_is_refused(yard: Any, forgery: str) -> None:
    """Sealed or not: it leads nowhere, asks for nothing endless, and has to be true."""
    yard.work("one")
    backup = yard.take().path
    if forgery == "half a character":
        text = (backup / MANIFEST).read_text()
        (backup / MANIFEST).write_text(text.replace('"clinic"', '"\\ud800"'))
    else:
        forge(backup, FORGERIES[forgery])

    assert yard.faults(backup), forgery
    with pytest.raises(BackupError):
        yard.restore(backup, yard.empty())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        b"../../../../etc/passwd 5\n",
        b"../" * 21 + b"x 5\n",
        b"0" * 64 + b" 1",
        b"A" * 64 + b" 1\n",
        b"0" * 64 + b" -1\n",
        b"0" * 64 + b" 1\n" + b"0" * 64 + b" 1\n",
        b"1" * 64 + b" missing\n" + b"0" * 64 + b" missing\n",
        b"\x00" * 10_000,
    ],
)
def test_a_forged_list_is_refused(yard: Any, text: bytes) -> None:
    """A digest is a digest: no line of the list leads out of the folder of attachments."""
    backup = yard.take().path
    (backup / LIST).write_bytes(text)
    part = {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    forge(backup, lambda told: told["parts"].update(attachments=part))

    assert any(LIST in words for words in yard.faults(backup))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_that_the_rows_do_not_name_are_found(yard: Any) -> None:
    """A list that leaves something out is found out by the rows, though all digests are right."""
    yard.work("one")
    backup = yard.take().path
    shutil.rmtree(backup / ATTACHMENTS)
    (backup / ATTACHMENTS).mkdir()
    (backup / LIST).write_bytes(b"")
    part = {"size": 0, "sha256": hashlib.sha256(b"").hexdigest()}

    def change(told: dict[str, Any]) -> None:
        told["parts"]["attachments"] = part
        told.update(attachment_count=0, attachment_bytes=0)

    forge(backup, change)

    assert ["attachments.list does not hold the attachments that the rows name"] == yard.faults(
        backup
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_database_is_refused(yard: Any) -> None:
    """A file of the right digest that SQLite cannot read is no database."""
    backup = yard.take().path
    for content in (b"", b"SQLite format 3\x00" + b"\xff" * 5000, b"nothing" * 1000):
        (backup / "database.sqlite3").write_bytes(content)
        part = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        forge(backup, lambda told, part=part: told["parts"].update(database=part))  # type: ignore[misc]  # mypy knows no lambda with a default

        assert yard.faults(backup), content[:10]


@pytest.mark.long
def test_many_faults_are_counted(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All faults are found at once, the first are told, and how many more there are."""
    monkeypatch.setattr(verification, "MOST_TOLD", 2)
    for words in ("one", "two", "three"):
        yard.work(words)
    backup = yard.take().path
    for file in [p for p in (backup / ATTACHMENTS).rglob("*") if p.is_file()]:
        file.unlink()
    found = verification.verify(backup, yard.programs)

    assert 3 == len(found.faults)
    assert "and 1 more" in found.problems[-1].message
    assert {Code.BACKUP_DAMAGED} == {each.code for each in found.problems}


def test_what_looks_whole_is_not_more_than_a_look(yard: Any, tmp_path: Path) -> None:
    """A place lists what has a manifest and parts of the right size; a link is no backup."""
    backup = yard.take().path
    (tmp_path / "link").symlink_to(backup)

    assert looked_at(backup) is not None
    assert looked_at(tmp_path / "link") is None
    (backup / LIST).unlink()
    assert looked_at(backup) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "schema",
    [
        (
            "CREATE VIEW fieldpost_attachment AS WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS sha256, 1 AS complete FROM n"
        ),
        "CREATE VIRTUAL TABLE fieldpost_attachment USING fts5(sha256, complete)",
    ],
)
def test_what_a_hostile_schema_would_run_is_not_run(yard: Any, schema: str) -> None:
    """A table that is none is not asked: it might never answer."""
    backup = yard.take().path
    file = backup / "database.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("DROP TABLE fieldpost_attachment")
        connection.execute(schema)
        connection.commit()
    content = file.read_bytes()
    part = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    forge(backup, lambda told: told["parts"].update(database=part))

    assert ["database.sqlite3 has no tables fieldpost_attachment"] == yard.faults(backup)
