"""The lines of a push: unpacked and counted before any of them is read, and never held together."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from fieldpost.errors import Code, InputError, problem
from fieldpost.wire.protocol import MAX_ENVELOPE_BYTES, MAX_PUSH_LINES

_CHUNK_BYTES = 64 << 10


class PushLines:
    """The lines of a body that hold something, each with its number from 1.

    The body lies in a file, and is unpacked twice: once to see that all of it may be read, and once
    to read it. So a push takes the memory of one line, whatever it unpacks to.

    Args:
        file: the body; it is closed when all lines were read.
        limit: bytes that it may unpack to.
        is_zipped: whether it is compressed by gzip, in one or more members.
    """

    def __init__(self, file: BinaryIO, limit: int, *, is_zipped: bool) -> None:
        self.file = file
        self.limit = limit
        self.is_zipped = is_zipped

    def check(self) -> None:
        """Go through all of it.

        Raises:
            InputError: it is too large, damaged, not whole, or has too many lines: a small body
                must not ask for millions of answers.
        """
        try:
            self._count()
        except InputError:
            self.file.close()
            raise

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line; of one that is too long only so much as shows it."""
        with self.file:
            number, kept = 1, bytearray()
            for chunk in self._chunks():
                *whole, rest = chunk.split(b"\n")
                for part in whole:
                    line = bytes(kept) + part if kept else part
                    if line.strip():
                        yield number, line
                    number, kept = number + 1, bytearray()
                kept += rest[: max(0, MAX_ENVELOPE_BYTES + 1 - len(kept))]
            if kept.strip():
                yield number, bytes(kept)

    def _count(self) -> None:
        lines = 0
        for chunk in self._chunks():
            lines += chunk.count(b"\n")
            if lines >= MAX_PUSH_LINES:
                limit = f"{MAX_PUSH_LINES} lines"
                raise InputError([problem(Code.TOO_BIG, what="The push", limit=limit)])

    def _chunks(self) -> Iterator[bytes]:
        self.file.seek(0)
        left = self.limit
        for chunk in self._unzipped() if self.is_zipped else self._read():
            left -= len(chunk)
            if left < 0:
                limit = f"{self.limit >> 20} MB"
                raise InputError([problem(Code.TOO_BIG, what="The push", limit=limit)])
            yield chunk

    def _read(self) -> Iterator[bytes]:
        while chunk := self.file.read(_CHUNK_BYTES):
            yield chunk

    def _unzipped(self) -> Iterator[bytes]:
        unpacker, rest = zlib.decompressobj(wbits=31), b""
        while rest := rest or self.file.read(_CHUNK_BYTES):
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=31)
            try:
                chunk = unpacker.decompress(rest, _CHUNK_BYTES)
            except zlib.error as error:
                raise _unreadable("it is not compressed by gzip") from error
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if chunk:
                yield chunk
        while not unpacker.eof:
            # what it holds back, now that nothing more comes
            try:
                chunk = unpacker.decompress(b"", _CHUNK_BYTES)
            except zlib.error as error:
                raise _unreadable("it is not compressed by gzip") from error
            if not chunk:
                break
            yield chunk
        if not unpacker.eof:
            raise _unreadable("its end is missing")


def _unreadable(reason: str) -> InputError:
    return InputError([problem(Code.MALFORMED, reason=reason)])
