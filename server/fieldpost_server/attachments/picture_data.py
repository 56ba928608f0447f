"""What a camera writes into a picture beside the picture: where, when and with what it was taken.

Photos that are drawn anew in a browser have none of it. What comes within a form of a browser
without JavaScript loses it here: only what is needed to show the picture is kept, which way up it
is included, and what comes after the picture's end goes.
"""

import re
import struct
from collections.abc import Callable, Iterator
from zlib import crc32

from fieldpost.errors import Code, InputError, problem
from fieldpost.home import Upload
from fieldpost_server.attachments.heif_data import without_data as heif_without_data

JPEG = "image/jpeg"
PNG = "image/png"
WEBP = "image/webp"
GIF = "image/gif"
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB bKGD hIST pHYs".split()
    + b"cICP mDCV cLLI acTL fcTL fdAT".split()
)
_END_OF_GIF, _PICTURE_OF_GIF, _MORE_OF_GIF, _TIMES = 0x3B, 0x2C, 0x21, 0xF9
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_EXIF_FLAG, _XMP_FLAG = 8, 4
_FRAME_HEAD = 16
"""Bytes of an animation's frame before the chunks that are in it."""
_JFIF_BYTES = 12
"""What is of use of a JFIF segment: a small picture may follow, also of what was cut away."""
_EXIF = b"Exif\0\0"
_UPRIGHT = 1
_END_OF_JPEG, _PICTURE_OF_JPEG = 0xD9, 0xDA
_MARKER = re.compile(rb"\xff++([^\x00\xff])", re.DOTALL)
# one at a time: from each of many that fill, a search for several would go on to the last
_AFTER_PICTURE = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_BEGINS = (
    (JPEG, re.compile(rb"\xff\xd8\xff")),
    (PNG, re.compile(re.escape(_PNG_BEGIN))),
    (WEBP, re.compile(rb"RIFF....WEBP", re.DOTALL)),
    (GIF, re.compile(rb"GIF8[79]a")),
    ("image/avif", re.compile(rb"....ftyp(avi)", re.DOTALL)),
    ("image/heic", re.compile(rb"....ftyp(hei|hev)", re.DOTALL)),
    ("image/heif", re.compile(rb"....ftyp(mif1|msf1)", re.DOTALL)),
)


def plain_picture(upload: Upload) -> Upload:
    """Return a picture as it may be kept; what it is counts, not what it is called.

    Raises:
        InputError: it is no picture, or a damaged one.
    """
    try:
        content = without_data(upload.content)
    except ValueError as error:
        type_ = upload.type or "image"
        raise InputError([problem(Code.NOT_A_PICTURE, type=type_)]) from error
    return Upload(upload.name, kind_of(content), content)


def kind_of(content: bytes) -> str:
    """Return the media type of a picture by how it begins; nothing for what is none."""
    return next((type_ for type_, begin in _BEGINS if begin.match(content)), "")


def without_data(content: bytes) -> bytes:
    """Return a picture with nothing but what shows it.

    Raises:
        ValueError: it is damaged, or no picture of a kind that is known.
    """
    clean = _CLEANERS.get(kind_of(content), _refuse)
    try:
        return clean(content)
    except (struct.error, IndexError) as error:
        raise ValueError("the picture is cut off") from error


def _refuse(_: bytes) -> bytes:
    raise ValueError("this is no picture")


def _jpeg(content: bytes) -> bytes:
    """Keep the segments that show it, and what lies between; it ends where it says so."""
    kept, at = bytearray(content[:2]), 2
    while True:
        marker = _MARKER.match(content, at)
        if marker is None:
            raise ValueError("a segment was expected")
        kind, begin = marker[1][0], marker.end()
        if kind == _END_OF_JPEG:
            return bytes(kept + marker[0])
        end = begin + struct.unpack_from(">H", content, begin)[0]
        if end < begin + 2 or end > len(content):
            raise ValueError("a segment is longer than the file")
        kept += _segment(kind, content[begin + 2 : end])
        at = end
        if kind == _PICTURE_OF_JPEG:
            # up to the next marker
            found = _AFTER_PICTURE.search(content, at)
            if found is None:
                raise ValueError("the picture has no end")
            at = found.start()
            kept += content[end:at]


def _segment(kind: int, body: bytes) -> bytes:
    """Return a segment as it is kept; nothing where it does not show the picture."""
    if kind == 0xE0:
        body = body[:_JFIF_BYTES] + b"\0\0"
        is_kept = body.startswith(b"JFIF\0")
    elif kind == 0xE1:
        turned = _turned(body.removeprefix(_EXIF))
        body = _EXIF + _exif(turned)
        is_kept = turned != _UPRIGHT
    elif kind == 0xE2:
        is_kept = body.startswith(b"ICC_PROFILE\0")
    elif kind == 0xEE:
        is_kept = body.startswith(b"Adobe")
    else:
        # no other data of applications, no comments, nothing that is not defined
        is_kept = 0xC0 <= kind <= 0xDF
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body if is_kept else b""


def _png(content: bytes) -> bytes:
    """Keep the chunks that show it; the checksum of each stays with it."""
    kept, at = bytearray(_PNG_BEGIN), len(_PNG_BEGIN)
    while True:
        size, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + size
        if end > len(content):
            raise ValueError("a chunk is longer than the file")
        if kind == b"eXIf" and (turned := _turned(content[at + 8 : end - 4])) != _UPRIGHT:
            kept += _chunk(kind, _exif(turned))
        if kind in _PNG_KEPT:
            kept += content[at:end]
        if kind == b"IEND":
            return bytes(kept)
        at = end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc32(kind + body))


def _webp(content: bytes) -> bytes:
    """Keep the chunks that show it, and have its head say that there are no others."""
    end = 8 + struct.unpack_from("<I", content, 4)[0]
    if end > len(content):
        raise ValueError("the picture is cut off")
    riff, turned = content[12:end], _UPRIGHT
    for kind, body in _riff(riff):
        if kind == b"EXIF":
            turned = _turned(body.removeprefix(_EXIF))
    kept = bytearray()
    for kind, body in _riff(riff):
        kept += _shown(kind, body, turned)
    if turned != _UPRIGHT and kept.startswith(b"VP8X"):
        kept += _packed(b"EXIF", _exif(turned))
    return b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + bytes(kept)


def _shown(kind: bytes, body: bytes, turned: int) -> bytes:
    """Return a chunk as it is kept; nothing where it does not show the picture."""
    if kind not in _WEBP_KEPT:
        return b""
    if kind == b"VP8X":
        flags = body[0] & ~(_EXIF_FLAG | _XMP_FLAG)
        return _packed(kind, bytes([flags | _EXIF_FLAG * (turned != _UPRIGHT)]) + body[1:])
    if kind == b"ANMF":
        frame = bytearray(body[:_FRAME_HEAD])
        for inside, shown in _riff(body[_FRAME_HEAD:]):
            frame += _packed(inside, shown) if inside in _WEBP_KEPT else b""
        return _packed(kind, bytes(frame))
    return _packed(kind, body)


def _riff(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        if at + 8 + size > len(content):
            raise ValueError("a chunk is longer than the file")
        yield kind, content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _gif(content: bytes) -> bytes:
    """Keep pictures and how long they are shown; comments and data of applications go."""
    at = 13 + _colours(content[10])
    kept = bytearray(content[:at])
    while (kind := content[at]) != _END_OF_GIF:
        begin = at
        if kind == _PICTURE_OF_GIF:
            at += 11 + _colours(content[at + 9])
            is_kept = True
        elif kind == _MORE_OF_GIF:
            is_kept = content[at + 1] == _TIMES or content[at + 3 : at + 14] == b"NETSCAPE2.0"
            at += 2
        else:
            raise ValueError("a block was expected")
        while size := content[at]:
            at += 1 + size
        at += 1
        if is_kept:
            kept += content[begin:at]
    return bytes(kept) + content[at : at + 1]


def _colours(flags: int) -> int:
    """Return how many bytes a table of colours has."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _turned(exif: bytes) -> int:
    """Return which way up a picture is to be shown, 1 to 8; what cannot be read is upright."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return _UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if (tag, kind) == (0x0112, 3):
                return value if 1 <= value <= 8 else _UPRIGHT
    except struct.error:
        return _UPRIGHT
    return _UPRIGHT


def _exif(turned: int) -> bytes:
    """Return Exif data that says which way up, and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, turned, 0, 0)


_CLEANERS: dict[str, Callable[[bytes], bytes]] = {
    JPEG: _jpeg,
    PNG: _png,
    WEBP: _webp,
    GIF: _gif,
    "image/avif": heif_without_data,
    "image/heic": heif_without_data,
    "image/heif": heif_without_data,
}
