"""Headers that every answer of the server carries."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.wire.protocol import PROTOCOL, SERVER_HEADER
from fieldpost_server.settings import Settings

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

_OWN = ("camera", "geolocation", "microphone", "publickey-credentials-get")
"""What forms and signing in ask the browser for."""
_NOBODYS = ("accelerometer", "bluetooth", "display-capture", "gyroscope", "hid", "magnetometer")
_NOBODYS_EITHER = ("midi", "payment", "serial", "usb")
PERMISSIONS_POLICY = ", ".join(
    (*(f"{name}=(self)" for name in _OWN), *(f"{n}=()" for n in (*_NOBODYS, *_NOBODYS_EITHER)))
)

HTTPS_ONLY = "max-age=31536000; includeSubDomains"
"""A browser that has seen it comes by https only, for a year."""

HEADERS: Mapping[str, str] = {
    SERVER_HEADER.title(): str(PROTOCOL),
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    # pages and answers are one person's: only what says otherwise may be kept by a browser
    "Cache-Control": "no-store",
}

_TRUSTED_ONLY = frozenset({"Cross-Origin-Opener-Policy"})
"""What browsers heed at trustworthy addresses only; elsewhere they complain of it."""


def is_trustworthy(scope: Scope) -> bool:
    """Say whether the browser that asks trusts this address: https, or the machine itself.

    A proxy may take the encryption off; browsers send Fetch Metadata to such addresses only.
    """
    return scope["scheme"] == "https" or "sec-fetch-site" in Headers(scope=scope)


def headers_for(scheme: str, settings: Settings) -> Mapping[str, str]:
    """Return the headers of an answer to a request that came by `scheme`."""
    if settings.is_secure(scheme):
        return {**HEADERS, "Strict-Transport-Security": HTTPS_ONLY}
    return HEADERS


class SecurityHeaders:
    """ASGI middleware: adds `headers_for` to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; complete the headers of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        is_trusted = is_trustworthy(scope)
        standard = headers_for(scope["scheme"], self.settings)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in standard.items():
                    if is_trusted or name not in _TRUSTED_ONLY:
                        headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
