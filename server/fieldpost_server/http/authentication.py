"""ASGI middleware that knows who asks, and gives field workers the shell."""

from collections.abc import Callable
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fieldpost.app import App
from fieldpost.errors import Code, Forbidden, problem
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.protocol import SHELL_HEADER
from fieldpost_server.accounts.devices import is_of_revoked_device
from fieldpost_server.accounts.security_events import Actor
from fieldpost_server.accounts.sessions import (
    COOKIE,
    cookie_of,
    cookies_of,
    find_session,
    touch_session,
)
from fieldpost_server.http.answers import error_answer, signed_out
from fieldpost_server.scope.page_settings import offline_pages_for
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

TOKEN = "fieldpost.token"  # noqa: S105 - the name of a key, not a secret
"""Key of the session's token in an ASGI scope."""

APP_FILES = "/assets/app/"
"""Where the author's own files are: the one part of ``/assets/`` that is for users only.

It stays below ``/assets/``: service workers of all editions keep what is there.
"""

_PUBLIC = (
    "/assets/",
    "/sign-in",
    "/sign-out",
    "/invitation",
    "/sw.js",
    "/manifest.webmanifest",
    "/health",
    "/shell",
    "/favicon.ico",
    "/robots.txt",
    "/licences.txt",
)
_API = ("/sync/", "/attachments/", APP_FILES)


class Authentication:
    """Puts the user into the scope; sends everybody else to the sign-in page.

    Field workers get the shell for every navigation: it takes the page from Python on the device.
    """

    def __init__(
        self,
        app: ASGIApp,
        application: App,
        database: Database,
        settings: Settings,
        shell: Callable[[], str],
    ) -> None:
        self.app = app
        self.application = application
        self.database = database
        self.settings = settings
        self.shell = shell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with its user, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = cookies_of(headers.get("cookie", ""))
        token = cookie_of(cookies, COOKIE, secure=self.settings.is_secure(scope["scheme"]))
        scope[TOKEN] = token
        if _is_public(scope["path"]):
            await self.app(scope, receive, send)
            return
        user, offline = await run_in_threadpool(
            self._look_up, token, navigates=_is_navigation(scope, headers)
        )
        if user is not None:
            scope[USER] = user
        if user is None:
            await self._send_away(scope, receive, send)
        elif offline:
            await HTMLResponse(self.shell())(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _look_up(self, token: str, *, navigates: bool) -> tuple[User | None, bool]:
        """Return who asks, and whether a navigation of hers gets the shell."""
        if not token:
            return None, False
        with self.database.read_session() as session:
            found = find_session(session, token, self.settings)
            if found is None:
                return None, False
            offline = (
                navigates
                and found.user.is_field_worker
                and bool(offline_pages_for(session, self.application, found.user))
            )
        if found.stale:
            # fault point: session-untouched — only the moment of last use is missing: the next
            # request writes it.
            self.database.write(lambda writing: _touch(writing, token))
        return found.user, offline

    def _is_revoked(self, scope: Scope) -> bool:
        with self.database.read_session() as session:
            return is_of_revoked_device(session, scope[TOKEN])

    async def _send_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["path"].startswith(_API) and await run_in_threadpool(self._is_revoked, scope):
            revoked = Forbidden([problem(Code.DEVICE_REVOKED)])
            await error_answer(revoked)(scope, receive, send)
            return
        if scope["path"].startswith(_API) or headers.get(SHELL_HEADER):
            await signed_out()(scope, receive, send)
            return
        wanted = scope["path"] if scope["method"] == "GET" else "/"
        where = "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted)}"
        await RedirectResponse(where, 303)(scope, receive, send)


def actor_of(request: Request) -> Actor:
    """Return who asks, and from where; whoever is not signed in has no name."""
    user = request.scope.get(USER)
    return Actor(user.name if user else "", address_of(request))


def address_of(request: Request) -> str:
    """Return where a request comes from, as far as the server knows."""
    return request.client.host if request.client else ""


def _is_public(path: str) -> bool:
    return path.startswith(_PUBLIC) and not path.startswith(APP_FILES)


def _touch(session: Session, token: str) -> None:
    touch_session(session, token)


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    if scope["method"] != "GET" or headers.get(SHELL_HEADER) or scope["path"].startswith(_API):
        return False
    return "text/html" in headers.get("accept", "")
