"""Position and camera data are no part of a picture that comes within a form (R42, R66)."""

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from apps.fakes import ADA
from fieldpost.errors import InputError
from fieldpost.home import Upload
from fieldpost_server.attachments.picture_data import kind_of, plain_picture, without_data

SECRET = b"52.5200 N, 13.4050 E"


def exif(turned: int = 1) -> bytes:
    """Return Exif data with a place and a camera, little-endian as phones write it."""
    head = struct.pack("<2sHIH", b"II", 42, 8, 2)
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, turned, 0)
    entries += struct.pack("<HHII", 0x010F, 2, len(SECRET), 38)
    return head + entries + bytes(4) + SECRET


def segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


SCAN = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
SHOWN = (
    segment(0xDB, b"\0" + bytes(range(1, 65)))
    + segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0")
    + segment(0xC4, b"\0" + bytes(16))
)


def jpeg(turned: int = 1) -> bytes:
    """Return a JPEG of two scans, with data wherever a camera puts it."""
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01" + SECRET)
        + segment(0xE1, b"Exif\0\0" + exif(turned))
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
        + segment(0xE2, b"ICC_PROFILE\0\x01\x01colours")
        + segment(0xE2, b"MPF\0" + SECRET)
        + segment(0xED, b"Photoshop 3.0\0" + SECRET)
        + segment(0xFE, SECRET)
        + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
        + b"\xff\xff"
        + SHOWN
        + SCAN
        + segment(0xFE, SECRET)
        + SCAN
        + b"\xff\xd9"
        + b"a film: "
        + SECRET
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(turned: int = 1) -> bytes:
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"eXIf", exif(turned))
        + chunk(b"tEXt", b"Comment\0" + SECRET)
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0" + SECRET)
        + chunk(b"tIME", bytes(7))
        + chunk(b"prIv", SECRET)
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
        + SECRET
    )


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp(turned: int = 1) -> bytes:
    frame = bytes(16) + riff(b"VP8L", b"frame") + riff(b"XMP ", SECRET)
    body = (
        riff(b"VP8X", bytes([0x2C]) + bytes(9))
        + riff(b"ICCP", b"colours")
        + riff(b"ANMF", frame)
        + riff(b"VP8 ", b"picture")
        + riff(b"EXIF", exif(turned))
        + riff(b"XMP ", SECRET)
    )
    return riff(b"RIFF", b"WEBP" + body) + SECRET


def gif(_: int = 1) -> bytes:
    return (
        b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(6)
        + b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
        + b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
        + b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
        + b"\x21\xf9\x04\0\0\0\0\0"
        + b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
        + b"\x3b"
        + SECRET
    )  # fmt: skip


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def heic(_: int = 1, brand: bytes = b"heic") -> bytes:
    """Return one picture, its Exif data beside it and its XMP inside of `meta`."""

    def made(begin: int) -> bytes:
        items = b"".join(
            box(b"infe", bytes([2, 0, 0, 0]) + struct.pack(">HH4s", number, 0, kind) + b"\0")
            for number, kind in ((1, b"hvc1"), (2, b"Exif"), (3, b"mime"))
        )
        places = struct.pack(">HHHHII", 1, 0, 0, 1, begin, 7)
        places += struct.pack(">HHHHII", 2, 0, 0, 1, begin + 7, len(SECRET))
        places += struct.pack(">HHHHII", 3, 1, 0, 1, 0, len(SECRET))
        iloc = box(b"iloc", bytes([1, 0, 0, 0, 0x44, 0x00]) + struct.pack(">H", 3) + places)
        iinf = box(b"iinf", bytes(4) + struct.pack(">H", 3) + items)
        meta = box(b"meta", bytes(4) + iinf + iloc + box(b"idat", SECRET))
        return box(b"ftyp", brand + bytes(4)) + meta

    begin = len(made(0)) + 8
    return made(begin) + box(b"mdat", b"picture" + SECRET) + box(b"uuid", bytes(16) + SECRET)


KINDS: dict[str, Callable[..., bytes]] = {
    "image/jpeg": jpeg,
    "image/png": png,
    "image/webp": webp,
    "image/gif": gif,
    "image/heic": heic,
}


@pytest.mark.parametrize("type_", KINDS)
def test_what_a_camera_wrote_is_gone(type_: str) -> None:
    """No place, no camera, no comment, nothing after the end; the picture is there (R42)."""
    before = KINDS[type_]()
    after = without_data(before)

    assert 3 <= before.count(SECRET)
    assert SECRET not in after
    assert type_ == kind_of(after)
    assert after == without_data(after)


def test_what_shows_a_jpeg_is_kept_byte_by_byte() -> None:
    """Tables, scans and colours are as they were: the picture loses nothing (R42)."""
    expected = (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
        + segment(0xE2, b"ICC_PROFILE\0\x01\x01colours")
        + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
        + SHOWN
        + SCAN
        + SCAN
        + b"\xff\xd9"
    )

    assert expected == without_data(jpeg())


def test_what_shows_the_others_is_kept() -> None:
    """Chunks, frames and times are as they were, and the size of a HEIC (R42)."""
    assert chunk(b"IDAT", zlib.compress(b"\0\0")) in without_data(png())
    frame = bytes(16) + riff(b"VP8L", b"frame")
    after = without_data(webp())
    assert riff(b"ANMF", frame) in after
    assert riff(b"VP8 ", b"picture") in after
    assert riff(b"VP8X", bytes([0x20]) + bytes(9)) in after
    assert len(after) - 8 == struct.unpack_from("<I", after, 4)[0]
    assert b"NETSCAPE2.0" in without_data(gif())
    assert len(heic()) == len(without_data(heic()))
    assert b"picture" in without_data(heic())


@pytest.mark.parametrize("type_", ["image/jpeg", "image/png", "image/webp"])
@pytest.mark.parametrize("turned", [3, 6, 8])
def test_which_way_up_is_kept(type_: str, turned: int) -> None:
    """A photo of a phone that was held upright stays upright, without its place (R42)."""
    after = without_data(KINDS[type_](turned))

    assert SECRET not in after
    assert struct.pack(">HHIHH", 0x0112, 3, 1, turned, 0) in after
    assert after == without_data(after)


@pytest.mark.parametrize("type_", KINDS)
def test_a_damaged_picture_is_refused(type_: str) -> None:
    """Cut anywhere it is refused or cleaned, never kept with what it had, and never a fault."""
    whole = KINDS[type_]()
    for size in range(len(whole)):
        with suppress(InputError):
            kept = plain_picture(Upload("x", type_, whole[:size])).content
            assert SECRET not in kept


@pytest.mark.parametrize("type_", KINDS)
def test_a_flipped_byte_is_no_fault(type_: str) -> None:
    """Whatever a byte says, the picture is refused or read: nothing else is raised (R66)."""
    whole = KINDS[type_]()
    for at in range(len(whole)):
        for value in (0, 0xFF, whole[at] ^ 0x20):
            with suppress(ValueError):
                without_data(whole[:at] + bytes([value]) + whole[at + 1 :])


def test_a_file_that_is_called_a_picture_is_what_it_is() -> None:
    """The content decides: another name or type keeps no data, and no film is a picture."""
    hidden = plain_picture(Upload("x.bin", "application/octet-stream", jpeg()))
    assert ("image/jpeg", False) == (hidden.type, SECRET in hidden.content)

    film = box(b"ftyp", b"mif1" + bytes(4)) + box(b"moov", SECRET)
    for content in (b"", b"no picture", b"<svg/>", film):
        with pytest.raises(InputError):
            plain_picture(Upload("x.jpg", "image/jpeg", content))


def test_a_photo_within_a_form_loses_its_place_and_a_file_does_not(office: Any) -> None:
    """Without JavaScript, too; what the author made a `File` is kept as it was (R42, R43)."""
    client = office.client("anna")
    answer = client.post(
        "/pages/visit/new",
        headers={"Accept": "text/html", "Fieldpost-Shell": "1"},
        data={"patient": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"},
        files=[
            ("photos.file", ("a.jpg", jpeg(), "image/jpeg")),
            ("photos.file", ("b.png", png(), "image/png")),
            ("sketch.file", ("c.webp", webp(), "image/webp")),
            ("report.file", ("d.jpg", jpeg(), "image/jpeg")),
        ],
    )
    assert 303 == answer.status_code, answer.text
    newest = sa.select(Visit.photos, Visit.sketch, Visit.report).order_by(Visit.id.desc())
    photos, sketch, report = office.rows(newest.limit(1))[0]

    kept = [client.get(f"/attachments/{e.sha256}").content for e in (*photos, sketch, report)]
    assert [without_data(jpeg()), without_data(png()), without_data(webp()), jpeg()] == kept
