"""What strangers may know of a server's health: whether all is well, and nothing of the cause."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fieldpost_server.operations.health import Health

FRESH_S = 5.0
"""So long an answer is given again: each takes a look at many rows."""


@dataclass(slots=True)
class PublicHealth:
    """The route ``/health``: one look at a time, however many ask."""

    health: Health
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ok: bool = True
    _looked: float = float("-inf")

    async def answer(self, request: Request) -> Response:  # noqa: ARG002 - the router's
        """Say whether all is well; 'fieldpost check' says what is not."""
        async with self._turn:
            if monotonic() - self._looked >= FRESH_S:
                found = await run_in_threadpool(self.health.check)
                self._ok, self._looked = bool(found["ok"]), monotonic()
        return JSONResponse({"ok": self._ok}, 200 if self._ok else 503)
