"""Small pictures for the demo's records, drawn here: signatures and photos of faults, as PNG."""

import hashlib
import math
import random
import struct
import zlib
from collections.abc import Sequence
from functools import cache

from fieldpost.types import Attachment

SIGNATURES = 6
PHOTOS = 12

_Colour = tuple[int, int, int]
_INK: tuple[_Colour, ...] = ((255, 255, 255), (24, 32, 64))
_WALLS: tuple[_Colour, ...] = ((178, 169, 150), (150, 158, 164), (184, 148, 124), (140, 150, 132))
_SKY: _Colour = (206, 218, 228)
_GROUND: _Colour = (98, 104, 96)
_JOINT: _Colour = (120, 116, 108)
_CRACK: _Colour = (38, 34, 32)
_RUST: _Colour = (132, 72, 40)


class _Canvas:
    """A picture of indexed colours, one byte for each pixel."""

    def __init__(self, width: int, height: int, palette: Sequence[_Colour]) -> None:
        self.width = width
        self.height = height
        self.palette = palette
        self.rows = [bytearray(width) for _ in range(height)]

    def box(self, left: int, top: int, right: int, bottom: int, colour: int) -> None:
        left = min(max(left, 0), self.width)
        right = min(max(right, left), self.width)
        for row in self.rows[max(top, 0) : max(bottom, 0)]:
            row[left:right] = bytes([colour]) * (right - left)

    def stroke(self, x: float, y: float, size: int, colour: int) -> None:
        left, top = round(x) - size // 2, round(y) - size // 2
        self.box(left, top, left + size, top + size, colour)

    def png(self) -> bytes:
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        colours = b"".join(bytes(colour) for colour in self.palette)
        content = zlib.compress(b"".join(b"\0" + row for row in self.rows), 9)
        parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", content), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in parts
        )


@cache
def signatures() -> tuple[tuple[Attachment, bytes], ...]:
    """Return the demo's signatures, each with its content."""
    return tuple(_named("signature", n, _signature(n)) for n in range(1, SIGNATURES + 1))


@cache
def photos() -> tuple[tuple[Attachment, bytes], ...]:
    """Return the demo's photos, each with its content."""
    return tuple(_named("photo", n, _photo(n)) for n in range(1, PHOTOS + 1))


def pictures() -> tuple[tuple[Attachment, bytes], ...]:
    """Return everything that seeded records refer to, to be put into the attachments store."""
    return (*signatures(), *photos())


def _named(word: str, number: int, content: bytes) -> tuple[Attachment, bytes]:
    digest = hashlib.sha256(content).hexdigest()
    return Attachment(digest, len(content), "image/png", f"{word}-{number}.png"), content


def _signature(number: int) -> bytes:
    """Draw loops that grow flatter from left to right, and a line under them."""
    chance = random.Random(number)
    canvas = _Canvas(400, 150, _INK)
    loops, height = chance.uniform(5, 9), chance.uniform(22, 36)
    slant, wave = chance.uniform(0.2, 0.8), chance.uniform(1.4, 2.6)
    for step in range(1600):
        t = step / 1600
        angle = t * loops * math.tau
        tall = height * (1 - 0.65 * t) * (1 + 0.35 * math.sin(angle / wave))
        y = 78 - tall * math.sin(angle) + 6 * math.sin(5 * t)
        canvas.stroke(40 + 300 * t + 14 * math.cos(angle) + slant * (78 - y) / 2, y, 3, 1)
    for x in range(60, chance.randrange(280, 350)):
        canvas.stroke(x, 118 - (x - 60) * 0.06, 2, 1)
    return canvas.png()


def _photo(number: int) -> bytes:
    """Draw a wall of blocks between sky and ground, with a crack or a stain of rust."""
    chance = random.Random(100 + number)
    palette = (_WALLS[number % len(_WALLS)], _SKY, _GROUND, _JOINT, _CRACK, _RUST)
    canvas = _Canvas(480, 360, palette)
    canvas.box(0, 0, 480, chance.randrange(30, 70), 1)
    for course, top in enumerate(range(90, 310, 44)):
        canvas.box(0, top, 480, top + 3, 3)
        for joint in range(-40 + 40 * (course % 2), 480, 80):
            canvas.box(joint, top, joint + 3, top + 44, 3)
    canvas.box(0, 310, 480, 360, 2)
    if number % 3 == 0:
        left, top = chance.randrange(120, 300), chance.randrange(110, 180)
        for column in range(left, left + 70):
            canvas.box(column, top, column + 1, top + chance.randrange(40, 120), 5)
        return canvas.png()
    x, y = chance.uniform(140, 340), 75.0
    while y < 308:
        canvas.stroke(x, y, chance.choice((2, 3, 4, 6)), 4)
        x, y = x + chance.uniform(-3, 3.2), y + chance.uniform(0.6, 2)
    return canvas.png()
