"""The page of security events, for administrators."""

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpost.users import User
from fieldpost.web.lists.list_pages import search_words
from fieldpost.wording.titles import search_parts
from fieldpost_server.accounts.security_events import events
from fieldpost_server.home import ServerHome
from fieldpost_server.office.pages import admin_of, server_page

PAGE_ROWS = 50


def event_routes(home: ServerHome) -> list[Route]:
    """Return the route ``/security-events``."""

    async def show(request: Request) -> Response:
        admin, query = admin_of(request), request.query_params
        search, before = search_words(query.get("q", "")), query.get("before", "")
        # no event has a number of more digits
        number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        return await run_in_threadpool(_page, home, admin, search, number)

    return [Route("/security-events", show, methods=["GET"])]


def _page(home: ServerHome, admin: User, search: str, before: int | None) -> Response:
    with home.session() as session:
        rows = events(session, search_parts(search), PAGE_ROWS + 1, before)
    shown = rows[:PAGE_ROWS]
    return server_page(
        home,
        admin,
        "security_events.html",
        rows=shown,
        search=search,
        newest=_address(search) if before is not None else "",
        older=_address(search, shown[-1].id) if len(rows) > PAGE_ROWS else "",
    )


def _address(search: str, before: int | None = None) -> str:
    asked = {"q": search, "before": before}
    chosen = {name: value for name, value in asked.items() if value}
    return f"/security-events?{urlencode(chosen)}" if chosen else "/security-events"
