"""The Project Designer: which pages are offline, and who has which role."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import FieldpostError, Problem
from fieldpost.users import User
from fieldpost_server.accounts.seats import seats_taken
from fieldpost_server.accounts.security_events import Event, record
from fieldpost_server.accounts.users import give_role, list_users, take_role
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import status_of
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.log import log
from fieldpost_server.office.pages import admin_of, fields_of, server_page
from fieldpost_server.scope.page_settings import offline_pages, set_offline
from fieldpost_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Designer:
    """The routes below ``/designer``, for the role `Admin`."""

    home: ServerHome
    settings: Settings

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/designer", self.show),
            Route("/designer/pages/{page}", self.change_page, methods=["POST"]),
            Route("/designer/users/{user}", self.change_role, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show pages, users and seats."""
        admin = admin_of(request)
        done = "Saved" if request.query_params.get("done") == "saved" else ""
        return await run_in_threadpool(self._page, admin, None, 200, done)

    async def change_page(self, request: Request) -> Response:
        """Mark a page offline, or take the mark away."""
        admin, name = admin_of(request), request.path_params["page"]
        offline = (await fields_of(request)).get("offline") == "true"
        app, actor = self.home.app, actor_of(request)

        def work(session: Session) -> None:
            set_offline(session, app, name, offline=offline)
            detail = f"{name}: {'offline' if offline else 'online only'}"
            record(session, actor, Event.PAGE_CHANGED, detail=detail)

        return await self._change(admin, work, f"page {name} offline={offline}")

    async def change_role(self, request: Request) -> Response:
        """Give a user a role, or take it."""
        admin, name = admin_of(request), request.path_params["user"]
        fields = await fields_of(request)
        role, give = fields.get("role", ""), fields.get("give") == "true"
        known, seats, actor = self.home.app.roles, self.settings.seats, actor_of(request)

        def work(session: Session) -> None:
            if give:
                give_role(session, name, role, known_roles=known, seats=seats)
            else:
                take_role(session, name, role)
            what = Event.ROLE_GIVEN if give else Event.ROLE_TAKEN
            record(session, actor, what, name, role)

        return await self._change(admin, work, f"user {name} {role}={give}")

    async def _change(self, admin: User, work: Callable[[Session], None], what: str) -> Response:
        try:
            # fault point: designer-change-unmade — one transaction for one change: the page shows
            # whether it is made.
            await run_in_threadpool(self.home.database.write, work)
        except FieldpostError as error:
            status = status_of(error)
            return await run_in_threadpool(self._page, admin, error.problems[0], status, "")
        log("designer", by=admin.name, change=what)
        return RedirectResponse("/designer?done=saved", 303)

    def _page(self, admin: User, fault: Problem | None, status: int, done: str) -> Response:
        app = self.home.app
        with self.home.session() as session:
            marked = offline_pages(session, app)
            users = list_users(session)
            taken = seats_taken(session)
        pages = [(page, page.name in marked) for page in app.pages.values()]
        return server_page(
            self.home,
            admin,
            "designer.html",
            status,
            pages=pages,
            users=users,
            seats=self.settings.seats,
            seats_taken=taken,
            problem=fault,
            unreadable=self.home.unreadable.find(),
            left_out=[*self.home.unreadable.tables(), *self.home.failures.words()],
            done=done,
        )
