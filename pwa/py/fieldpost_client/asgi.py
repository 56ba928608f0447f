"""Calls an ASGI app without a server: a request as plain data in, the answer as plain data out."""

from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

HOST = "device"
"""The host name that the app sees in its requests; it never leaves the device."""


async def handle(app: ASGIApp, request: dict[str, Any]) -> dict[str, Any]:
    """Let `app` answer one request.

    Args:
        app: the ASGI application; it must not use threads.
        request: ``{"method", "path" (with query), "headers": {…}, "body": text or None}``.

    Returns:
        ``{"status", "headers": {…} (names in lower case), "body": text}``. A header that occurs
        several times keeps its last value.
    """
    body = (request.get("body") or "").encode()
    inbox: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answer: dict[str, Any] = {"status": 500, "headers": {}}
    chunks: list[bytes] = []

    async def receive() -> Message:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["headers"] = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message.get("headers", ())
            }
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(_scope(request, len(body)), receive, send)
    return {**answer, "body": b"".join(chunks).decode("utf-8", "replace")}


def _scope(request: dict[str, Any], size: int) -> Scope:
    path, _, query = request["path"].partition("?")
    headers = {"host": HOST, "content-length": str(size)}
    headers |= {name.lower(): value for name, value in (request.get("headers") or {}).items()}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request["method"].upper(),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()],
        "client": None,
        "server": (HOST, 80),
        "state": {},
    }
