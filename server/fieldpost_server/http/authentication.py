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
from fieldpost.errors import Forbidden
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.protocol import DEVICE_HEADER, HANDING_OVER_HEADER, SHELL_HEADER
from fieldpost.wire.shapes import is_device_id
from fieldpost_server.accounts.security_events import Actor
from fieldpost_server.accounts.sessions import (
    COOKIE,
    cookie_of,
    cookies_of,
    find_session,
    touch_session,
)
from fieldpost_server.accounts.users import find_user
from fieldpost_server.devices.revocations import may_hand_over, revoked_by_token
from fieldpost_server.devices.wipe_orders import WipeOrders
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
HANDED_OVER = "/sync/handed-over"
_HANDING_OVER = frozenset({"/sync/push", HANDED_OVER})
"""What a revoked device may still call, where it was ordered to hand over its work."""


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
        orders: WipeOrders,
    ) -> None:
        self.app = app
        self.application = application
        self.database = database
        self.settings = settings
        self.shell = shell
        self.orders = orders

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

    def _revoked(self, scope: Scope, headers: Headers) -> User | Forbidden | None:
        """Return who hands over her work, what a revoked device is told; None where it is none.

        The session that a revoked device has used has ended. It shows which device it is, still,
        and opens nothing but what the device was ordered to do.
        """
        asked = headers.get(DEVICE_HEADER, "")
        with self.database.read_session() as session:
            found = revoked_by_token(session, scope[TOKEN], asked)
            user = None
            if found is not None and _hands_over(scope, headers):
                is_end = scope["path"] == HANDED_OVER
                is_open = found[0] == asked and may_hand_over(session, asked, to_end=is_end)
                user = find_user(session, found[1]) if is_open else None
        if user is not None:
            return user
        if found is not None:
            is_it = found[0] == asked
            return self.orders.heard_of(asked) if is_it else self.orders.refusal(found[0])
        return self.orders.for_a_stranger(asked) if is_device_id(asked) else None

    async def _send_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["path"].startswith(_API):
            found = await run_in_threadpool(self._revoked, scope, headers)
            if isinstance(found, User):
                scope[USER] = found
                await self.app(scope, receive, send)
                return
            if found is not None:
                await error_answer(found)(scope, receive, send)
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


def _hands_over(scope: Scope, headers: Headers) -> bool:
    if HANDING_OVER_HEADER not in headers:
        return False
    method, path = scope["method"], scope["path"]
    is_piece = path.startswith("/sync/attachments/") and method in ("HEAD", "PATCH")
    return is_piece or (method == "POST" and path in _HANDING_OVER)


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    if scope["method"] != "GET" or headers.get(SHELL_HEADER) or scope["path"].startswith(_API):
        return False
    return "text/html" in headers.get("accept", "")
