"""The page of an invitation: somebody sets a password of her own and is signed in."""

import asyncio
import io
from dataclasses import dataclass

import segno
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import FieldpostError, InputError, Problem
from fieldpost.users import User
from fieldpost_server.accounts.invitations import invited, take_invitation
from fieldpost_server.accounts.known_browsers import known_browser
from fieldpost_server.accounts.passwords import MIN_CHARACTERS
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.session_list import browser_words
from fieldpost_server.accounts.sessions import end_session, set_cookies, set_known
from fieldpost_server.accounts.users import prepared_password, store_password
from fieldpost_server.factors.half_sign_ins import Entered, enter, set_half
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import retry_after, status_of
from fieldpost_server.http.authentication import TOKEN, address_of
from fieldpost_server.office.hashes import hashing
from fieldpost_server.office.pages import fields_of, server_page
from fieldpost_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Invitation:
    """The route ``/invitation``; whoever has a code needs no session."""

    home: ServerHome
    settings: Settings
    places: asyncio.Semaphore

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/invitation", self.show, methods=["GET"]),
            Route("/invitation", self.accept, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Ask for a password."""
        code = request.query_params.get("code", "")
        return await run_in_threadpool(self._page, code, ())

    async def accept(self, request: Request) -> Response:
        """Set the password, end the invitation and sign in."""
        fields = await fields_of(request)
        code, password = fields.get("code", ""), fields.get("password", "")
        agent = browser_words(request.headers.get("user-agent", ""))
        former, address = request.scope.get(TOKEN, ""), address_of(request)
        try:
            hashed = await hashing(self.places, lambda: self._prepared(code, password))

            def work(session: Session) -> tuple[User, Entered]:
                user = take_invitation(session, code)
                store_password(session, user.name, hashed)
                end_session(session, former)
                actor = Actor(user.name, address)
                record(session, actor, Event.PASSWORD_CHANGED, user.name, "by a link")
                entered = enter(session, user, hashed, self.settings, agent, address)
                what = Event.SIGNED_IN if entered.session else Event.SECOND_STEP
                record(session, actor, what, detail=agent)
                return user, entered

            # fault point: invited-unanswered — the password is set and the link is over: whoever
            # got no answer signs in with the password.
            user, entered = await run_in_threadpool(self.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._page, code, error.problems, status_of(error))
        secure = self.settings.is_secure(request.url.scheme)
        if entered.half:
            # a link stands for the password, and for nothing else
            asked = RedirectResponse("/sign-in/second", 303)
            set_half(asked, entered.half, secure=secure)
            return asked
        answer = RedirectResponse("/", 303)
        set_cookies(answer, entered.session, user.name, self.settings, secure=secure)
        set_known(answer, known_browser(user.name, hashed), secure=secure)
        return answer

    def _prepared(self, code: str, password: str) -> str:
        with self.home.session() as session:
            user = invited(session, code)
        return prepared_password(user.name, password)

    def _page(self, code: str, problems: tuple[Problem, ...], status: int = 200) -> Response:
        user = None
        try:
            with self.home.session() as session:
                user = invited(session, code)
        except InputError as error:
            problems, status = tuple(error.problems), status_of(error)
        page = server_page(
            self.home,
            User(""),
            "invitation.html",
            status,
            code=code,
            invited=user,
            problems=problems,
            least=MIN_CHARACTERS,
        )
        page.headers.update(retry_after(problems) if problems else {})
        return page


def qr_code(text: str) -> Markup:
    """Return a QR code as SVG to be put into a page."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, svgns=True, scale=1, border=4, omitsize=True, nl=False
    )
    # segno has made it from numbers; nothing of the text is in it
    return Markup(drawn.getvalue().decode())  # noqa: S704 - segno's own drawing
