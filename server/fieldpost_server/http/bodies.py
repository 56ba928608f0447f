"""Bodies of requests: bounded in bytes, in time and in number, and read without holding them."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from time import monotonic
from typing import BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost_server.http.answers import error_body, retry_after
from fieldpost_server.http.places import Places
from fieldpost_server.settings import KIB, MIB, Settings

SILENCE_S = 60.0
"""So long may a body stand still, beside what its bytes take at the lowest rate."""
LOWEST_RATE = 500
"""Bytes a second: whoever is slower has no connection, or wants to hold ours."""
LARGE_BYTES = MIB
LARGE_BODIES = 6
"""Bodies above `LARGE_BYTES` that are held in memory at the same time."""
IN_MEMORY_BYTES = MIB
"""What is larger goes to a file while it arrives."""

_LENGTH = re.compile(r"[0-9]{1,18}")
_LIMITS = {
    "/sync/receipts": MIB,
    "/sync/device": 4 * MIB,
    "/sync/standing": 64 * KIB,
    "/sync/handed-over": 64 * KIB,
}
"""What a call needs at the most, where that is less than a form."""
_PIECE_BYTES = 4 * MIB
_BY_PREFIX = {
    # whoever asks for these may be anybody
    "/sign-in": 64 * KIB,
    "/sign-out": 64 * KIB,
    "/invitation": 64 * KIB,
    "/designer": 64 * KIB,
    "/people": 64 * KIB,
    "/account": 64 * KIB,
    "/devices": 64 * KIB,
    "/sync/attachments/": _PIECE_BYTES,
}


class _Refused(Exception):
    def __init__(self, status: int, why: Problem) -> None:
        super().__init__(why.message)
        self.status = status
        self.why = why


class BodyLimit:
    """ASGI middleware: refuses bodies that are too large, too slow or too many.

    What an announced length makes impossible is refused before a byte is read; else the body ends
    where it goes beyond. Whoever is refused gets no second request on the same connection.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.large = Places(LARGE_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with a watched body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit(scope["path"])
        length = Headers(scope=scope).get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > limit:
            await _refuse(413, too_big(limit), scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with ExitStack() as held:
            body = _Body(receive, limit, None if _is_streamed(scope) else self.large, held)
            try:
                await self.app(scope, body.receive, watched)
            except _Refused as refused:
                if not started:
                    await _refuse(refused.status, refused.why, scope, receive, send)

    def limit(self, path: str) -> int:
        """Return how many bytes an address takes."""
        if path == "/sync/push":
            return self.settings.max_push_bytes
        if path.startswith("/attachments/"):
            return self.settings.max_attachment_bytes
        most = self.settings.max_body_bytes
        for prefix, bytes_ in _BY_PREFIX.items():
            if path.startswith(prefix):
                return min(bytes_, most)
        return min(_LIMITS.get(path, most), most)


class _Body:
    """One body on its way."""

    def __init__(self, receive: Receive, limit: int, large: Places | None, held: ExitStack) -> None:
        self._receive = receive
        self._limit = limit
        self._large = large
        self._held = held
        self._begun = monotonic()
        self._seen = 0
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next part of the body; what comes after it is waited for without a limit."""
        if self._is_whole:
            return await self._receive()
        allowed = SILENCE_S + self._seen / LOWEST_RATE - (monotonic() - self._begun)
        try:
            async with asyncio.timeout(allowed):
                message = await self._receive()
        except TimeoutError:
            raise _Refused(408, problem(Code.TOO_SLOW)) from None
        self._count(len(message.get("body", b"")))
        self._is_whole = not message.get("more_body", False)
        return message

    def _count(self, more: int) -> None:
        before, self._seen = self._seen, self._seen + more
        if self._seen > self._limit:
            raise _Refused(413, too_big(self._limit))
        if self._large is not None and before <= LARGE_BYTES < self._seen:
            try:
                self._held.enter_context(self._large.one())
            except InputError as error:
                raise _Refused(503, error.problems[0]) from error


def too_big(limit: int) -> Problem:
    """Return that a body is larger than its address allows."""
    words = f"{limit >> 20} MB" if limit >> 20 else f"{limit} bytes"
    return problem(Code.TOO_BIG, what="The request", limit=words)


async def spooled(request: Request) -> BinaryIO:
    """Return a request's body as a file that is gone when it is closed; small ones need no disk."""
    # a file for whoever reads it, who closes it
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))  # noqa: SIM115 - the request closes it
    try:
        # fault point: body-half-spooled — the file has no name and ends with the process: whoever
        # sent the body has no answer, and sends it again.
        await pour(request.stream(), lambda piece: run_in_threadpool(file.write, piece))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


async def pour(stream: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[object]]) -> None:
    """Hand on what arrives, in pieces that are worth a change of threads."""
    kept, size = [], 0
    async for piece in stream:
        kept.append(piece)
        size += len(piece)
        if size >= 256 * KIB:
            await write(b"".join(kept))
            kept, size = [], 0
    if kept:
        await write(b"".join(kept))


def _is_streamed(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == "/sync/push" or path.startswith("/attachments/")


async def _refuse(status: int, why: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    # what is left of the body is not read: the connection ends with the answer
    headers = {"Connection": "close", **retry_after([why])}
    await JSONResponse(error_body([why]), status, headers)(scope, receive, send)
