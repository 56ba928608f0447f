"""Confirming: before what matters is changed, whoever is signed in shows again that it is she.

A form that changes passwords, second factors or roles is let through where its session is fresh.
Else its answer is a page that asks for the password, or a passkey, and sends the same form again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import wraps

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from fieldpost.errors import Code, FieldpostError, InputError, Problem, problem
from fieldpost.users import User
from fieldpost_server.accounts.known_browsers import KNOWN, browser_of
from fieldpost_server.accounts.passwords import verify_password
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.sessions import cookie_of, digest_of
from fieldpost_server.accounts.throttle import Guess, count_attempt, forget_failures
from fieldpost_server.accounts.users import password_of
from fieldpost_server.factors import passkeys
from fieldpost_server.factors.challenges import CONFIRM, new_challenge, take_challenge
from fieldpost_server.factors.confirmations import confirm_session, is_recent
from fieldpost_server.factors.passkeys import MOST_CHARACTERS
from fieldpost_server.factors.relying_party import needed_party, relying_party
from fieldpost_server.http.answers import error_answer, retry_after, status_of
from fieldpost_server.http.authentication import TOKEN, actor_of
from fieldpost_server.identity.door import Door
from fieldpost_server.identity.passkey_answers import FIELD, passkey_answer
from fieldpost_server.office.hashes import hashing
from fieldpost_server.office.pages import fields_of, server_page, user_of

PASSWORD = "confirm_password"  # noqa: S105 - the name of a field
PASSKEY = f"confirm_{FIELD}"

CONFIRMED = frozenset(
    {
        "/account/factors/authenticator",
        "/account/factors/authenticator/code",
        "/account/factors/passkey",
        "/account/factors/passkey/made",
        "/account/factors/remove",
        "/account/factors/codes",
        "/account/provider",
        "/designer/users/{user}",
        "/devices/revoke",
        "/people",
        "/people/active",
        "/people/factors",
        "/people/give-back",
        "/people/invitation",
        "/people/password",
        "/people/role",
    }
)
"""Forms that give somebody more, or another way in, or that destroy work on a device for good.

What only takes a way away is never held up.
"""

_NOT_AGAIN = frozenset({PASSWORD, PASSKEY, FIELD})
"""Fields that the second sending of a form has of its own, or not at all."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Stands before the forms of `CONFIRMED`, and has the route ``/account/confirm/options``."""

    door: Door
    places: asyncio.Semaphore

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/account/confirm/options", self.options, methods=["POST"])]

    def guarded(self, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
        """Return the routes, with those that matter behind this."""
        return [
            Route(each.path, self._before(each.endpoint), methods=["POST"])
            if isinstance(each, Route) and each.path in CONFIRMED and "POST" in (each.methods or ())
            else each
            for each in routes
        ]

    def _before(self, handler: Handler) -> Handler:
        @wraps(handler)
        async def confirmed(request: Request) -> Response:
            user, token = user_of(request), request.scope[TOKEN]
            if await run_in_threadpool(self._is_recent, token):
                return await handler(request)
            fields, _ = await passkey_answer(request)
            try:
                if not await self._shows(request, user, token):
                    return await run_in_threadpool(self._page, request, user, fields, None)
            except FieldpostError as error:
                return await run_in_threadpool(self._page, request, user, fields, error.problems[0])
            return await handler(request)

        return confirmed

    async def options(self, request: Request) -> Response:
        """Return what the browser needs to ask a passkey."""
        user, bound_to = user_of(request), digest_of(request.scope[TOKEN])

        def work(session: Session) -> object:
            party = needed_party(self.door.settings)
            challenge = new_challenge(session, bound_to, CONFIRM)
            return passkeys.request_options(session, user.name, party, challenge, verified=True)

        try:
            # fault point: confirmation-unasked — the challenge is there and nobody has heard of it:
            # the next one takes its place.
            return JSONResponse(await run_in_threadpool(self.door.home.database.write, work))
        except FieldpostError as error:
            return error_answer(error)

    def _is_recent(self, token: str) -> bool:
        with self.door.home.session() as session:
            return is_recent(session, token, self.door.settings)

    async def _shows(self, request: Request, user: User, token: str) -> bool:
        """Say whether she shows that it is she; raises `InputError` where that is wrong."""
        form = await fields_of(request, most_characters=MOST_CHARACTERS + 1)
        actor, password, answer = actor_of(request), form.get(PASSWORD), form.get(PASSKEY)
        if answer:
            await run_in_threadpool(self._by_passkey, user, actor, token, answer)
            return True
        if not password:
            return False
        secure = self.door.is_secure(request)
        known = cookie_of(request.cookies, KNOWN, secure=secure)
        await hashing(self.places, lambda: self._by_password(user, actor, token, password, known))
        return True

    def _by_password(self, user: User, actor: Actor, token: str, password: str, known: str) -> None:
        database = self.door.home.database
        with database.read_session() as session:
            _, stored = password_of(session, user.name)
        guess = Guess(user.name, actor.address, browser_of(known, user.name, stored))
        if wait := database.write(lambda session: count_attempt(session, guess)):
            detail = {"seconds": wait}
            raise InputError([problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail=detail)])
        is_right = verify_password(stored, password)

        def work(session: Session) -> None:
            if not is_right:
                record(session, actor, Event.SIGN_IN_REFUSED, user.name, "not confirmed")
                return
            forget_failures(session, guess)
            _confirm(session, actor, token, "with the password")

        # fault point: confirmation-missed — the attempt is counted as failed, and nothing else: the
        # count ends with the next right one, or by time.
        database.write(work)
        if not is_right:
            raise InputError([problem(Code.PASSWORD_WRONG, PASSWORD)])

    def _by_passkey(self, user: User, actor: Actor, token: str, answer: str) -> None:
        database, party = self.door.home.database, needed_party(self.door.settings)
        bound_to = digest_of(token)
        # fault point: confirmation-unjudged — its challenge is over: she tries again.
        challenge = database.write(lambda session: take_challenge(session, bound_to, CONFIRM))

        def work(session: Session) -> bool:
            done = passkeys.signs(session, user.name, party, challenge, answer, verified=True)
            if done:
                _confirm(session, actor, token, "with a passkey")
            else:
                record(session, actor, Event.SIGN_IN_REFUSED, user.name, "not confirmed")
            return done

        if not database.write(work):
            raise InputError([problem(Code.PASSKEY_FAILED)])

    def _page(
        self, request: Request, user: User, fields: dict[str, str], fault: Problem | None
    ) -> Response:
        party = relying_party(self.door.settings)
        with self.door.home.session() as session:
            has_passkey = passkeys.has_passkey(session, user.name, party)
        query = request.url.query
        shown = fault or problem(Code.CONFIRM_FIRST)
        page = server_page(
            self.door.home,
            user,
            "confirm.html",
            status_of(InputError([shown])),
            action=request.url.path + (f"?{query}" if query else ""),
            fields={name: text for name, text in fields.items() if name not in _NOT_AGAIN},
            problem=fault,
            has_passkey=has_passkey,
            party=party,
        )
        page.headers.update(retry_after([shown]))
        return page


def _confirm(session: Session, actor: Actor, token: str, how: str) -> None:
    confirm_session(session, token)
    record(session, actor, Event.CONFIRMED, actor.name, how)
