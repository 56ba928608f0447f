"""A place of backups: a folder with a backup in each folder, whole or not there."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fieldpost.errors import Code
from fieldpost_server.backup.faults import fault
from fieldpost_server.backup.files import size_of
from fieldpost_server.backup.manifest import (
    DATABASES,
    LIST,
    Manifest,
    NoManifestError,
    read_manifest,
)
from fieldpost_server.storage.durable import synced

UNFINISHED = ".unfinished-"
"""How the name of a folder begins that is not a backup yet, or any more."""

_NAME = re.compile(r"fieldpost-\d{8}T\d{6}\.\d{6}Z", re.ASCII)
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that looks whole: its manifest is, and its parts have their sizes."""

    path: Path
    manifest: Manifest


class Place:
    """A folder of backups; what else lies in it is never touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let nobody else make or delete backups here; raises `BackupError` where somebody does."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            try:
                # fault point: backups-locked — the lock is the open file's and ends with the
                # process: the next backup deletes what a dead one has left.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise fault(Code.BACKUP_BUSY, place=self.folder) from None
            yield
        finally:
            os.close(handle)

    def backups(self) -> list[Found]:
        """Return the backups that look whole, the newest first."""
        if not self.folder.is_dir():
            return []
        named = (each.name for each in os.scandir(self.folder) if _NAME.fullmatch(each.name))
        found = (looked_at(self.folder / name) for name in sorted(named, reverse=True))
        return [each for each in found if each is not None]

    def begin(self, moment: datetime) -> Path:
        """Return a new folder for a backup that is being made."""
        name = f"fieldpost-{moment:%Y%m%dT%H%M%S.%fZ}"
        if (self.folder / name).exists():
            raise fault(Code.BACKUP_FAILED, cause=f"'{name}' is there already")
        made = self.folder / (UNFINISHED + name)
        # fault point: backup-begun — a folder whose name nobody takes for a backup: the next one
        # deletes it.
        made.mkdir(mode=0o700)
        return made

    def finish(self, folder: Path) -> Path:
        """Give a whole backup its name."""
        final = self.folder / folder.name.removeprefix(UNFINISHED)
        # fault point: backup-unnamed — every byte of it is on the disk, and it is no backup yet:
        # the next one deletes it, those that were there are untouched.
        folder.rename(final)
        # fault point: backup-named — it is whole under its name; a power cut may take the name
        # back, never a part of what it names.
        synced(self.folder)
        return final

    def clear(self) -> None:
        """Delete what processes that died have left; only with the `turn`."""
        for each in os.scandir(self.folder):
            if each.name.startswith(UNFINISHED) and each.is_dir(follow_symlinks=False):
                # fault point: unfinished-half-deleted — it was no backup before either: the next
                # backup deletes the rest.
                shutil.rmtree(each.path)

    def rotate(self, keep: int, newest: Found) -> list[Path]:
        """Delete all but the newest backups of the same timeline; returns which went.

        What lies before a restore stays, and so does what cannot be read: nobody can say that it is
        not wanted.
        """
        timeline = newest.manifest.timeline
        same = [
            each
            for each in self.backups()
            if each.manifest.timeline == timeline and each.path != newest.path
        ]
        gone = [each.path for each in same[max(keep - 1, 0) :]]
        for path in gone:
            unnamed = path.with_name(UNFINISHED + path.name)
            # fault point: old-backup-undeleted — it is whole under its name, or has lost the name
            # first: a half of it is never taken for a backup.
            path.rename(unnamed)
            shutil.rmtree(unnamed)
        return gone


def looked_at(folder: Path) -> Found | None:
    """Return a backup that looks whole; None where it does not."""
    try:
        if folder.is_symlink():
            return None
        manifest = read_manifest(folder)
    except (OSError, NoManifestError):
        return None
    sizes = {
        folder / DATABASES[manifest.kind]: manifest.database.size,
        folder / LIST: manifest.attachments.size,
    }
    is_whole = all(size_of(path) == size for path, size in sizes.items())
    return Found(folder, manifest) if is_whole else None
