"""Headers that every answer of the server carries."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.wire.protocol import PROTOCOL, SERVER_HEADER

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002 - one directive a line
    (
        "default-src 'self'",
        # Pyodide compiles WebAssembly and nothing else: no 'unsafe-eval'
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)

HEADERS: Mapping[str, str] = {
    SERVER_HEADER.title(): str(PROTOCOL),
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_TRUSTED_ONLY = frozenset({"Cross-Origin-Opener-Policy"})
"""What browsers heed at trustworthy addresses only; elsewhere they complain of it."""


def is_trustworthy(scope: Scope) -> bool:
    """Say whether the browser that asks trusts this address: https, or the machine itself.

    A proxy may take the encryption off; browsers send Fetch Metadata to such addresses only.
    """
    return scope["scheme"] == "https" or "sec-fetch-site" in Headers(scope=scope)


class SecurityHeaders:
    """ASGI middleware: adds `HEADERS` to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; complete the headers of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        is_trusted = is_trustworthy(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if is_trusted or name not in _TRUSTED_ONLY:
                        headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
