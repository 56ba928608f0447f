"""Verification: whether a backup is exactly what was taken, byte by byte."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.errors import Code, Problem, problem
from fieldpost_server.backup.files import opened, part_of, size_of
from fieldpost_server.backup.manifest import (
    ATTACHMENTS,
    DATABASES,
    LIST,
    MANIFEST,
    Manifest,
    NoManifestError,
    attachment_path,
    read_list,
    read_manifest,
)
from fieldpost_server.backup.point import reading, sqlite_faults
from fieldpost_server.backup.programs import Programs

MOST_TOLD = 20
"""Faults of one backup that are told."""

_REAL_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
)


@dataclass(slots=True)
class Verified:
    """What a look at every byte of a backup has found.

    Attributes:
        path: of the backup.
        manifest: what it says of itself; None where that cannot be read.
        sizes: the attachments by digest; None is one that the office itself did not have.
        faults: what is wrong, in words.
    """

    path: Path
    manifest: Manifest | None = None
    sizes: dict[str, int | None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """Return what is wrong, in the catalogue's words."""
        told = self.faults[:MOST_TOLD]
        if more := len(self.faults) - len(told):
            told.append(f"and {more} more")
        name = self.path.name
        return [problem(Code.BACKUP_DAMAGED, name, backup=name, cause=words) for words in told]

    def to_json(self) -> dict[str, Any]:
        """Return what a program wants to know."""
        told: dict[str, Any] = {"backup": str(self.path), "ok": not self.faults}
        if (manifest := self.manifest) is not None:
            told |= {
                "digest": manifest.digest,
                "app": manifest.app,
                "kind": manifest.kind,
                "moment": manifest.moment.isoformat(),
                "timeline": manifest.timeline,
                "attachments": manifest.attachment_count,
                "missing": manifest.missing,
                "needs_secret": manifest.needs_secret,
            }
        return {**told, "problems": [each.to_json() for each in self.problems]}

    def words(self) -> str:
        """Return in a sentence what is whole."""
        assert self.manifest is not None
        moment = self.manifest.moment.isoformat(timespec="seconds")
        return (
            f"{self.path} is whole: {sum(self.manifest.rows.values())} rows of {moment}, "
            f"{self.manifest.attachment_count} attachments, digest {self.manifest.digest}."
        )


def verify(folder: Path, programs: Programs) -> Verified:
    """Look at every byte of a backup, and change nothing."""
    found = Verified(folder)
    try:
        manifest = found.manifest = read_manifest(folder)
    except NoManifestError as error:
        found.faults.append(f"{MANIFEST}: {error}")
        return found
    except OSError:
        found.faults.append(f"{MANIFEST} is missing, or is no plain file")
        return found
    database = DATABASES[manifest.kind]
    found.faults += _faults_of(folder / database, manifest.database.size, manifest.database.sha256)
    if not found.faults:
        found.faults += _database_faults(folder / database, manifest, programs)
    listed = manifest.attachments
    if faults := list(_faults_of(folder / LIST, listed.size, listed.sha256)):
        found.faults += faults
        return found
    found.faults += _list_faults(folder, manifest, found.sizes)
    for sha256, size in found.sizes.items():
        if size is not None:
            found.faults += _faults_of(attachment_path(folder, sha256), size, sha256)
    if not found.faults and manifest.kind == "sqlite":
        found.faults += _row_faults(folder / database, manifest, found.sizes)
    found.faults += _foreign(folder, database, found.sizes)
    return found


def _faults_of(file: Path, size: int, sha256: str) -> Iterator[str]:
    there = size_of(file)
    if there is None:
        yield f"{file.name} is missing, or is no plain file"
    elif there != size:
        yield f"{file.name} has {there} bytes, not {size}"
    else:
        try:
            if part_of(file).sha256 != sha256:
                yield f"{file.name} was changed"
        except OSError as error:
            yield f"{file.name} cannot be read ({error.strerror or error})"


def _database_faults(file: Path, manifest: Manifest, programs: Programs) -> list[str]:
    if manifest.kind == "sqlite":
        return [f"{file.name}: {words}" for words in sqlite_faults(file)]
    with opened(file) as dump:
        words = programs.unreadable(dump)
    return [f"{file.name}: {words}"] if words else []


def _list_faults(folder: Path, manifest: Manifest, sizes: dict[str, int | None]) -> Iterator[str]:
    try:
        sizes.update(read_list(folder / LIST))
    except ValueError as error:
        yield f"{LIST}: {error}"
        return
    known = [size for size in sizes.values() if size is not None]
    told = manifest.attachment_count, manifest.attachment_bytes, manifest.missing
    if told != (len(known), sum(known), len(sizes) - len(known)):
        yield f"{LIST} does not hold what the manifest says"


def _row_faults(file: Path, manifest: Manifest, sizes: dict[str, int | None]) -> Iterator[str]:
    """Compare what the rows say with what lies beside them."""
    try:
        with reading(file) as connection:
            named = {"fieldpost_attachment", "fieldpost_meta", *manifest.rows}
            # a view may be anything, and take for ever
            real = connection.execute(_REAL_TABLES)
            if strange := named - {row[0] for row in real}:
                yield f"{file.name} has no tables {', '.join(sorted(strange)[:3])}"
                return
            whole = connection.execute("SELECT sha256 FROM fieldpost_attachment WHERE complete")
            if {row[0] for row in whole} != set(sizes):
                yield f"{LIST} does not hold the attachments that the rows name"
            history = "SELECT value FROM fieldpost_meta WHERE name = 'history'"
            if connection.execute(history).fetchone() != (manifest.timeline,):
                yield f"{file.name} is of another timeline than the manifest says"
            for table, count in manifest.rows.items():
                quoted = '"' + table.replace('"', '""') + '"'
                (there,) = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()  # noqa: S608 - quoted
                if there != count:
                    yield f"'{table}' has {there} rows, not {count}"
    except sqlite3.Error as error:
        yield f"{file.name}: {error}"


def _foreign(folder: Path, database: str, sizes: dict[str, int | None]) -> Iterator[str]:
    """Yield what lies in a backup and is no part of it; links lead nowhere."""
    files = {"": {MANIFEST, LIST, database}}
    for sha256, size in sizes.items():
        held = files.setdefault(f"{ATTACHMENTS}/{sha256[:2]}", set())
        if size is not None:
            held.add(sha256)
    yield from _unknown(folder, "", files)


def _unknown(folder: Path, below: str, files: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield what lies in a folder of a backup, or below it, and in none of these sets."""
    for each in os.scandir(folder / below):
        name = f"{below}/{each.name}".removeprefix("/")
        if each.is_dir(follow_symlinks=False):
            # the folder that holds the folders, and these
            if name == ATTACHMENTS or name in files:
                yield from _unknown(folder, name, files)
                continue
        elif each.name in files.get(below, ()):
            continue
        yield f"{name!r} is no part of it"
