"""Files in the encodings that browsers take: compressed once, as well as can be, and kept.

To compress all of a device by the best brotli takes a minute. Until that is done, and it is done
beside the serving, browsers get gzip, which takes a moment.
"""

import gzip
import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Self

import brotli

from fieldpost_server.packing.cache import Cache

BROTLI = "br"
GZIP = "gzip"

_LEAST_BYTES = 1000
_WHOLE = 11
_IN_MEMORY = 9
"""Where nothing can be kept, each process makes it again: half the gain in a tenth of the time."""
_GZIP_LEVEL = 6
_TAKEN = re.compile(r"\s*([\w-]+)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")


@dataclass(frozen=True)
class Plain:
    """A file as it is.

    Attributes:
        sha256: its digest, in hex.
        content: its bytes.
    """

    sha256: str
    content: bytes = field(repr=False)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return a content as a file."""
        return cls(hashlib.sha256(content).hexdigest(), content)

    @property
    def is_worth_it(self) -> bool:
        """Say whether it is long enough to gain by compression."""
        return len(self.content) >= _LEAST_BYTES


@dataclass(frozen=True)
class Packed:
    """A file in one encoding."""

    encoding: str
    content: bytes = field(repr=False)


class Compression:
    """Gives files in encodings; one for each process.

    Args:
        cache: where they are kept; what cannot be kept there is kept in memory.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._held: dict[str, bytes] = {}
        self._waiting: SimpleQueue[Plain] = SimpleQueue()
        self._asked = set[str]()
        self._queueing = threading.Lock()
        self._worker: threading.Thread | None = None

    def packed(self, plain: Plain, accepted: str) -> Packed | None:
        """Return a file in the best encoding that there is by now, or None: as it is.

        Args:
            plain: the file.
            accepted: the request's header `Accept-Encoding`.
        """
        taken = _taken(accepted) if plain.is_worth_it else set()
        if BROTLI in taken:
            if (content := self._found(BROTLI, plain)) is not None:
                return Packed(BROTLI, content)
            self._make_beside(plain)
        if GZIP in taken:
            content = self._found(GZIP, plain)
            return Packed(GZIP, self._make(GZIP, plain) if content is None else content)
        return None

    def make_all(self, files: Iterable[Plain], encodings: Sequence[str] = (BROTLI, GZIP)) -> None:
        """Make now what is not there yet, which takes as long as it takes."""
        for plain in files:
            for encoding in encodings:
                if plain.is_worth_it and self._found(encoding, plain) is None:
                    self._make(encoding, plain)

    def _found(self, encoding: str, plain: Plain) -> bytes | None:
        key = f"{encoding}-{plain.sha256}"
        held = self._held.get(key)
        return self._cache.get(key) if held is None else held

    def _make(self, encoding: str, plain: Plain) -> bytes:
        key = f"{encoding}-{plain.sha256}"
        content = _gzip(plain) if encoding == GZIP else self._brotli(plain)
        if not self._cache.keep(key, content):
            self._held[key] = content
        return content

    def _brotli(self, plain: Plain) -> bytes:
        quality = _WHOLE if self._cache.takes() else _IN_MEMORY
        content: bytes = brotli.compress(plain.content, quality=quality)
        return content

    def _make_beside(self, plain: Plain) -> None:
        with self._queueing:
            if plain.sha256 in self._asked:
                return
            self._asked.add(plain.sha256)
            self._waiting.put(plain)
            if self._worker is None:
                # a daemon: a server that is told to stop does not finish it
                self._worker = threading.Thread(target=self._work, daemon=True, name="compression")
                self._worker.start()

    def _work(self) -> None:
        if sys.platform == "linux":  # where threads have numbers as processes do
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        while True:
            with self._queueing:
                try:
                    plain = self._waiting.get_nowait()
                except Empty:
                    self._worker = None
                    break
            # another process may have made it meanwhile
            if self._found(BROTLI, plain) is None:
                self._make(BROTLI, plain)
        self._cache.sweep()


def _gzip(plain: Plain) -> bytes:
    return gzip.compress(plain.content, _GZIP_LEVEL, mtime=0)


def _taken(accepted: str) -> set[str]:
    """Return the encodings that a browser says it takes."""
    found = (_TAKEN.fullmatch(each) for each in accepted.lower().split(","))
    return {each[1] for each in found if each and (each[2] or "1").strip("0.")}
