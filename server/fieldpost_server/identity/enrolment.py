"""Setting up a second factor: on one's account page, or at the door, where a role needs one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, InputError, Problem, problem
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.factors import authenticators, passkeys
from fieldpost_server.factors.challenges import ENROL, new_challenge, take_challenge
from fieldpost_server.factors.half_sign_ins import Half, is_open
from fieldpost_server.factors.recovery_codes import codes_left, make_codes
from fieldpost_server.factors.relying_party import RelyingParty, needed_party, relying_party
from fieldpost_server.factors.second_factors import AUTHENTICATOR, PASSKEY, factors_of
from fieldpost_server.http.answers import error_answer, status_of
from fieldpost_server.http.authentication import TOKEN, address_of
from fieldpost_server.identity.door import Door
from fieldpost_server.identity.passkey_answers import passkey_answer
from fieldpost_server.office.invitation import qr_code
from fieldpost_server.office.pages import fields_of, own_address, server_page
from fieldpost_server.signing.keyring import read_secret

AT_HOME, AT_THE_DOOR = "/account/factors", "/sign-in/factors"
MOST_OF_A_NAME = 50


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose second factor it is to be.

    Attributes:
        user: who.
        bound_to: digest that challenges are bound to.
        actor: who does it, and from where.
        half: her half sign-in; None where she is signed in.
        wanted: where she wants to go after signing in.
    """

    user: User
    bound_to: str
    actor: Actor
    half: Half | None = None
    wanted: str = ""

    @property
    def base(self) -> str:
        """Return what the addresses of her forms begin with."""
        return AT_THE_DOOR if self.half else AT_HOME


Work = Callable[[Session, Holder], list[str] | None]
"""Keeps a second factor; returns recovery codes where she has none yet."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The routes below ``/account/factors`` and ``/sign-in/factors`` that set up a factor."""

    door: Door

    def routes(self) -> list[Route]:
        """Return the routes."""
        ways = {
            "authenticator": self.begin_authenticator,
            "authenticator/code": self.confirm_authenticator,
            "passkey": self.begin_passkey,
            "passkey/options": self.options,
            "passkey/made": self.add_passkey,
        }
        return [
            Route(f"{base}/{way}", handler, methods=["POST"])
            for base in (AT_HOME, AT_THE_DOOR)
            for way, handler in ways.items()
        ]

    async def begin_authenticator(self, request: Request) -> Response:
        """Show the secret of a new authenticator, and ask for its first code."""
        fields = await fields_of(request)
        holder = await run_in_threadpool(self._holder, request, fields)
        if holder is None:
            return RedirectResponse("/sign-in", 303)

        def work(session: Session) -> tuple[str, str]:
            _need_open(session, holder)
            return authenticators.propose(session, holder.user.name, self._secret())

        try:
            # fault point: authenticator-begun — it counts for nothing before it has shown a code:
            # whoever saw no answer begins another one.
            identity, text = await run_in_threadpool(self.door.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, holder, error)
        return await run_in_threadpool(self._authenticator_page, holder, identity, text, "", None)

    async def confirm_authenticator(self, request: Request) -> Response:
        """Keep an authenticator that shows a right code."""
        fields = await fields_of(request)
        holder = await run_in_threadpool(self._holder, request, fields)
        if holder is None:
            return RedirectResponse("/sign-in", 303)
        identity, name = fields.get("id", ""), _name_of(fields, AUTHENTICATOR)
        user, secret = holder.user.name, self._secret()

        def work(session: Session, holder: Holder) -> list[str] | None:
            code = fields.get("code", "")
            if not authenticators.confirm(session, user, identity, code, name, secret):
                raise InputError([problem(Code.CODE_WRONG, "code")])
            return self._kept(session, holder, AUTHENTICATOR, name)

        try:
            return await self._enrolled(request, holder, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._asked_again, holder, identity, name, error)

    def _asked_again(
        self, holder: Holder, identity: str, name: str, error: FieldpostError
    ) -> Response:
        with self.door.home.session() as session:
            text = authenticators.proposed_secret(
                session, holder.user.name, identity, self._secret()
            )
        if text is None:
            return self._failed(holder, error)
        return self._authenticator_page(holder, identity, text, name, error.problems[0])

    async def begin_passkey(self, request: Request) -> Response:
        """Show the page that asks the browser for a passkey."""
        fields = await fields_of(request)
        holder = await run_in_threadpool(self._holder, request, fields)
        if holder is None:
            return RedirectResponse("/sign-in", 303)
        try:
            party = needed_party(self.door.settings)
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, holder, error)
        return await run_in_threadpool(self._passkey_page, holder, party, None)

    async def options(self, request: Request) -> Response:
        """Return what the browser needs to make a passkey."""
        fields = await fields_of(request)
        holder = await run_in_threadpool(self._holder, request, fields)

        def work(session: Session) -> Any:
            if holder is None:
                raise InputError([problem(Code.SIGN_IN_OVER)])
            _need_open(session, holder)
            party, title = needed_party(self.door.settings), self.door.home.app.title
            challenge = new_challenge(session, holder.bound_to, ENROL)
            return passkeys.creation_options(session, holder.user, party, challenge, title)

        try:
            # fault point: passkey-unmade — the challenge is there and nobody has heard of it: the
            # next one takes its place.
            return JSONResponse(await run_in_threadpool(self.door.home.database.write, work))
        except FieldpostError as error:
            return error_answer(error)

    async def add_passkey(self, request: Request) -> Response:
        """Keep a passkey that the browser has made."""
        fields, answer = await passkey_answer(request)
        holder = await run_in_threadpool(self._holder, request, fields)
        if holder is None:
            return RedirectResponse("/sign-in", 303)
        name = _name_of(fields, PASSKEY)

        def take(session: Session) -> bytes | None:
            return take_challenge(session, holder.bound_to, ENROL)

        try:
            party = needed_party(self.door.settings)
            # fault point: passkey-unkept — its challenge is over and it is not kept: the browser
            # has one that opens nothing, and she makes another one.
            challenge = await run_in_threadpool(self.door.home.database.write, take)

            def work(session: Session, holder: Holder) -> list[str] | None:
                user = holder.user.name
                passkeys.add_passkey(session, user, party, challenge, answer, name)
                return self._kept(session, holder, PASSKEY, name)

            return await self._enrolled(request, holder, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._not_made, holder, error)

    # what all have in common

    def _holder(self, request: Request, fields: dict[str, str]) -> Holder | None:
        address = address_of(request)
        if request.url.path.startswith(AT_HOME):
            user = request.scope[USER]
            return Holder(user, digest_of(request.scope[TOKEN]), Actor(user.name, address))
        half = self.door.half_of(request)
        if half is None:
            return None
        with self.door.home.session() as session:
            has_one = bool(factors_of(session, half.user.name))
        # who has a second factor shows that: a password adds none
        if has_one:
            return None
        actor = Actor(half.user.name, address)
        return Holder(half.user, half.digest, actor, half, fields.get("next", ""))

    def _kept(self, session: Session, holder: Holder, kind: str, name: str) -> list[str] | None:
        user = holder.user.name
        record(session, holder.actor, Event.FACTOR_ADDED, user, f"{kind}: {name}")
        if codes_left(session, user):
            return None
        record(session, holder.actor, Event.RECOVERY_CODES_MADE, user)
        return make_codes(session, user)

    async def _enrolled(self, request: Request, holder: Holder, work: Work) -> Response:
        def both(session: Session) -> tuple[list[str] | None, str | None]:
            _need_open(session, holder)
            codes = work(session, holder)
            if holder.half is None:
                return codes, None
            address = holder.actor.address
            token = self.door.begin(session, holder.half, address, "a new second factor")
            if token is None:
                raise InputError([problem(Code.SIGN_IN_OVER)])
            return codes, token

        # fault point: factor-kept-unanswered — it counts, and its recovery codes were never seen:
        # she makes others on her account page.
        codes, token = await run_in_threadpool(self.door.home.database.write, both)
        going_on = own_address(holder.wanted) if holder.half else "/account"
        answer: Response = RedirectResponse(going_on if token else f"{going_on}?done=saved", 303)
        if codes:
            answer = await run_in_threadpool(self._codes_page, holder, codes, going_on)
        if token and holder.half:
            self.door.give_cookies(request, answer, holder.half, token)
        return answer

    def _secret(self) -> bytes | None:
        return read_secret(self.door.settings.signing_secret_file)

    # pages

    def _authenticator_page(
        self, holder: Holder, identity: str, text: str, name: str, fault: Problem | None
    ) -> Response:
        title = self.door.home.app.title
        address = authenticators.address_for_app(text, holder.user.name, title)
        return server_page(
            self.door.home,
            User("") if holder.half else holder.user,
            "authenticator.html",
            status_of(InputError([fault])) if fault else 200,
            holder=holder,
            id=identity,
            secret=" ".join(text[at : at + 4] for at in range(0, len(text), 4)),
            address=address,
            qr=qr_code(address),
            name=name,
            problem=fault,
        )

    def _passkey_page(self, holder: Holder, party: RelyingParty, fault: Problem | None) -> Response:
        return server_page(
            self.door.home,
            User("") if holder.half else holder.user,
            "passkey.html",
            status_of(InputError([fault])) if fault else 200,
            holder=holder,
            party=party,
            problem=fault,
        )

    def _not_made(self, holder: Holder, error: FieldpostError) -> Response:
        party = relying_party(self.door.settings)
        if party is None or error.problems[0].code != Code.PASSKEY_FAILED:
            return self._failed(holder, error)
        return self._passkey_page(holder, party, error.problems[0])

    def _codes_page(self, holder: Holder, codes: list[str], going_on: str) -> Response:
        return server_page(
            self.door.home,
            holder.user,
            "recovery_codes.html",
            codes=codes,
            going_on=going_on,
            is_at_door=holder.half is not None,
        )

    def _failed(self, holder: Holder, error: FieldpostError) -> Response:
        user = User("") if holder.half else holder.user
        going_back = "/sign-in/second" if holder.half else "/account"
        return server_page(
            self.door.home,
            user,
            "factor_failed.html",
            status_of(error),
            problem=error.problems[0],
            going_back=going_back,
            is_at_door=holder.half is not None,
        )


def _need_open(session: Session, holder: Holder) -> None:
    """Raise `InputError` where a half sign-in has run out, or its user has a factor meanwhile."""
    if holder.half is None:
        return
    if not is_open(session, holder.half) or factors_of(session, holder.user.name):
        raise InputError([problem(Code.SIGN_IN_OVER)])


def _name_of(fields: dict[str, str], kind: str) -> str:
    name = fields.get("name", "").strip()[:MOST_OF_A_NAME]
    return name if name and name.isprintable() else kind.capitalize()
