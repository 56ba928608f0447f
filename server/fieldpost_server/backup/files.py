"""Files of a backup: opened without being led astray, copied with their digest, on the disk."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PIECE = 1 << 20
_NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a file: its bytes, and their SHA-256."""

    size: int
    sha256: str


class UnreadableError(OSError):
    """What was to be copied cannot be read; the place that it goes to is not to blame."""


def opened(path: Path) -> BinaryIO:
    """Open a plain file to read it; raises OSError for what only leads to one, or is none."""
    # without waiting: a pipe with nobody at its other end would never open
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"'{path}' is no plain file")
    return os.fdopen(handle, "rb")


def part_of(path: Path) -> Part:
    """Return size and digest of a plain file; raises OSError."""
    with opened(path) as file:
        return _read_through(file)


def size_of(path: Path) -> int | None:
    """Return the size of a plain file; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def made_new(path: Path) -> None:
    """Make an empty file that only its owner may read; raises OSError where there is one."""
    os.close(os.open(path, os.O_WRONLY | _NEW, 0o600))


def copied(source: Path, target: Path) -> Part:
    """Copy a file to where there is none, and return what was written.

    The digest is that of the copy. On file systems that can, both share their blocks until one is
    changed: the copy costs nothing, and is one.

    Raises:
        UnreadableError: the source is no plain file, or its disk does not give it any more.
        OSError: the copy cannot be written.
    """
    with _source(source) as original:
        handle = os.open(target, os.O_RDWR | _NEW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as copy:
            _pour(original, copy)
            # fault point: backup-part-unsynced — the copy has a name that nobody looks for: what
            # is left of it is deleted by the next backup, or made again by the next restore.
            os.fsync(copy.fileno())
            copy.seek(0)
            return _read_through(copy)


def written(path: Path, content: bytes) -> Part:
    """Write a new file and return what it is; raises OSError."""
    handle = os.open(path, os.O_WRONLY | _NEW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        # fault point: backup-text-unsynced — as with a copy: it lies in a folder that nobody takes
        # for a backup yet.
        os.fsync(file.fileno())
    return Part(len(content), hashlib.sha256(content).hexdigest())


def _source(path: Path) -> BinaryIO:
    try:
        return opened(path)
    except OSError as error:
        raise UnreadableError(str(error)) from error


def _pour(original: BinaryIO, copy: BinaryIO) -> None:
    left = os.fstat(original.fileno()).st_size
    try:
        while left > 0:
            moved = os.copy_file_range(original.fileno(), copy.fileno(), left)
            if not moved:
                break
            left -= moved
    except (AttributeError, OSError):
        # another file system, or one that cannot: from the start, by hand
        original.seek(0)
        copy.seek(0)
        copy.truncate()
        while piece := _read(original):
            copy.write(piece)
        copy.flush()


def _read(original: BinaryIO) -> bytes:
    try:
        return original.read(_PIECE)
    except OSError as error:
        raise UnreadableError(str(error)) from error


def _read_through(file: BinaryIO) -> Part:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return Part(size, digest.hexdigest())
