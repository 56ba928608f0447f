"""ASGI middleware in front of everything: no foreign hosts or origins."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fieldpost.errors import Code, problem
from fieldpost_server.http.answers import error_body
from fieldpost_server.settings import Settings

_PORTS = {"http": "80", "https": "443"}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class HostGuard:
    """Refuses requests for another host than the public address has, where that is set.

    Whoever watches over the server may ask for ``/health`` by any name.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.origin = settings.origin
        scheme, host, _ = split(settings.origin)
        self.hosts = {host, f"{host}:{_PORTS.get(scheme, '')}"} if host else set[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it."""
        if scope["type"] == "http" and self.hosts and scope["path"] != "/health":
            host = Headers(scope=scope).get("host", "").lower()
            if host not in self.hosts:
                answer = error_body([problem(Code.FOREIGN_HOST, origin=self.origin)])
                await JSONResponse(answer, 400)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class OriginGuard:
    """Refuses unsafe requests that a page of another origin has made.

    Browsers say where a request comes from (Fetch Metadata, Origin); programs say neither, and
    have no cookie of somebody else's. OWASP: "Cross-Site Request Forgery Prevention".
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in _SAFE and not self._is_own(scope):
            answer = JSONResponse(error_body([problem(Code.FOREIGN_ORIGIN)]), 403)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        if self.settings.origin:
            return split(origin) == split(self.settings.origin)
        scheme, host, _ = split(origin)
        if not host or host != headers.get("host", "").lower():
            return False
        # a proxy that nobody has named may have taken the encryption off: http says nothing then
        is_known = scope["scheme"] == "https" or bool(self.settings.proxies)
        return scheme == scope["scheme"] if is_known else True


def split(address: str) -> tuple[str, str, str]:
    """Return scheme, host with port, and the rest of an address; nothing where it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:  # such as one with half a bracket
        return "", "", ""
    return parts.scheme, parts.netloc.lower(), parts.path.rstrip("/") + parts.query + parts.fragment
