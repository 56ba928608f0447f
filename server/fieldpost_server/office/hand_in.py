"""The page on which a file of saved work is handed in."""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpost_server.home import ServerHome
from fieldpost_server.office.pages import server_page, user_of


@dataclass(frozen=True, slots=True)
class HandInPage:
    """The route ``/hand-in``, for everybody; the browser opens the file and sends its content."""

    home: ServerHome

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/hand-in", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """Show the page."""
        return await run_in_threadpool(server_page, self.home, user_of(request), "hand_in.html")
