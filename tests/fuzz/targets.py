"""Every parser of what comes from outside, as a function of bytes (R66).

Each raises only what its own docstring names for bad input: anything else is a fault. `run.py`
looks for such bytes, guided by coverage; what it has found interesting lies in `corpus`, one folder
for each, and `test_corpus.py` goes through it with every run of the tests.
"""

import io
from collections.abc import Callable
from pathlib import Path

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
from fieldpost.wire.envelope import read_envelope
from fieldpost_server.accounts.known_browsers import browser_of
from fieldpost_server.accounts.sessions import cookies_of
from fieldpost_server.attachments.media_types import media_type
from fieldpost_server.attachments.picture_data import without_data
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.http.guards import split
from fieldpost_server.sync.prepared_images import Prepared
from fieldpost_server.sync.push_lines import PushLines

CORPUS = Path(__file__).parent / "corpus"
MOST_BYTES = 4_096
"""Of one example: what is longer is of `test_linear_work.py`."""

_FORM = clinic.app.page("visit").layout


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _form(data: bytes) -> None:
    row_from_post(_FORM, posted_pairs(data, 100))


def _parts(data: bytes) -> None:
    posted_parts(data, Headers({"content-type": "multipart/form-data; boundary=b"}), 100, 10)


def _parts_of_a_kind(data: bytes) -> None:
    kind, _, body = data.partition(b"\n")
    raw = [(b"content-type", b"multipart/form-data; " + kind)]
    posted_parts(body, Headers(raw=raw), 100, 10)


def _lines(data: bytes, *, is_zipped: bool) -> None:
    lines = PushLines(io.BytesIO(data), 1 << 20, is_zipped=is_zipped)
    lines.check()
    for _ in lines:
        pass


def _range(data: bytes) -> None:
    headers = [(b"range", data)]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers})
    Prepared(b"x" * 50, {}).answer(request)


_Target = tuple[Callable[[bytes], object], tuple[type[Exception], ...]]

TARGETS: dict[str, _Target] = {
    "form": (_form, (InputError,)),
    "parts": (_parts, (InputError, HTTPException)),
    "parts-of-a-kind": (_parts_of_a_kind, (InputError, HTTPException)),
    "query": (lambda data: QueryParams(data.decode("latin-1")).multi_items(), ()),
    "json": (lambda data: jsontext.parse(_text(data)), (ValueError,)),
    "envelope": (read_envelope, (InputError,)),
    "lines": (lambda data: _lines(data, is_zipped=False), (InputError,)),
    "zipped-lines": (lambda data: _lines(data, is_zipped=True), (InputError,)),
    "picture": (without_data, (ValueError,)),
    "media-type": (lambda data: media_type(data.decode("latin-1")), ()),
    "file-name": (lambda data: plain_name(_text(data)), ()),
    "number": (lambda data: plain_number(_text(data)), (ValueError,)),
    "cursor": (lambda data: Cursor.parse(_text(data)), (FieldpostError,)),
    "cookies": (lambda data: cookies_of(data.decode("latin-1")), ()),
    "known-browser": (lambda data: browser_of(data.decode("latin-1"), "anna", "x"), ()),
    "origin": (lambda data: split(data.decode("latin-1")), ()),
    "range": (_range, ()),
}
"""By name: the parser, and what it may raise."""


def try_one(name: str, data: bytes) -> None:
    """Give one example to a parser; raises what it must not raise."""
    parse, allowed = TARGETS[name]
    try:
        parse(data)
    except allowed:
        return


def examples(name: str) -> list[Path]:
    """Return the kept examples of a parser."""
    return sorted((CORPUS / name).iterdir())
