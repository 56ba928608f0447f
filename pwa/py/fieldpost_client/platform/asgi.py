"""Calls an ASGI app without a server: a request as plain data in, the answer as plain data out."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from fieldpost_client.platform.base import Answer

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
    headers = request.get("headers") or {}
    answer = await call_app(app, request["method"], request["path"], headers, body)
    text = answer.body.decode("utf-8", "replace")
    return {"status": answer.status, "headers": dict(answer.headers), "body": text}


async def call_app(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    host: str = HOST,
    client: str | None = None,
) -> Answer:
    """Let `app` answer one request.

    Args:
        app: the ASGI application.
        method, path, headers, body: of the request; the path with its query.
        host: the name under which the app is asked.
        client: the address of who asks; None where there is none.
    """
    inbox: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    status, found, chunks = 500, dict[str, str](), list[bytes]()

    async def receive() -> Message:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for name, value in message.get("headers", ()):
                found[name.decode("latin-1").lower()] = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    sent = {"host": host, "content-length": str(len(body))}
    sent |= {name.lower(): value for name, value in headers.items()}
    between = {"server": (host, 80), "client": client and (client, 1)}
    await app({**_scope(method, path, sent), **between}, receive, send)
    return Answer(status, found, b"".join(chunks))


def _scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    place, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(place),
        "raw_path": place.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()],
        "state": {},
    }
