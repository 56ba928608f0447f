"""A folder of what takes long to make, by what it is made of; it can be deleted at any time."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

UNUSED_DAYS = 60
"""What nobody has asked for so long is deleted."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_TOUCH_S = 24 * 3600


@dataclass(frozen=True)
class Cache:
    """Files by key, each behind the digest of its content: what is damaged is not there.

    Attributes:
        folder: where they lie; made when it is needed. None, or one that cannot be written into:
            nothing is kept.
        ready: a folder of the same kind that is only read.
    """

    folder: Path | None = None
    ready: Path | None = None

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, or None."""
        for folder in (self.ready, self.folder):
            if folder and (content := _read(folder / key)) is not None:
                if folder is self.folder:
                    _touch(folder / key)
                return content
        return None

    def keep(self, key: str, content: bytes) -> bool:
        """Keep something; return whether that was possible."""
        if self.folder is None or not self.takes():
            return False
        half = self.folder / f"{key}.{os.getpid()}.half"
        try:
            half.write_bytes(hashlib.sha256(content).digest() + content)
            # fault point: cached-file-half-written — nobody looks for a file of this name, and it
            # is deleted when it is old: what it was to hold is made once more.
            half.replace(self.folder / key)
        except OSError:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            return False
        return True

    def takes(self) -> bool:
        """Say whether something can be kept."""
        if self.folder is None:
            return False
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.access(self.folder, os.W_OK)
        return False

    def made(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under a key; what is not there is made, and kept if possible."""
        content = self.get(key)
        if content is None:
            content = make()
            self.keep(key, content)
        return content

    def sweep(self) -> None:
        """Delete what nobody has asked for in a long time."""
        if self.folder is None or not self.folder.is_dir():
            return
        bound = time.time() - UNUSED_DAYS * 24 * 3600
        for path in self.folder.iterdir():
            with suppress(OSError):  # another process may do the same
                if path.is_file() and path.stat().st_mtime < bound:
                    # fault point: cache-half-swept — what is gone is made again when somebody asks
                    # for it, what is left is swept the next time.
                    path.unlink()


NO_CACHE = Cache()
"""Keeps nothing."""


def cache_folder(data: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Return where such things are kept: in this user's folder for them, else in `data`."""
    environment = os.environ if environment is None else environment
    given = environment.get("XDG_CACHE_HOME")
    with suppress(OSError, RuntimeError):  # a user without a home, or a disk that takes nothing
        folder = (Path(given) if given else Path.home() / ".cache") / "fieldpost"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return data / "cache"


def cache_of_server(data: Path) -> Cache:
    """Return the cache of a server with this folder of data."""
    return Cache(cache_folder(data), ready=Path(__file__).parents[1] / "ready")


def key_of(kind: str, parts: Iterable[bytes | str]) -> str:
    """Return the key of what is made of these parts, in this order."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(hashlib.sha256(content).digest())
    return f"{kind}-{whole.hexdigest()}"


def _read(path: Path) -> bytes | None:
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    content = whole[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == whole[:_DIGEST_BYTES] else None


def _touch(path: Path) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _TOUCH_S:
            os.utime(path)
