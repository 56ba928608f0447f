"""The second step of signing in: a code of an app, a passkey, or a recovery code."""

from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, InputError, Problem, problem
from fieldpost.users import User
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.throttle import Guess, count_attempt, forget_failures
from fieldpost_server.factors import passkeys
from fieldpost_server.factors.authenticators import shows_code
from fieldpost_server.factors.challenges import SIGN_IN, new_challenge, take_challenge
from fieldpost_server.factors.half_sign_ins import Half, count_failure, is_open
from fieldpost_server.factors.recovery_codes import codes_left, use_code
from fieldpost_server.factors.relying_party import needed_party, relying_party
from fieldpost_server.factors.second_factors import AUTHENTICATOR, factors_of
from fieldpost_server.http.answers import error_answer, retry_after, status_of
from fieldpost_server.http.authentication import address_of
from fieldpost_server.identity.door import Door
from fieldpost_server.identity.passkey_answers import passkey_answer
from fieldpost_server.log import log
from fieldpost_server.office.pages import fields_of, server_page
from fieldpost_server.signing.keyring import read_secret

PATH = "/sign-in/second"


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The routes below ``/sign-in/second``; whoever has shown her password needs no session."""

    door: Door

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(PATH, self.show, methods=["GET"]),
            Route(PATH, self.try_code, methods=["POST"]),
            Route(f"{PATH}/options", self.options, methods=["POST"]),
            Route(f"{PATH}/passkey", self.try_passkey, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Ask for the second factor, or have her set one up."""
        half = await run_in_threadpool(self.door.half_of, request)
        wanted = request.query_params.get("next", "")
        if half is None:
            return RedirectResponse("/sign-in", 303)
        return await run_in_threadpool(self._page, half, wanted)

    async def try_code(self, request: Request) -> Response:
        """Let her in by a code of her app, or by a recovery code."""
        fields = await fields_of(request)
        wanted, code = fields.get("next", ""), fields.get("code", "")
        half = await run_in_threadpool(self.door.half_of, request)
        if half is None:
            return await run_in_threadpool(self._over, wanted)
        guess, address = self.door.guess_of(request, half), address_of(request)
        try:
            token = await run_in_threadpool(self._by_code, half, guess, code, address)
        except FieldpostError as error:
            return await run_in_threadpool(self._refused, half, wanted, error)
        return self.door.entered(request, half, token, wanted)

    def _by_code(self, half: Half, guess: Guess, code: str, address: str) -> str:
        database, name = self.door.home.database, half.user.name
        if wait := database.write(lambda session: count_attempt(session, guess)):
            words = problem(Code.SIGN_IN_THROTTLED, seconds=wait, detail={"seconds": wait})
            raise InputError([words])
        secret = read_secret(self.door.settings.signing_secret_file)

        def work(session: Session) -> str | None:
            is_recovery = use_code(session, name, code)
            if not is_recovery and not shows_code(session, name, code, secret):
                _note_wrong(session, half, address, "the code was wrong")
                return None
            if is_recovery:
                left = f"{codes_left(session, name)} left"
                record(session, Actor(name, address), Event.RECOVERY_CODE_USED, name, left)
            forget_failures(session, guess)
            how = "a recovery code" if is_recovery else "a code"
            return self.door.begin(session, half, address, how) or _over()

        # fault point: code-unjudged — the attempt is counted as failed and the code is not used:
        # the count ends with the next right one, or by time.
        token = database.write(work)
        log("code judged", user=name, address=address, right=token is not None)
        if token is None:
            raise InputError([problem(Code.CODE_WRONG, "code")])
        return token

    async def options(self, request: Request) -> Response:
        """Return what the browser needs to ask a passkey."""
        half = await run_in_threadpool(self.door.half_of, request)

        def work(session: Session) -> object:
            if half is None:
                return _over()
            party = needed_party(self.door.settings)
            challenge = new_challenge(session, half.digest, SIGN_IN)
            name = half.user.name
            return passkeys.request_options(session, name, party, challenge, verified=False)

        try:
            # fault point: passkey-unasked — the challenge is there and nobody has heard of it: the
            # next one takes its place.
            return JSONResponse(await run_in_threadpool(self.door.home.database.write, work))
        except FieldpostError as error:
            return error_answer(error)

    async def try_passkey(self, request: Request) -> Response:
        """Let her in by a passkey: nobody guesses one, so that nobody has to wait for it."""
        fields, answer = await passkey_answer(request)
        wanted = fields.get("next", "")
        half = await run_in_threadpool(self.door.half_of, request)
        if half is None:
            return await run_in_threadpool(self._over, wanted)
        address = address_of(request)
        try:
            token = await run_in_threadpool(self._by_passkey, half, answer, address)
        except FieldpostError as error:
            return await run_in_threadpool(self._refused, half, wanted, error)
        return self.door.entered(request, half, token, wanted)

    def _by_passkey(self, half: Half, answer: str, address: str) -> str:
        database, party = self.door.home.database, needed_party(self.door.settings)
        # fault point: passkey-unjudged — its challenge is over, and she is not in: she tries again.
        challenge = database.write(lambda session: take_challenge(session, half.digest, SIGN_IN))

        def work(session: Session) -> str | None:
            if not passkeys.signs(session, half.user.name, party, challenge, answer):
                _note_wrong(session, half, address, "the passkey was wrong")
                return None
            return self.door.begin(session, half, address, "a passkey") or _over()

        token = database.write(work)
        if token is None:
            raise InputError([problem(Code.PASSKEY_FAILED)])
        return token

    # pages

    def _refused(self, half: Half, wanted: str, error: FieldpostError) -> Response:
        with self.door.home.session() as session:
            is_over = not is_open(session, half)
        if is_over:
            return self._over(wanted)
        page = self._page(half, wanted, error.problems[0], status_of(error))
        page.headers.update(retry_after(error.problems))
        return page

    def _page(
        self, half: Half, wanted: str, fault: Problem | None = None, status: int = 200
    ) -> Response:
        settings, name = self.door.settings, half.user.name
        party = relying_party(settings)
        with self.door.home.session() as session:
            factors = factors_of(session, name)
            has_passkey = passkeys.has_passkey(session, name, party)
        kinds = {each.kind for each in factors}
        return server_page(
            self.door.home,
            User(""),
            "second_step.html",
            status,
            person=half.user,
            next=wanted,
            problem=fault,
            must_set_up=not factors,
            has_app=AUTHENTICATOR in kinds,
            has_passkey=has_passkey,
            party=party,
        )

    def _over(self, wanted: str) -> Response:
        fault = problem(Code.SIGN_IN_OVER)
        values = {"next": wanted, "name": "", "problem": fault, "accounts": ()}
        return server_page(self.door.home, User(""), "sign_in.html", 422, **values)


def _over() -> str:
    raise InputError([problem(Code.SIGN_IN_OVER)])


def _note_wrong(session: Session, half: Half, address: str, words: str) -> None:
    count_failure(session, half)
    stranger = Actor("", address)
    detail = f"{words} {half.browser}".strip()
    record(session, stranger, Event.SIGN_IN_REFUSED, half.user.name, detail)
