"""The page of one's own account: password, sessions and devices, for everybody."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, InputError, Problem, problem
from fieldpost.users import User
from fieldpost.web.framework.templates import DONE_WORDS
from fieldpost_server.accounts.devices import devices
from fieldpost_server.accounts.known_browsers import KNOWN, browser_of, known_browser
from fieldpost_server.accounts.passwords import MIN_CHARACTERS, verify_password
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.session_list import browser_words, end_all, end_one, sessions_of
from fieldpost_server.accounts.sessions import cookie_of, set_cookies, set_known, start_session
from fieldpost_server.accounts.throttle import Guess, count_attempt, forget_failures
from fieldpost_server.accounts.users import (
    locked_password_of,
    password_of,
    prepared_password,
    store_password,
)
from fieldpost_server.factors.recovery_codes import codes_left
from fieldpost_server.factors.relying_party import relying_party
from fieldpost_server.factors.second_factors import factors_of, is_demanded
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import retry_after, status_of
from fieldpost_server.http.authentication import TOKEN, actor_of
from fieldpost_server.office.devices import lines_of
from fieldpost_server.office.hashes import hashing
from fieldpost_server.office.pages import fields_of, leading_back, server_page, user_of
from fieldpost_server.providers.identities import is_linked
from fieldpost_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Account:
    """The routes below ``/account``."""

    home: ServerHome
    settings: Settings
    places: asyncio.Semaphore

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/account", self.show, methods=["GET"]),
            Route("/account/password", self.change_password, methods=["POST"]),
            Route("/account/sessions", self.end_sessions, methods=["POST"]),
            *(leading_back(f"/account/{name}", "/account") for name in ("password", "sessions")),
        ]

    async def show(self, request: Request) -> Response:
        """Show the account of whoever asks."""
        done = DONE_WORDS.get(request.query_params.get("done", ""), "")
        return await run_in_threadpool(self._page, user_of(request), request.scope[TOKEN], (), done)

    async def change_password(self, request: Request) -> Response:
        """Change one's own password; all other sessions end, and this one goes on as a new one."""
        user, actor, fields = user_of(request), actor_of(request), await fields_of(request)
        secure = self.settings.is_secure(request.url.scheme)
        known = cookie_of(request.cookies, KNOWN, secure=secure)
        agent = browser_words(request.headers.get("user-agent", ""))
        try:
            stored, hashed = await hashing(
                self.places, lambda: self._judged(user, actor, fields, known)
            )

            def work(session: Session) -> str:
                if locked_password_of(session, user.name)[1] != stored:
                    raise InputError([problem(Code.PASSWORD_WRONG, "old")])
                store_password(session, user.name, hashed)
                record(session, actor, Event.PASSWORD_CHANGED, user.name)
                return start_session(session, user, agent, actor.address)

            # fault point: password-changed-unanswered — the new password holds and no session is
            # open: whoever got no answer signs in with it.
            token = await run_in_threadpool(self.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(
                self._page, user, request.scope[TOKEN], error.problems, ""
            )
        answer = RedirectResponse("/account?done=password", 303)
        set_cookies(answer, token, user.name, self.settings, secure=secure)
        set_known(answer, known_browser(user.name, hashed), secure=secure)
        return answer

    def _judged(
        self, user: User, actor: Actor, fields: Mapping[str, str], known: str
    ) -> tuple[str | None, str]:
        """Return the hash of the present password, which is right, and that of the new one.

        Raises:
            InputError: it is wrong, tried too often, or the new one is not good enough.
        """
        database = self.home.database
        with database.read_session() as session:
            _, stored = password_of(session, user.name)
        guess = Guess(user.name, actor.address, browser_of(known, user.name, stored))
        if wait := database.write(lambda session: count_attempt(session, guess)):
            detail = {"seconds": wait}
            raise InputError([problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail=detail)])
        # fault point: own-password-unjudged — the attempt is counted as failed, and nothing else:
        # the count ends with the next right one, or by time.
        if not verify_password(stored, fields.get("old", "")):
            database.write(lambda session: _note_wrong(session, actor))
            raise InputError([problem(Code.PASSWORD_WRONG, "old")])
        database.write(lambda session: forget_failures(session, guess))
        return stored, prepared_password(user.name, fields.get("new", ""))

    async def end_sessions(self, request: Request) -> Response:
        """End one other session, or all others."""
        actor, own = actor_of(request), request.scope[TOKEN]
        wanted = (await fields_of(request)).get("session", "")

        def work(session: Session) -> None:
            name, all_others = actor.name, wanted == "others"
            count = end_all(session, name, own) if all_others else end_one(session, name, wanted)
            if count:
                record(session, actor, Event.SESSIONS_ENDED, name, str(count))

        # fault point: own-sessions-open — one transaction: the page shows which are open still.
        await run_in_threadpool(self.home.database.write, work)
        return RedirectResponse("/account?done=ended", 303)

    def _page(self, user: User, token: str, problems: Sequence[Problem], done: str) -> Response:
        with self.home.session() as session:
            sessions = sessions_of(session, user.name, self.settings, token)
            lines = lines_of(session, devices(session, user.name), {})
            issuer = self.settings.oidc_issuer
            linked = bool(issuer) and is_linked(session, user.name, issuer)
            factors, left = factors_of(session, user.name), codes_left(session, user.name)
        page = server_page(
            self.home,
            user,
            "account.html",
            status_of(InputError(list(problems))) if problems else 200,
            sessions=sessions,
            lines=lines,
            factors=factors,
            codes_left=left,
            is_demanded=is_demanded(user, self.settings),
            issuer=issuer,
            is_linked=linked,
            party=relying_party(self.settings),
            problems=problems,
            least=MIN_CHARACTERS,
            done=done,
        )
        page.headers.update(retry_after(problems) if problems else {})
        return page


def _note_wrong(session: Session, actor: Actor) -> None:
    record(session, actor, Event.SIGN_IN_REFUSED, actor.name, "the present password was wrong")
