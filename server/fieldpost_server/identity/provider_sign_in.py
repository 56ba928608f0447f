"""Signing in with the provider: out to it, back from it, and linking it to one's account."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, InputError, problem
from fieldpost.users import User
from fieldpost_server.accounts.known_browsers import known_browser
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.session_list import browser_words
from fieldpost_server.accounts.sessions import (
    cookie_name,
    cookie_of,
    cookies_of,
    digest_of,
    end_session,
    find_session,
    set_cookies,
    set_known,
)
from fieldpost_server.accounts.throttle import Guess, count_attempt, forget_failures, is_noted
from fieldpost_server.accounts.users import locked_password_of
from fieldpost_server.factors.half_sign_ins import Entered, enter, set_half
from fieldpost_server.http.answers import retry_after, status_of
from fieldpost_server.http.authentication import TOKEN, actor_of, address_of
from fieldpost_server.http.places import Places
from fieldpost_server.identity.door import Door
from fieldpost_server.log import log
from fieldpost_server.office.pages import leading_back, own_address, server_page, user_of
from fieldpost_server.providers.identities import link, unlink, who_is
from fieldpost_server.providers.openid import Provider, Question
from fieldpost_server.providers.questions import ASKED, LASTS, Open, keep_question, take_question
from fieldpost_server.quotas.kinds import Kind

PATH = "/sign-in/provider"
MOST_ASKED = 4
"""So often one process asks the provider at a time: one that hangs holds up nothing else."""


@dataclass(frozen=True, slots=True)
class ProviderSignIn:
    """The routes below ``/sign-in/provider``, and those that link an account."""

    door: Door
    provider: Provider
    places: Places = field(default_factory=lambda: Places(MOST_ASKED, 5))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(PATH, self.begin, methods=["GET"]),
            Route(f"{PATH}/callback", self.come_back, methods=["GET"]),
            Route("/account/provider", self.begin_linking, methods=["POST"]),
            Route("/account/provider/remove", self.remove_link, methods=["POST"]),
            leading_back("/account/provider", "/account"),
        ]

    async def begin(self, request: Request) -> Response:
        """Lead to the provider."""
        return await self._lead(request, own_address(request.query_params.get("next", "")), "")

    async def begin_linking(self, request: Request) -> Response:
        """Show the page from which one goes to the provider, to link what one is there."""
        user, token = user_of(request), request.scope[TOKEN]
        return await self._lead(request, "/account", digest_of(token), user)

    async def _lead(
        self, request: Request, wanted: str, linking: str, user: User | None = None
    ) -> Response:
        try:
            with self.places.one():
                asked = await run_in_threadpool(self._question, address_of(request))
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, error)
        # fault point: provider-unasked — the question is there and nobody has heard of it: the next
        # one is another, and this one runs out.
        browser = await run_in_threadpool(
            self.door.home.database.write,
            lambda session: keep_question(session, asked, wanted, linking),
        )
        answer: Response = RedirectResponse(asked.address, 303)
        if user is not None:
            # a form may lead to no other site (form-action), so that a link does
            issuer = self.door.settings.oidc_issuer
            where = asked.address
            answer = server_page(
                self.door.home, user, "provider.html", address=where, issuer=issuer
            )
        secure = self.door.is_secure(request)
        answer.set_cookie(
            cookie_name(ASKED, secure=secure),
            browser,
            max_age=int(LASTS.total_seconds()),
            path="/",
            secure=secure,
            httponly=True,
            # the way back begins at the provider's site
            samesite="lax",
        )
        return answer

    def _question(self, address: str) -> Question:
        """Return a question to the provider: not too many of one address."""
        guess = Guess("", address, is_question=True)
        # fault point: provider-question-counted — it counts, and is not asked: the count ends with
        # the next sign-in from there, or by time.
        wait = self.door.home.database.write(lambda session: count_attempt(session, guess))
        if wait:
            detail = {"seconds": wait}
            raise InputError([problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail=detail)])
        return self.provider.ask()

    async def come_back(self, request: Request) -> Response:
        """Let in whom the provider names, or link her."""
        try:
            # before the question is taken: who has to wait a moment may load the page again
            with self.places.one():
                return await self._come_back(request)
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, error)

    async def _come_back(self, request: Request) -> Response:
        query, address = dict(request.query_params), address_of(request)
        secure = self.door.is_secure(request)
        cookies = cookies_of(request.headers.get("cookie", ""))
        browser = cookie_of(cookies, ASKED, secure=secure)
        try:
            opened = await run_in_threadpool(self._opened, query.get("state", ""), browser)
            if opened.session:
                return await run_in_threadpool(self._link, request, query, opened)
            agent = browser_words(request.headers.get("user-agent", ""))
            token = request.scope.get(TOKEN, "")
            user, stored, entered = await run_in_threadpool(
                self._enter, query, opened, agent, address, token
            )
        except FieldpostError as error:
            log("provider refused", address=address, why=error.problems[0].message)
            await run_in_threadpool(self._note_refused, error, address)
            return await run_in_threadpool(self._failed, error)
        if entered.half:
            answer = RedirectResponse("/sign-in/second", 303)
            set_half(answer, entered.half, secure=secure)
            return answer
        answer = RedirectResponse(own_address(opened.wanted), 303)
        set_cookies(answer, entered.session, user.name, self.door.settings, secure=secure)
        set_known(answer, known_browser(user.name, stored), secure=secure)
        return answer

    def _opened(self, state: str, browser: str) -> Open:
        # fault point: provider-unjudged — the question is over, and nobody is in: she asks again.
        opened = self.door.home.database.write(
            lambda session: take_question(session, state, browser)
        )
        if opened is None:
            raise InputError([problem(Code.SIGN_IN_OVER)])
        return opened

    def _enter(
        self, query: dict[str, str], opened: Open, agent: str, address: str, former: str
    ) -> tuple[User, str, Entered]:
        claims = self.provider.claims(query, opened.nonce, opened.verifier)
        settings, roles = self.door.settings, self.door.home.app.roles

        def work(session: Session) -> tuple[User, str, Entered]:
            user = who_is(session, claims, settings, roles, address)
            present, stored = locked_password_of(session, user.name)
            if present is None:
                raise InputError([problem(Code.ACCOUNT_OFF)])
            self.door.home.quotas.take_within(session, user.name, Kind.SESSIONS)
            end_session(session, former)
            forget_failures(session, Guess("", address, is_question=True))
            entered = enter(session, user, stored or "", settings, agent, address)
            what = Event.SIGNED_IN if entered.session else Event.SECOND_STEP
            who = Actor(user.name if entered.session else "", address)
            record(session, who, what, user.name, f"{agent}, by the provider".lstrip(", "))
            return user, stored or "", entered

        # fault point: provider-entered-unanswered — she is made or not, and her session begun or
        # not, in one transaction: whoever saw no answer signs in again.
        return self.door.home.database.write(work)

    def _link(self, request: Request, query: dict[str, str], opened: Open) -> Response:
        token = request.scope.get(TOKEN, "")
        claims = self.provider.claims(query, opened.nonce, opened.verifier)
        settings = self.door.settings

        def work(session: Session) -> None:
            found = find_session(session, token, settings)
            # it is the session that has asked, and is open still
            if found is None or digest_of(token) != opened.session:
                raise InputError([problem(Code.SIGN_IN_OVER)])
            actor = Actor(found.user.name, address_of(request))
            link(session, found.user.name, settings.oidc_issuer, str(claims["sub"]), actor)

        # fault point: provider-unlinked — one transaction: the account page shows whether it is.
        self.door.home.database.write(work)
        return RedirectResponse("/account?done=saved", 303)

    async def remove_link(self, request: Request) -> Response:
        """Take the link to the provider away."""
        user, actor = user_of(request), actor_of(request)
        # fault point: provider-linked-still — one transaction: the page shows whether it is.
        await run_in_threadpool(
            self.door.home.database.write, lambda session: unlink(session, user.name, actor)
        )
        return RedirectResponse("/account?done=deleted", 303)

    def _note_refused(self, error: FieldpostError, address: str) -> None:
        why = f"provider: {error.problems[0].code}"

        def work(session: Session) -> None:
            # anybody can come back with an answer to nothing: the first one of an hour is noted
            if not is_noted(session, why, address):
                record(session, Actor("", address), Event.SIGN_IN_REFUSED, "", why)

        # fault point: provider-refusal-unnoted — nobody was let in; only its event is missing.
        self.door.home.database.write(work)

    def _failed(self, error: FieldpostError) -> Response:
        page = server_page(
            self.door.home,
            User(""),
            "factor_failed.html",
            status_of(error),
            problem=error.problems[0],
            going_back="/sign-in",
            is_at_door=True,
        )
        page.headers.update(retry_after(error.problems))
        return page
