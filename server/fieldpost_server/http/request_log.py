"""ASGI middleware: one line of the log for every request."""

from logging import ERROR, INFO
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.web.framework.requests import USER
from fieldpost_server.http.authentication import APP_FILES
from fieldpost_server.log import log

_QUIET = ("/assets/", "/health")


class RequestLog:
    """Logs method, path, status, user, address and milliseconds; no queries, headers or bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and log how it ended."""
        if scope["type"] != "http" or _is_quiet(scope["path"]):
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            user = scope.get(USER)
            log(
                "request",
                # nothing was sent: the handler failed, or the client went away
                level=ERROR if status >= 500 else INFO,
                method=scope["method"],
                path=scope["path"],
                status=status,
                user=user.name if user else "",
                address=scope["client"][0] if scope.get("client") else "",
                ms=round((perf_counter() - started) * 1000, 1),
            )


def _is_quiet(path: str) -> bool:
    return path.startswith(_QUIET) and not path.startswith(APP_FILES)
