"""One's own second factors, on the account page: removing them, and new recovery codes."""

from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, FieldpostError, NotFound, problem
from fieldpost_server.accounts.security_events import Event, record
from fieldpost_server.factors.recovery_codes import make_codes
from fieldpost_server.factors.second_factors import factors_of, remove_factor
from fieldpost_server.http.answers import status_of
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.identity.door import Door
from fieldpost_server.identity.enrolment import AT_HOME
from fieldpost_server.office.pages import fields_of, leading_back, server_page, user_of


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """The routes below ``/account/factors`` that set up nothing."""

    door: Door

    def routes(self) -> list[Route]:
        """Return the routes."""
        ways = ("authenticator", "authenticator/code", "passkey", "passkey/made", "remove", "codes")
        return [
            Route(f"{AT_HOME}/remove", self.remove, methods=["POST"]),
            Route(f"{AT_HOME}/codes", self.make_codes, methods=["POST"]),
            *(leading_back(f"{AT_HOME}/{way}", "/account") for way in ways),
        ]

    async def remove(self, request: Request) -> Response:
        """Remove one second factor."""
        user, actor, fields = user_of(request), actor_of(request), await fields_of(request)

        def work(session: Session) -> None:
            removed = remove_factor(session, user, fields.get("id", ""), self.door.settings)
            if removed is not None:
                detail = f"{removed.kind}: {removed.name}"
                record(session, actor, Event.FACTOR_REMOVED, user.name, detail)

        try:
            # fault point: factor-there — one transaction: the page shows which are there still.
            await run_in_threadpool(self.door.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, request, error)
        return RedirectResponse("/account?done=deleted", 303)

    async def make_codes(self, request: Request) -> Response:
        """Show new recovery codes; the old ones are worthless."""
        user, actor = user_of(request), actor_of(request)

        def work(session: Session) -> list[str]:
            if not factors_of(session, user.name):
                raise NotFound([problem(Code.NOT_FOUND)])
            record(session, actor, Event.RECOVERY_CODES_MADE, user.name)
            return make_codes(session, user.name)

        try:
            # fault point: codes-unseen — the old ones are worthless and the new ones were never
            # seen: she makes others.
            codes = await run_in_threadpool(self.door.home.database.write, work)
        except FieldpostError as error:
            return await run_in_threadpool(self._failed, request, error)
        return await run_in_threadpool(
            server_page,
            self.door.home,
            user,
            "recovery_codes.html",
            codes=codes,
            going_on="/account",
        )

    def _failed(self, request: Request, error: FieldpostError) -> Response:
        return server_page(
            self.door.home,
            user_of(request),
            "factor_failed.html",
            status_of(error),
            problem=error.problems[0],
            going_back="/account",
        )
