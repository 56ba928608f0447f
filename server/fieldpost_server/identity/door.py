"""Whoever stands at the door: her half sign-in by its cookie, and the answer that lets her in."""

from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fieldpost.wire.protocol import SHELL_HEADER
from fieldpost_server.accounts.known_browsers import KNOWN, browser_of, known_browser
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.sessions import cookie_of, cookies_of, set_cookies, set_known
from fieldpost_server.accounts.throttle import Guess
from fieldpost_server.factors.half_sign_ins import HALF, Half, finish, open_half, set_half
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import address_of
from fieldpost_server.office.pages import own_address
from fieldpost_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Door:
    """What the pages of the second step have in common."""

    home: ServerHome
    settings: Settings

    def half_of(self, request: Request) -> Half | None:
        """Return who stands there, as far as she has shown it; None where it is over."""
        token = self._cookie(request, HALF)
        if not token:
            return None
        with self.home.session() as session:
            return open_half(session, token)

    def guess_of(self, request: Request, half: Half) -> Guess:
        """Return what a code that she types is counted for."""
        browser = browser_of(self._cookie(request, KNOWN), half.user.name, half.stored)
        return Guess(half.user.name, address_of(request), browser, is_second=True)

    def begin(self, session: Session, half: Half, address: str, how: str) -> str | None:
        """Begin her session and return its token; None where another request was quicker."""
        token = finish(session, half, address)
        if token is not None:
            detail = f"{half.browser}, with {how}".lstrip(", ")
            record(session, Actor(half.user.name, address), Event.SIGNED_IN, detail=detail)
        return token

    def entered(self, request: Request, half: Half, token: str, wanted: str) -> Response:
        """Return the answer that leads her on."""
        by_shell = bool(request.headers.get(SHELL_HEADER))
        answer: Response = RedirectResponse(own_address(wanted), 303)
        if by_shell:
            answer = Response(status_code=204)
        self.give_cookies(request, answer, half, token)
        return answer

    def give_cookies(self, request: Request, answer: Response, half: Half, token: str) -> None:
        """Give the browser the cookies of somebody who has signed in."""
        secure = self.is_secure(request)
        set_cookies(answer, token, half.user.name, self.settings, secure=secure)
        set_known(answer, known_browser(half.user.name, half.stored), secure=secure)
        set_half(answer, "", secure=secure)

    def is_secure(self, request: Request) -> bool:
        """Say whether the browser reaches this server by https."""
        return self.settings.is_secure(request.url.scheme)

    def _cookie(self, request: Request, name: str) -> str:
        cookies = cookies_of(request.headers.get("cookie", ""))
        return cookie_of(cookies, name, secure=self.is_secure(request))
