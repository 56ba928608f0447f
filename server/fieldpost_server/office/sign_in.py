"""Signing in and out."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, Problem, problem
from fieldpost.users import User
from fieldpost.wire.protocol import SHELL_HEADER
from fieldpost_server.accounts.known_browsers import KNOWN, browser_of, known_browser
from fieldpost_server.accounts.passwords import renewed_hash, verify_password
from fieldpost_server.accounts.sessions import (
    cookie_of,
    cookies_of,
    delete_cookies,
    end_session,
    set_cookies,
    set_known,
    start_session,
)
from fieldpost_server.accounts.throttle import (
    Guess,
    forget_failures,
    record_failure,
    seconds_to_wait,
)
from fieldpost_server.accounts.users import password_of, renew_hash
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import retry_after
from fieldpost_server.http.authentication import TOKEN
from fieldpost_server.http.security import is_trustworthy
from fieldpost_server.log import log
from fieldpost_server.office.pages import server_page
from fieldpost_server.settings import Settings

DEMO_ACCOUNTS = ("worker1", "worker2", "office", "lead", "admin")
MAX_CHARACTERS = 500
MOST_HASHES = 2
"""Passwords that one process checks at the same time; who comes then is asked to wait a moment."""

_STATUS = {Code.SIGN_IN_THROTTLED: 429, Code.SIGN_IN_BUSY: 503}


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody wants to come in.

    Attributes:
        name, password: as typed.
        address: where from.
        token: of the session that the browser has until now; may be empty.
        known: cookie that says with whom the browser has signed in; may be empty.
    """

    name: str
    password: str
    address: str
    token: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an attempt has come to: a session, or why there is none."""

    token: str = ""
    user: str = ""
    known: str = ""
    fault: Problem | None = None


_WRONG = Judged(fault=problem(Code.SIGN_IN_FAILED))


@dataclass(frozen=True, slots=True)
class SignIn:
    """The routes ``/sign-in`` and ``/sign-out``."""

    home: ServerHome
    settings: Settings
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_HASHES))
    printer: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "sign-in-page"))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/sign-in", self.show, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show the sign-in page."""
        return self._page(request.query_params.get("next", ""))

    async def sign_in(self, request: Request) -> Response:
        """Check name and password, and start a session."""
        async with request.form(max_files=0, max_fields=10) as form:
            name = str(form.get("name", ""))[:MAX_CHARACTERS].strip()
            password = str(form.get("password", ""))
            wanted = str(form.get("next", ""))
        address = request.client.host if request.client else ""
        secure = self._is_secure(request)
        known = cookie_of(cookies_of(request.headers.get("cookie", "")), KNOWN, secure=secure)
        token = request.scope.get(TOKEN, "")
        judged = await self._judged(Attempt(name, password, address, token, known))
        if (fault := judged.fault) is not None:
            status = _STATUS.get(fault.code, 422)
            # one page after the other, and not in the event loop: fifty at once hold up nobody
            made = partial(copy_context().run, self._page, wanted, name, fault, status)
            refused = await asyncio.get_running_loop().run_in_executor(self.printer, made)
            refused.headers.update(retry_after([fault]))
            return refused
        answer: Response = RedirectResponse(_own_address(wanted), 303)
        if request.headers.get(SHELL_HEADER):
            answer = Response(status_code=204)
        set_cookies(answer, judged.token, judged.user, self.settings, secure=secure)
        set_known(answer, judged.known, secure=secure)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session on the server."""
        token = request.scope.get(TOKEN, "")
        # fault point: session-not-ended — cookie and session are as they were: the person sees no
        # answer and signs out again.
        await run_in_threadpool(
            self.home.database.write, lambda session: end_session(session, token)
        )
        # not every browser ends a request whose redirect the shell does not follow
        by_shell = bool(request.headers.get(SHELL_HEADER))
        answer = Response(status_code=204) if by_shell else RedirectResponse("/sign-in", 303)
        if is_trustworthy(request.scope):
            answer.headers["Clear-Site-Data"] = '"cache"'
        delete_cookies(answer, secure=self._is_secure(request))
        return answer

    def _is_secure(self, request: Request) -> bool:
        return self.settings.is_secure(request.url.scheme)

    async def _judged(self, attempt: Attempt) -> Judged:
        """Let one in, with few hashes at a time: each takes a core and 64 MiB for a while."""
        if self.places.locked():
            return Judged(fault=problem(Code.SIGN_IN_BUSY, detail={"seconds": 2}))
        async with self.places:
            return await run_in_threadpool(self._checked, attempt)

    def _checked(self, attempt: Attempt) -> Judged:
        database = self.home.database
        name, password = attempt.name, attempt.password
        with database.read_session() as session:
            _, stored = password_of(session, name)
            guess = Guess(name, attempt.address, browser_of(attempt.known, name, stored))
            # who has to wait anyway does not stand in line for the one writer of SQLite
            wait = seconds_to_wait(session, guess)

        def counted(session: Session) -> int:
            # before it is judged: a burst of guesses is as slow as one after the other
            wait = seconds_to_wait(session, guess)
            if not wait:
                record_failure(session, guess)
            return wait

        if wait := wait or database.write(counted):
            words = problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail={"seconds": wait})
            return Judged(fault=words)
        # no transaction is open meanwhile: a hash takes as long as a hundred envelopes
        is_right = verify_password(stored, password)
        renewed = renewed_hash(stored, password) if is_right and stored else ""

        def work(session: Session) -> Judged:
            user, now_stored = password_of(session, name)
            if user is None or now_stored is None or now_stored != stored:
                return _WRONG  # changed or switched off since it was read
            if renewed:
                renew_hash(session, user, renewed)
            forget_failures(session, guess)
            # whoever signs in anew on a browser is done with what was open there
            end_session(session, attempt.token)
            known = known_browser(user.name, renewed or now_stored)
            return Judged(start_session(session, user), user.name, known)

        # fault point: sign-in-undecided — the attempt is counted as failed and no session was made:
        # the count ends with the next sign-in, or by time.
        judged = database.write(work) if is_right else _WRONG
        log("sign-in refused" if judged.fault else "signed in", user=name, address=attempt.address)
        return judged

    def _page(
        self, wanted: str, name: str = "", fault: Problem | None = None, status: int = 200
    ) -> Response:
        values: dict[str, Any] = {"next": wanted, "name": name, "problem": fault}
        accounts = DEMO_ACCOUNTS if self.settings.demo else ()
        return server_page(self.home, User(""), "sign_in.html", status, accounts=accounts, **values)


def _own_address(wanted: str) -> str:
    """Return where to go after signing in: an address of this server, whatever was asked for."""
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_own and wanted.isprintable() else "/"
