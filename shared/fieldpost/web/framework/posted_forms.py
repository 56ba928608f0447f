"""Forms as browsers send them, with files and without: what is in a body that is there as a whole.

Nothing is waited for here, so that the server reads a form in its thread pool and a device where it
is: reading 16 MB of small fields takes seconds, and who reads them in the event loop holds
everybody up.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fieldpost.errors import Code, InputError, problem
from fieldpost.home import Upload
from fieldpost.web.framework.posted_pairs import URLENCODED, posted_pairs

_MULTIPART = "multipart/form-data"
_PIECE_BYTES = 256 << 10
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")

Reading = Callable[[], "PostedForm"]
Run = Callable[[Reading], Awaitable["PostedForm"]]


@dataclass(frozen=True, slots=True)
class PostedForm:
    """What a form holds.

    Attributes:
        pairs: names and values, in order.
        uploads: field names and files, in order.
    """

    pairs: Sequence[tuple[str, str]] = ()
    uploads: Sequence[tuple[str, Upload]] = ()


async def form_of(request: Request, run: Run, *, most_fields: int, most_files: int) -> PostedForm:
    """Return the form that a request posts; of anything else an empty one.

    Args:
        request: whose body is not larger than its address allows.
        run: reads it where that holds up nobody.
        most_fields, most_files: more are refused.

    Raises:
        InputError: there are more.
        HTTPException: 400, it is not as its type says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (URLENCODED, _MULTIPART):
        return PostedForm()
    body, headers = await request.body(), request.headers
    if kind == URLENCODED:
        return await run(lambda: PostedForm(posted_pairs(body, most_fields)))
    return await run(lambda: posted_parts(body, headers, most_fields, most_files))


def posted_parts(body: bytes, headers: Headers, most_fields: int, most_files: int) -> PostedForm:
    """Return what a body of several parts holds; raises as `form_of` does."""
    _, options = parse_options_header(headers["content-type"])
    boundary = options.get(b"boundary", b"").decode("latin-1")
    if not _BOUNDARY.fullmatch(boundary):
        raise HTTPException(400, "The form has no boundary.")
    # texts are UTF-8: another encoding is the sender's wish, and some cost the square of a text
    headers = Headers({"content-type": f'{_MULTIPART}; boundary="{boundary}"'})
    most = {"max_fields": most_fields, "max_files": most_files, "max_part_size": max(1, len(body))}
    parser = _InMemory(headers, _pieces(body), **most)
    try:
        form = _result(parser.parse())
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            limit = f"{most_fields} fields and {most_files} files"
            raise InputError([problem(Code.TOO_BIG, what="The form", limit=limit)]) from error
        raise HTTPException(400, error.message) from error
    with closing(parser):
        pairs, uploads = [], []
        for name, value in form.multi_items():
            if isinstance(value, str):
                pairs.append((name, value))
            elif value.filename:
                content = value.file.read()
                uploads.append((name, Upload(value.filename, value.content_type or "", content)))
        return PostedForm(pairs, uploads)


class _InMemory(MultiPartParser):
    """Keeps files where the body is: one that goes to a disk waits for a thread."""

    spool_max_size = 0

    def close(self) -> None:
        """Close all files, also one whose part has no end."""
        for file in self._files_to_close_on_error:
            file.close()


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _result(work: Coroutine[Any, Any, FormData]) -> FormData:
    """Return what comes of work that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        form: FormData = done.value
        return form
    work.close()
    raise RuntimeError("a form in memory was waited for")
