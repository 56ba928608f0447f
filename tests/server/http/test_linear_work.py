"""Work is linear in the bytes that come from outside (R66).

Every parser of what comes from outside is in `PARSERS`, with its worst case of `n` bytes or so.
"""

import gzip
import io
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

import pytest
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from apps import clinic
from fieldpost.errors import FieldpostError, InputError
from fieldpost.odp.form.rows import row_from_post
from fieldpost.text import jsontext
from fieldpost.text.filenames import plain_name
from fieldpost.text.numbers import plain_number
from fieldpost.web.framework.posted_forms import posted_parts
from fieldpost.web.framework.posted_pairs import posted_pairs
from fieldpost.web.framework.requests import MAX_FORM_FIELDS, MAX_FORM_FILES
from fieldpost.wire.envelope import read_envelope
from fieldpost_server.accounts.known_browsers import browser_of
from fieldpost_server.accounts.passwords import verify_password
from fieldpost_server.accounts.sessions import cookies_of
from fieldpost_server.accounts.throttle import Guess
from fieldpost_server.attachments.media_types import fault_of, media_type
from fieldpost_server.attachments.picture_data import without_data
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.http.guards import split
from fieldpost_server.packing.archives import make_wheel
from fieldpost_server.sync.prepared_images import _RANGE, Prepared
from fieldpost_server.sync.push_lines import PushLines
from fieldpost_server.sync.uploads import _forget_odd_range

pytestmark = pytest.mark.long

FORM = clinic.app.page("visit").layout
MOST_GROWTH = 2.5
MOST_BYTES = 60 << 20
N = 20_000
LIMIT = 64 << 20


def brackets(n: int) -> None:
    row_from_post(FORM, [("[1]" * n, "x")])


def deep_rows(n: int) -> None:
    row_from_post(FORM, [("orders" + "[1].doses" * n, "x")])


def many_rows(n: int) -> None:
    row_from_post(FORM, [(f"orders[{i % 1000}].doses[{i}].amount", "1") for i in range(n // 10)])


def many_names(n: int) -> None:
    row_from_post(FORM, [(f"{i}[1].x", "x") for i in range(n)])


def form_of_separators(n: int) -> None:
    with suppress(InputError):
        posted_pairs(b"&" * 50 * n, MAX_FORM_FIELDS)


def form_of_names(n: int) -> None:
    posted_pairs(b"a&" * n, MAX_FORM_FIELDS)


def form_of_escapes(n: int) -> None:
    posted_pairs(b"a=" + b"%c3+%" * 10 * n, MAX_FORM_FIELDS)


def query_of_names(n: int) -> None:
    QueryParams("a=1&" * n).multi_items()


def query_of_escapes(n: int) -> None:
    QueryParams("a=" + "%c3+%" * n).multi_items()


def deep_json(n: int) -> None:
    with pytest.raises(ValueError, match="deep"):
        jsontext.parse("[" * n)


def wide_json(n: int) -> None:
    jsontext.parse(f"[{'[],' * n}[]]")


def long_json(n: int) -> None:
    jsontext.parse(json.dumps(['\\"[{' * 10 * n]))


def open_json(n: int) -> None:
    with suppress(ValueError):
        jsontext.parse('"\\' * 10 * n)


def large_number(n: int) -> None:
    # thousands of digits are refused, or would cost their square
    with suppress(ValueError):
        jsontext.parse("1" * n)


def envelope_of_operations(n: int) -> None:
    operation = '{"do":"update","key":[1],"model":"visit","set":{},"was":{}}'
    with pytest.raises(InputError):
        read_envelope(f'{{"format":2,"operations":[{",".join([operation] * (n // 10))}]}}')


def read_all(body: bytes, *, is_zipped: bool) -> None:
    lines = PushLines(io.BytesIO(body), LIMIT, is_zipped=is_zipped)
    with suppress(InputError):
        lines.check()
        for _ in lines:
            pass


def lines_of_nothing(n: int) -> None:
    read_all(b"\n" * 100 * n, is_zipped=False)


def lines_of_a_byte(n: int) -> None:
    read_all(b"x\n" * (n // 5), is_zipped=False)


def one_line(n: int) -> None:
    read_all(b"x" * 500 * n, is_zipped=False)


def bomb(n: int) -> None:
    read_all(gzip.compress(bytes(500 * n)), is_zipped=True)


def many_members(n: int) -> None:
    read_all(gzip.compress(b"x") * (n // 20), is_zipped=True)


def noise(n: int) -> None:
    read_all(zipped_noise(n), is_zipped=True)


@lru_cache
def zipped_noise(n: int) -> bytes:
    return gzip.compress(random.Random(1).randbytes(10 * n))


def multipart(body: bytes, charset: str = "utf-8") -> None:
    headers = Headers({"content-type": f"multipart/form-data; boundary=b; charset={charset}"})
    with suppress(InputError, HTTPException):
        posted_parts(body, headers, MAX_FORM_FIELDS, MAX_FORM_FILES)


def many_parts(n: int) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    multipart(part * (n // 10) + b"--b--")


def parts_of_headers(n: int) -> None:
    multipart(b"--b\r\n" + b"X: y\r\n" * n)


def half_boundaries(n: int) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    multipart(head + b"\r\n-" * 10 * n + b"\r\n--b--")


def one_header(n: int) -> None:
    multipart(b"--b\r\nX: " + b"y" * 50 * n + b"\r\n\r\n1\r\n--b--")


def one_long_part(n: int) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    multipart(head + b"x" * 50 * n + b"\r\n--b--")


def texts_of_other_encodings(n: int) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    for charset in ("punycode", "idna", "unicode_escape"):
        multipart(head + b"x-" + b"9" * 5 * n + b"\r\n--b--", charset)


def many_files(n: int) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
    multipart((head + b"x" * n + b"\r\n") * MAX_FORM_FILES + b"--b--")


def odd_disposition(n: int) -> None:
    multipart(b"--b\r\nContent-Disposition: form-data; " + b'a="\\' * n + b"\r\n\r\n1\r\n--b--")


def cookies(n: int) -> None:
    cookies_of("a=1; " * n)


def cookie_of_quotes(n: int) -> None:
    cookies_of('a="' + "\\0" * 5 * n + '"')


def known_browser(n: int) -> None:
    browser_of("0" * 10 * n + ".", "anna", "x")


def asked(**headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


def ranges(n: int) -> None:
    for text in ("bytes=" + "0" * 10 * n, "bytes=" + "0-1," * n, "bytes=-" + "1" * 10 * n):
        _forget_odd_range(asked(range=text), 100)
        assert _RANGE.fullmatch(text) is None
        Prepared(b"x", {}).answer(asked(range=text))


def origin(n: int) -> None:
    split("http://" + "[" * n)
    split("http://" + ":@/" * n)


def picture_heads(n: int) -> None:
    for type_ in ("image/heic", "image/webp", "image/" + "x" * n, "/" * n):
        fault_of(b"....ftyp" * 2, media_type(type_))


def cleaned(content: bytes) -> None:
    with suppress(ValueError):
        without_data(content)


def jpeg_of_segments(n: int) -> None:
    cleaned(b"\xff\xd8" + b"\xff\xdb\0\2" * 5 * n + b"\xff\xd9")


def jpeg_of_fill(n: int) -> None:
    scan = b"\xff\xd8\xff\xda\0\2"
    for end in (b"\xff\xd9", b"\0\xff\xd9", b"\0"):
        cleaned(scan + b"\xff" * 50 * n + end)
    cleaned(b"\xff\xd8" + b"\xff" * 50 * n + b"\0")


def jpeg_of_turns(n: int) -> None:
    many = b"II*\0\x08\0\0\0\xff\xff" + bytes(60_000)
    cleaned(b"\xff\xd8" + (b"\xff\xe1\xea\x62Exif\0\0" + many) * (n // 5_000) + b"\xff\xd9")


def png_of_chunks(n: int) -> None:
    cleaned(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IDAT\0\0\0\0" * 3 * n)
    cleaned(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0eXIf\0\0\0\0" * 3 * n)


def webp_of_frames(n: int) -> None:
    frames = b"ANMF\x18\0\0\0" + bytes(16) + b"VP8 \0\0\0\0"
    body = b"WEBP" + frames * n
    cleaned(b"RIFF" + len(body).to_bytes(4, "little") + body)


def gif_of_blocks(n: int) -> None:
    cleaned(b"GIF89a" + bytes(7) + b"\x21\xfe\1x\0" * 3 * n + b"\x3b")
    cleaned(b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\1x" * 5 * n + b"\0\x3b")


def heif(items: bytes, places: bytes, times: int = 1) -> None:
    def box(kind: bytes, body: bytes) -> bytes:
        return (len(body) + 8).to_bytes(4, "big") + kind + body

    meta = box(b"iinf", items) + box(b"iloc", places)
    meta = box(b"meta", bytes(4) + meta)
    cleaned(box(b"ftyp", b"heic" + bytes(4)) + meta * times + bytes(8))


def heif_of_places(n: int) -> None:
    exif = b"\0\0\0\x14infe\2\0\0\0\0\1\0\0Exif"
    one = b"\0\1\0\0\xff\xff"
    heif(bytes(6) + exif, b"\0\0\0\0\x44\0\xff\xff" + one + (bytes(7) + b"\1") * n)
    # parts that take no bytes
    heif(bytes(6) + exif, b"\0\0\0\0\0\0\xff\xff" + one * n)
    # parts that are all of the file
    heif(bytes(6) + exif * n, b"\0\0\0\0\x44\0\xff\xff" + one + (bytes(6) + b"\1\0") * n)


def heif_of_metas(n: int) -> None:
    # each says that all of the file is data of the camera
    exif = b"\0\0\0\x14infe\2\0\0\0\0\1\0\0Exif"
    one = b"\0\0\0\0\x44\0\0\1\0\1\0\0\0\1\0\0\0\0" + (10 * n).to_bytes(4, "big")
    heif(bytes(6) + exif, one, n)


def file_name(n: int) -> None:
    plain_name("../\\." * 10 * n)


def cursor(n: int) -> None:
    with suppress(FieldpostError):
        Cursor.parse("f1." + "0" * 10 * n)
    with suppress(FieldpostError):
        Cursor.parse("f1." + "." * 10 * n)


def number(n: int) -> None:
    with suppress(ValueError):
        plain_number("1." * n)
    with suppress(ValueError):
        plain_number("9" * n)


def password(n: int) -> None:
    assert not verify_password(None, "x" * 100 * n)
    assert Guess("x" * 10 * n, "127.0.0.1").limits


def package_of_files(n: int) -> None:
    make_wheel("app", "1", {f"app/{i}.py": b"" for i in range(n // 20)})


def package_of_one(n: int) -> None:
    make_wheel("app", "1", {"app/data.txt": bytes(50 * n)})


PARSERS = (
    (brackets, deep_rows, many_rows, many_names),
    (form_of_separators, form_of_names, form_of_escapes, query_of_names, query_of_escapes),
    (deep_json, wide_json, long_json, open_json, large_number, envelope_of_operations),
    (lines_of_nothing, lines_of_a_byte, one_line, bomb, many_members, noise),
    (many_parts, parts_of_headers, half_boundaries, odd_disposition, one_header),
    (one_long_part, many_files, texts_of_other_encodings),
    (cookies, cookie_of_quotes, known_browser, ranges, origin, picture_heads, file_name),
    (jpeg_of_segments, jpeg_of_fill, jpeg_of_turns, png_of_chunks, webp_of_frames),
    (gif_of_blocks, heif_of_places, heif_of_metas),
    (cursor, number, password, package_of_files, package_of_one),
)


def cost(work: Callable[[int], None], n: int) -> tuple[float, int]:
    """Return seconds of processor time, the least of three, and bytes at the peak."""
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        work(n)
        seconds.append(time.process_time() - begun)
    tracemalloc.start()
    try:
        work(n)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return min(seconds), peak


@pytest.mark.parametrize(
    "work", [each for row in PARSERS for each in row], ids=lambda work: work.__name__
)
def test_twice_as_much_costs_about_twice(work: Callable[[int], None]) -> None:
    """The worst case of each parser grows with its bytes, and never with their square."""
    seconds, peak = cost(work, N)
    more_seconds, more_peak = cost(work, 2 * N)

    assert more_peak <= max(MOST_GROWTH * peak, 1 << 20), (peak, more_peak)
    # what grows with the square takes minutes at this size
    assert more_seconds <= max(MOST_GROWTH * seconds, 0.5), (seconds, more_seconds)
    assert more_peak < MOST_BYTES
