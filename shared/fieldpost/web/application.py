"""The routes that both homes share."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpost.home import Home
from fieldpost.web.forms.record_pages import (
    delete_record,
    edit_record,
    new_record,
    show_again,
    view_record,
)
from fieldpost.web.framework.requests import PageRequest, endpoint, http_error
from fieldpost.web.lists.list_pages import list_page, menu
from fieldpost.web.repair.envelope_page import entry_page
from fieldpost.web.repair.repair_pages import discard, repair
from fieldpost.web.repair.repair_pages import show_again as show_repair_again

BOTH = ["GET", "POST"]


def sync_page(asked: PageRequest) -> Response:
    """Show what waits and what was sent."""
    overview = asked.home.sync_overview(asked.user)
    return asked.page("sync.html", overview=overview, done=asked.query.get("done", ""))


def web_routes(home: Home) -> list[Route]:
    """Return the routes of menu, lists, forms and the sync page."""
    record, repairing = "/pages/{page}/records/{key}", "/repair/{envelope}"
    return [
        Route("/", endpoint(home, menu)),
        Route("/sync", endpoint(home, sync_page)),
        Route(repairing, endpoint(home, repair, show_repair_again), methods=BOTH),
        Route(f"{repairing}/discard", endpoint(home, discard), methods=BOTH),
        Route("/entries/{envelope}", endpoint(home, entry_page)),
        Route("/pages/{page}", endpoint(home, list_page)),
        Route("/pages/{page}/new", endpoint(home, new_record, show_again), methods=BOTH),
        Route(record, endpoint(home, view_record)),
        Route(f"{record}/edit", endpoint(home, edit_record, show_again), methods=BOTH),
        Route(f"{record}/delete", endpoint(home, delete_record), methods=BOTH),
    ]


def web_app(home: Home) -> Starlette:
    """Return the shared routes as an application of their own, as the device runs it."""

    async def not_found(request: Request, error: Exception) -> Response:
        return await http_error(home, request, error)  # type: ignore[arg-type]  # by registration

    return Starlette(routes=web_routes(home), exception_handlers={404: not_found, 405: not_found})
