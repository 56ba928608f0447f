"""Large pages travel compressed."""

import gzip

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES = 1400
"""What fits into one packet gains nothing."""

_LEVEL = 5


class CompressedPages:
    """ASGI middleware: compresses HTML by gzip where the browser takes it.

    Compression tells by its length what a page repeats of its address (BREACH): somebody else's
    site could have a signed-in browser ask again and again, and watch the sizes go by. So an answer
    to an address with a query, or to a form, is compressed only if a page of ours asked for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; compress the answer."""
        if scope["type"] != "http" or not _may_compress(scope):
            await self.app(scope, receive, send)
            return
        begun: list[Message] = []

        async def send_compressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            if not begun:
                await send(message)
                return
            start = begun.pop()
            await send(await _compressed(start, message))
            await send(message)

        await self.app(scope, receive, send_compressed)


def _may_compress(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    if "gzip" not in headers.get("accept-encoding", ""):
        return False
    repeats_nothing = scope["method"] == "GET" and not scope.get("query_string")
    return repeats_nothing or headers.get("sec-fetch-site") == "same-origin"


async def _compressed(start: Message, body: Message) -> Message:
    """Compress a page that comes in one piece; return the start that belongs to it."""
    headers = MutableHeaders(scope=start)
    if not headers.get("content-type", "").startswith("text/html"):
        return start
    headers.add_vary_header("Accept-Encoding")
    content = body.get("body", b"")
    if body.get("more_body") or len(content) < LEAST_BYTES or "content-encoding" in headers:
        return start
    # not in the event loop: a list of long texts takes a while
    body["body"] = await run_in_threadpool(gzip.compress, content, _LEVEL, mtime=0)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body["body"]))
    return start
