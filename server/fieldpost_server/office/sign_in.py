"""Signing in and out."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.users import User
from fieldpost.wire.protocol import SHELL_HEADER
from fieldpost_server.accounts.invitations import AT_SIGN_IN, invite
from fieldpost_server.accounts.known_browsers import KNOWN, browser_of, known_browser
from fieldpost_server.accounts.passwords import renewed_hash, verify_password
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.session_list import browser_words
from fieldpost_server.accounts.sessions import (
    cookie_of,
    cookies_of,
    delete_cookies,
    end_session,
    set_cookies,
    set_known,
)
from fieldpost_server.accounts.sign_out import sign_out
from fieldpost_server.accounts.throttle import (
    Guess,
    count_attempt,
    forget_failures,
    seconds_to_wait,
)
from fieldpost_server.accounts.users import (
    is_password_due,
    locked_password_of,
    password_of,
    password_of_switched_off,
    renew_hash,
)
from fieldpost_server.factors.half_sign_ins import enter, set_half
from fieldpost_server.factors.second_factors import factors_of
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import retry_after
from fieldpost_server.http.authentication import TOKEN, address_of
from fieldpost_server.http.security import is_trustworthy
from fieldpost_server.log import log
from fieldpost_server.office.pages import fields_of, own_address, public_address, server_page
from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.settings import Settings

DEMO_ACCOUNTS = ("worker1", "worker2", "office", "lead", "admin")
MAX_CHARACTERS = 500
MOST_HASHES = 2
"""Passwords that one process checks at the same time; who comes then is asked to wait a moment."""

_STATUS = {Code.SIGN_IN_THROTTLED: 429, Code.SIGN_IN_BUSY: 503, Code.QUOTA_USED: 429}


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody wants to come in.

    Attributes:
        name, password: as typed.
        address: where from.
        token: of the session that the browser has until now; may be empty.
        known: cookie that says with whom the browser has signed in; may be empty.
        browser: what the browser is called.
    """

    name: str
    password: str
    address: str
    token: str = ""
    known: str = ""
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an attempt has come to: a session, or why there is none.

    With `code` the password is right and was chosen by somebody else: the code lets its user
    choose one of her own (`invitations`). With `half` it is right and not enough: `is_due` says
    that she has no second factor yet.
    """

    token: str = ""
    user: str = ""
    known: str = ""
    code: str = ""
    half: str = ""
    is_due: bool = False
    fault: Problem | None = None


_WRONG = Judged(fault=problem(Code.SIGN_IN_FAILED))
_OFF = Judged(fault=problem(Code.ACCOUNT_OFF))


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
        fields = await fields_of(request)
        name = fields.get("name", "")[:MAX_CHARACTERS].strip()
        password, wanted = fields.get("password", ""), fields.get("next", "")
        secure = self._is_secure(request)
        known = cookie_of(cookies_of(request.headers.get("cookie", "")), KNOWN, secure=secure)
        token = request.scope.get(TOKEN, "")
        browser = browser_words(request.headers.get("user-agent", ""))
        attempt = Attempt(name, password, address_of(request), token, known, browser)
        judged = await self._judged(attempt)
        by_shell = bool(request.headers.get(SHELL_HEADER))
        if judged.code and not by_shell:
            return RedirectResponse(f"/invitation?code={judged.code}", 303)
        fault = judged.fault
        if judged.code or (judged.is_due and by_shell):
            # what is set up takes pages of its own
            address = f"{public_address(request, self.settings)}/sign-in"
            due = Code.PASSWORD_DUE if judged.code else Code.FACTOR_DUE
            fault = problem(due, address=address)
        if fault is not None:
            status = _STATUS.get(fault.code, 422)
            # one page after the other, and not in the event loop: fifty at once hold up nobody
            made = partial(copy_context().run, self._page, wanted, name, fault, status)
            refused = await asyncio.get_running_loop().run_in_executor(self.printer, made)
            refused.headers.update(retry_after([fault]))
            return refused
        if judged.half:
            asked = RedirectResponse(f"/sign-in/second?{urlencode({'next': wanted})}", 303)
            set_half(asked, judged.half, secure=secure)
            return asked
        answer: Response = RedirectResponse(own_address(wanted), 303)
        if by_shell:
            answer = Response(status_code=204)
        set_cookies(answer, judged.token, judged.user, self.settings, secure=secure)
        set_known(answer, judged.known, secure=secure)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session on the server."""
        token, address = request.scope.get(TOKEN, ""), address_of(request)
        # fault point: session-not-ended — cookie and session are as they were: the person sees no
        # answer and signs out again.
        await run_in_threadpool(
            self.home.database.write, lambda session: sign_out(session, token, address)
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
        database, name = self.home.database, attempt.name
        with database.read_session() as session:
            _, stored = password_of(session, name)
            off = None if stored else password_of_switched_off(session, name)
            guess = Guess(name, attempt.address, browser_of(attempt.known, name, stored))
            # who has to wait anyway does not stand in line for the one writer of SQLite
            wait = seconds_to_wait(session, guess)
        if wait := wait or database.write(lambda session: count_attempt(session, guess)):
            words = problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail={"seconds": wait})
            return Judged(fault=words)
        # no transaction is open meanwhile: a hash takes as long as a hundred envelopes
        is_right = verify_password(stored or off, attempt.password)
        renewed = renewed_hash(stored, attempt.password) if is_right and stored else ""

        def work(session: Session) -> Judged:
            judged = _WRONG
            if is_right:
                judged = self._begun(session, attempt, guess, stored, renewed) if stored else _OFF
            # nobody learns here what was typed where there is no such user: it may be a password
            _note(session, attempt, judged, name if stored or off else "")
            return judged

        # fault point: sign-in-undecided — the attempt is counted as failed and no session was made:
        # the count ends with the next sign-in, or by time.
        judged = database.write(work)
        log("sign-in refused" if judged.fault else "signed in", user=name, address=attempt.address)
        return judged

    def _begun(
        self, session: Session, attempt: Attempt, guess: Guess, stored: str, renewed: str
    ) -> Judged:
        """Begin the session of somebody whose password was right, or ask for her second factor."""
        user, now_stored = locked_password_of(session, attempt.name)
        if user is None or now_stored != stored:
            return _WRONG  # changed or switched off since it was read
        if renewed:
            renew_hash(session, user, renewed)
        forget_failures(session, guess)
        # whoever signs in anew on a browser is done with what was open there
        end_session(session, attempt.token)
        if is_password_due(session, user.name):
            return Judged(user=user.name, code=invite(session, user.name, AT_SIGN_IN))
        try:
            self.home.quotas.take_within(session, user.name, Kind.SESSIONS)
        except InputError as over:
            return Judged(fault=over.problems[0])
        hashed, where = renewed or stored, (attempt.browser, attempt.address)
        entered = enter(session, user, hashed, self.settings, *where)
        if entered.half:
            is_due = not factors_of(session, user.name)
            return Judged(user=user.name, half=entered.half, is_due=is_due)
        return Judged(entered.session, user.name, known_browser(user.name, hashed))

    def _page(
        self, wanted: str, name: str = "", fault: Problem | None = None, status: int = 200
    ) -> Response:
        values: dict[str, Any] = {"next": wanted, "name": name, "problem": fault}
        values["has_provider"] = bool(self.settings.oidc_issuer)
        accounts = DEMO_ACCOUNTS if self.settings.demo else ()
        return server_page(self.home, User(""), "sign_in.html", status, accounts=accounts, **values)


def _note(session: Session, attempt: Attempt, judged: Judged, name: str) -> None:
    """Keep what an attempt has come to as a security event."""
    if judged.token:
        actor = Actor(judged.user, attempt.address)
        record(session, actor, Event.SIGNED_IN, detail=attempt.browser)
        return
    stranger = Actor("", attempt.address)
    if judged.half:
        record(session, stranger, Event.SECOND_STEP, judged.user, attempt.browser)
        return
    why = judged.fault.code if judged.fault else Code.PASSWORD_DUE
    record(session, stranger, Event.SIGN_IN_REFUSED, name, f"{why} {attempt.browser}".strip())
