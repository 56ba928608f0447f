"""A device that signed out without a connection: its session ends at the next contact."""

from collections.abc import Callable

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.wire.shapes import is_device_id
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.sessions import (
    COOKIE,
    cookie_name,
    cookie_of,
    cookies_of,
    end_session,
)
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

LEFT = "fieldpost_signed_out"
"""Cookie that the shell sets when it signs out and the server cannot be reached: the session's own
cookie is out of a script's reach, and would sign in whoever opens the app next.

Its value is the device's id where nothing is left on it, else ``1``."""

Emptied = Callable[[Session, str, str], bool]
"""Keeps that a device, by its id, says that nothing is left on it: session, id, token."""


class EndLeftSessions:
    """ASGI middleware: a request with the mark `LEFT` ends its session and counts as nobody's."""

    def __init__(
        self, app: ASGIApp, database: Database, settings: Settings, emptied: Emptied
    ) -> None:
        self.app = app
        self.emptied = emptied
        self.database = database
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, without its cookies where the device was left."""
        cookies = cookies_of(Headers(scope=scope).get("cookie", "")) if _is_http(scope) else {}
        secure = _is_http(scope) and self.settings.is_secure(scope["scheme"])
        mark = cookie_of(cookies, LEFT, secure=secure)
        if not mark:
            await self.app(scope, receive, send)
            return
        token = cookie_of(cookies, COOKIE, secure=secure)
        if token or is_device_id(mark):
            address = (scope.get("client") or ("",))[0]
            await run_in_threadpool(self._end, token, address, mark)
        kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]

        async def send_without_mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # what is said to this browser no cache may say to others: it empties them
                headers["Cache-Control"] = "no-store"
                if is_device_id(mark):
                    # the browser's own database may hold remains of what was removed
                    headers["Clear-Site-Data"] = '"cache", "storage"'
                for each in (False, True):
                    # which one the browser has depends on what it knows of this address
                    name = cookie_name(LEFT, secure=each)
                    ends = "; Path=/; Max-Age=0; SameSite=Strict" + ("; Secure" if each else "")
                    headers.append("Set-Cookie", f"{name}={ends}")
            await send(message)

        await self.app({**scope, "headers": kept}, receive, send_without_mark)

    def _end(self, token: str, address: str, mark: str) -> None:
        def work(session: Session) -> None:
            # before the session goes, which shows whose device it is
            if is_device_id(mark) and self.emptied(session, mark, token):
                record(session, Actor("", address), Event.DEVICE_EMPTIED, detail=mark)
            if token:
                sign_out(session, token, address)

        # fault point: left-session-open — the mark is in the browser's cookie until an answer takes
        # it away: its next request ends the session.
        self.database.write(work)


def sign_out(session: Session, token: str, address: str) -> None:
    """End a session at the wish of whoever has its token."""
    if user := end_session(session, token):
        record(session, Actor(user, address), Event.SIGNED_OUT)


def _is_http(scope: Scope) -> bool:
    return bool(scope["type"] == "http")
