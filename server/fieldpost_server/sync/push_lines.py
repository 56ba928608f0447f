"""The lines of a push: unpacked and counted before any of them is read."""

import io
import zlib
from collections.abc import Iterator

from fieldpost.errors import Code, InputError, problem
from fieldpost.wire.protocol import MAX_PUSH_LINES


def lines_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the lines that hold something, each with its number from 1.

    Raises:
        InputError: there are too many; a small body must not ask for millions of answers.
    """
    if body.count(b"\n") >= MAX_PUSH_LINES:
        limit = f"{MAX_PUSH_LINES} lines"
        raise InputError([problem(Code.TOO_BIG, what="The push", limit=limit)])
    # one after the other: a list of them would be a second copy of the body
    return ((number, line) for number, line in enumerate(io.BytesIO(body), 1) if line.strip())


def unzipped(body: bytes, limit: int) -> bytes:
    """Unpack a gzip body of one or more members, but never more than `limit` bytes of it.

    Raises:
        InputError: it is too large, damaged, or not whole.
    """
    members: list[bytes] = []
    left, rest = limit, body
    while rest or not members:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            members.append(unpacker.decompress(rest, left + 1))
        except zlib.error as error:
            reason = "it is not compressed by gzip"
            raise InputError([problem(Code.MALFORMED, reason=reason)]) from error
        left -= len(members[-1])
        if left < 0:
            raise InputError([problem(Code.TOO_BIG, what="The push", limit=f"{limit >> 20} MB")])
        if not unpacker.eof:
            raise InputError([problem(Code.MALFORMED, reason="its end is missing")])
        rest = unpacker.unused_data
    return b"".join(members)
