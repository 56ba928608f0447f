"""Uploads under way: one writer at a time, whichever process it is in."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def locked(part: Path) -> Iterator[BinaryIO]:
    """Open an upload to append to; the same piece sent twice at once is written once."""
    # the folder of the parts may be shared by many processes: the lock is the file's
    while True:
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # who had the lock before may have finished the upload, or thrown it away
            # fault point: upload-locked — the lock is the open file's and ends with the process;
            # what was appended stays, an empty part is as good as none.
            if not _is_at(file, part):
                continue
            try:
                yield file
            finally:
                if _is_at(file, part) and not size_of(part):
                    part.unlink()
            return


@contextmanager
def locked_if_there(part: Path) -> Iterator[None]:
    """Hold an upload against whoever goes on with it just now; raises `FileNotFoundError`."""
    with part.open("rb") as file:
        # fault point: old-upload-locked — the lock is the open file's and ends with the process.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def size_of(path: Path) -> int | None:
    """Return a file's size in bytes, None where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
