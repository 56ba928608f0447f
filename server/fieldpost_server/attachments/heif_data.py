"""The data of a camera in HEIC, HEIF and AVIF: its bytes are emptied, and nothing is moved.

These files say by offsets where their parts are, so that nothing can be taken out. Which way up a
picture is to be shown is no part of the data there.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PLAIN = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip", b"idat"})
"""Boxes of a file that holds pictures; what else there is, films among it, is not taken."""
_DATA = frozenset({b"Exif", b"mime", b"uri "})
"""Kinds of items that are no pictures."""


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    begin: int
    end: int


def without_data(content: bytes) -> bytes:
    """Return a file of the same size in which the data of the camera is empty.

    Raises:
        ValueError, struct.error: it is damaged, or of a kind that is not taken.
    """
    cleaned, is_known = bytearray(content), False
    for box in _boxes(content, 0, len(content)):
        if box.kind == b"uuid":
            _empty(cleaned, box.begin, box.end)
        elif box.kind not in _PLAIN:
            raise ValueError("the file holds more than pictures")
        if box.kind == b"meta":
            # a file has one: each may name all of the file, and each is gone through
            if is_known:
                raise ValueError("the file says twice what is in it")
            _clean(cleaned, content, box)
            is_known = True
    return bytes(cleaned)


def _clean(cleaned: bytearray, content: bytes, meta: _Box) -> None:
    inside = {box.kind: box for box in _boxes(content, meta.begin + 4, meta.end)}
    if b"iinf" not in inside or b"iloc" not in inside:
        raise ValueError("the file does not say where its pictures are")
    data = set(_data_items(content, inside[b"iinf"]))
    room = len(content)
    for item, method, offset, size in _extents(content, inside[b"iloc"]):
        if item not in data:
            continue
        begin = offset + (inside[b"idat"].begin if method == 1 and b"idat" in inside else 0)
        # the parts of one item and of several are beside each other, not above
        room -= size
        if method > 1 or not size or room < 0 or begin + size > len(content):
            raise ValueError("the data of the camera cannot be found")
        _empty(cleaned, begin, begin + size)


def _empty(cleaned: bytearray, begin: int, end: int) -> None:
    cleaned[begin:end] = bytes(end - begin)


def _boxes(content: bytes, at: int, end: int) -> Iterator[_Box]:
    while at < end:
        size, kind = struct.unpack_from(">I4s", content, at)
        begin = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, begin)
            begin += 8
        stop = end if size == 0 else at + size
        if stop < begin or stop > end:
            raise ValueError("a box is longer than what holds it")
        yield _Box(kind, begin, stop)
        at = stop


def _data_items(content: bytes, iinf: _Box) -> Iterator[int]:
    """Yield the numbers of items that are no pictures."""
    begin = iinf.begin + (6 if content[iinf.begin] == 0 else 8)
    for box in _boxes(content, begin, iinf.end):
        version = content[box.begin]
        if box.kind != b"infe" or version not in (2, 3):
            raise ValueError("an item of the file is of no known kind")
        number, _, kind = struct.unpack_from(
            ">HH4s" if version == 2 else ">IH4s", content, box.begin + 4
        )
        if kind in _DATA:
            yield number


class _Reader:
    """Reads numbers of given sizes, one after the other."""

    def __init__(self, content: bytes, at: int, end: int) -> None:
        self.content = content
        self.at = at
        self.end = end

    def number(self, size: int) -> int:
        begin, self.at = self.at, self.at + size
        if self.at > self.end:
            raise ValueError("the list of places is cut off")
        return int.from_bytes(self.content[begin : self.at], "big")


def _extents(content: bytes, iloc: _Box) -> Iterator[tuple[int, int, int, int]]:
    """Yield of each part of an item its number, from where it is counted, its begin and size."""
    version = content[iloc.begin]
    if version > 2:
        raise ValueError("the list of places is of no known kind")
    read = _Reader(content, iloc.begin + 4, iloc.end).number
    sizes, more = read(1), read(1)
    offset_size, length_size = sizes >> 4, sizes & 15
    base_size, index_size = more >> 4, more & 15 if version else 0
    if not length_size:
        raise ValueError("the parts of the file have no sizes")
    wide = 4 if version == 2 else 2
    for _ in range(read(wide)):
        item = read(wide)
        method = read(2) & 15 if version else 0
        read(2)
        base = read(base_size)
        for _ in range(read(2)):
            read(index_size)
            begin = base + read(offset_size)
            yield item, method, begin, read(length_size)
