"""The calls in which a device tells of itself: how it stands, and that it has handed over."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpost.errors import Code, InputError, problem
from fieldpost.text.jsontext import parse
from fieldpost_server.accounts.security_events import Event, record
from fieldpost_server.accounts.session_list import browser_words
from fieldpost_server.devices.revocations import note_handed_over
from fieldpost_server.devices.standings import LARGEST, standing_of, take_standing
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.sync.known_devices import KnownDevices


@dataclass(frozen=True, slots=True)
class DeviceCalls:
    """The routes ``/sync/standing`` and ``/sync/handed-over``."""

    home: ServerHome
    devices: KnownDevices
    app_version: str

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/sync/standing", self.standing, methods=["POST"]),
            Route("/sync/handed-over", self.handed_over, methods=["POST"]),
        ]

    async def standing(self, request: Request) -> Response:
        """Keep how a device stands; it hears what it is ordered where it was revoked."""
        device = await run_in_threadpool(self.devices.noting, request, self._known)
        data = _parsed(await request.body())
        told, version = standing_of(data), data.get("app_version") if data else ""
        browser = browser_words(request.headers.get("user-agent", ""))
        version = version if isinstance(version, str) and version.isprintable() else ""

        def work(session: Session) -> None:
            take_standing(session, device, told, browser, version)

        # fault point: standing-untold — the device tells it again at its next contact.
        await run_in_threadpool(self.home.database.write, work)
        return Response(status_code=204)

    async def handed_over(self, request: Request) -> Response:
        """Keep that a revoked device has handed over what it could, before it wipes itself."""
        device = await run_in_threadpool(self.devices.telling, request, self._handing_over)
        data, actor = _parsed(await request.body()), actor_of(request)
        left = data.get("left") if data else None
        if not isinstance(left, int) or isinstance(left, bool) or not 0 <= left <= LARGEST:
            reason = "'left' must be a whole number"
            raise InputError([problem(Code.MALFORMED, "left", reason=reason)])

        def work(session: Session) -> None:
            note_handed_over(session, device, left)
            record(session, actor, Event.WORK_HANDED_OVER, actor.name, f"{device}, {left} left")

        # fault point: handed-over-unnoted — what was sent is in the ledger, and the device has no
        # answer: it says so again, and wipes itself only then.
        await run_in_threadpool(self.home.database.write, work)
        return Response(status_code=204)

    def _known(self, request: Request) -> str:
        with self.home.session() as session:
            return self.devices.check(request, session)

    def _handing_over(self, request: Request) -> str:
        with self.home.session() as session:
            return self.devices.check(request, session, handing_over=True, to_end=True)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        data = parse(body)
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {}
