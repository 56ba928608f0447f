"""The entrance: what the worker calls, as names and JSON texts."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from fieldpost.app import App
from fieldpost.errors import Code, problem
from fieldpost.ground.zones import set_own_zone, zone_named
from fieldpost.loading import load_app
from fieldpost.text.numbers import set_own_mark
from fieldpost.users import User
from fieldpost.web.application import web_app
from fieldpost.web.framework.requests import USER
from fieldpost.web.framework.templates import render
from fieldpost.wire.protocol import ELSEWHERE_HEADER, UNREACHABLE_HEADER
from fieldpost_client.device import DeviceHome, NotReady
from fieldpost_client.platform.asgi import handle
from fieldpost_client.platform.base import Platform
from fieldpost_client.revocation.revocation import Revocation
from fieldpost_client.saving.failed_envelopes import repairing
from fieldpost_client.sync.synchroniser import Synchroniser
from fieldpost_client.warmup.warming import warm_up

_log = logging.getLogger("fieldpost")

APP = "FIELDPOST_APP"
REPAIR = "/repair/"
APP_VERSION = "FIELDPOST_APP_VERSION"


class Client:
    """One device: its home, its pages and its sync.

    Args:
        app: the app.
        platform: the browser, or its stand-in.
        app_version: of the app's shipped code.
        urls: addresses of the shell's static files.
    """

    def __init__(
        self,
        app: App,
        platform: Platform,
        app_version: str = "",
        urls: Mapping[str, str] | None = None,
    ) -> None:
        self.home = DeviceHome(app, platform, app_version, urls)
        self.sync = Synchroniser(self.home)
        self.revocation = Revocation(self.home)
        self.web = _signed_in(web_app(self.home), self.home)
        self.background: set[asyncio.Task[Any]] = set()

    async def start(self) -> dict[str, Any]:
        """Open what the device has."""
        begin = perf_counter()
        ready = await self.home.open()
        user = self.home.state.user
        return {
            "ready": ready,
            "user": user and {"name": user.name, "display_name": user.display_name},
            "status": self.home.status(),
            "needs": None if ready else "download",
            "timings": {"open": round((perf_counter() - begin) * 1000)},
        }

    async def request(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a page's request, or say that only the server can."""
        know_person(asked)
        if asked.get("headers", {}).get(UNREACHABLE_HEADER):
            return self._page(asked, "unreachable.html", 503)
        if not self.is_here(asked["path"]):
            return {"status": 421, "headers": {ELSEWHERE_HEADER: "server"}, "body": ""}
        try:
            with repairing(_repaired_at(asked["path"])):
                return await handle(self.web, asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost
            # a worker never sees a stack trace; the console has it
            _log.exception("%s %s failed", asked["method"], asked["path"])
            fault = problem(Code.UNEXPECTED, cause=type(error).__name__)
            again = asked["method"] == "GET"
            return self._page(asked, "error.html", 500, problems=[fault], again=again)

    def _page(
        self, asked: Mapping[str, Any], template: str, status: int, **values: Any
    ) -> dict[str, Any]:
        page = render(self.home, self.home.user, template, status, path=asked["path"], **values)
        headers = {"content-type": "text/html; charset=utf-8"}
        return {"status": status, "headers": headers, "body": bytes(page.body).decode()}

    def is_here(self, path: str) -> bool:
        """Say whether the device answers an address itself."""
        place = path.partition("?")[0]
        if place in ("/", "/sync") or place.startswith(("/entries/", REPAIR)):
            return self.home.working is not None
        parts = place.split("/")
        if parts[1:2] != ["pages"] or len(parts) < 3 or self.home.working is None:
            return False
        page = self.home.app.pages.get(parts[2])
        return page is not None and self.home.is_here(page, self.home.user)

    async def synchronise(self, *, signed_in: bool) -> dict[str, Any]:
        """Do a sync, see `Synchroniser.sync`; ``revoked`` is what the office has ordered."""
        return await self._heard(await self.sync.sync(signed_in=signed_in))

    async def _heard(self, report: dict[str, Any]) -> dict[str, Any]:
        return {**report, "revoked": await self.revocation.heard(report["problems"])}

    async def download(self) -> dict[str, Any]:
        """Do the first download; attachments go on loading afterwards."""
        found = await self._heard(await self.sync.download())
        if found["outcome"] == "done":
            task = asyncio.ensure_future(self._attachments())
            self.background.add(task)
            task.add_done_callback(self.background.discard)
        return found

    async def _attachments(self) -> None:
        try:
            await self.sync.load_attachments()
        except Exception:  # noqa: BLE001 - logged whole
            # they come with the next sync
            _log.exception("attachments could not be loaded")

    async def sign_out(self) -> dict[str, Any]:
        """Close the database and forget the user; the shell then deletes the store."""
        for task in list(self.background):
            task.cancel()
        self.home.close()
        return {}


def know_person(asked: Mapping[str, Any]) -> None:
    """Take over how the device's person sees moments and numbers: its 'zone' and its 'mark'.

    The zone may change while the app is open: people travel.
    """
    if name := asked.get("zone"):
        try:
            set_own_zone(zone_named(name))
        except ValueError:
            # a name that is too new: the offset of now is right for now
            set_own_zone(datetime.now().astimezone().tzinfo or UTC)
    if mark := asked.get("mark"):
        set_own_mark(mark)


def _repaired_at(path: str) -> str:
    """Return the envelope that a request is about to repair or discard; empty where it is none."""
    place = path.partition("?")[0]
    return place.removeprefix(REPAIR).partition("/")[0] if place.startswith(REPAIR) else ""


def _signed_in(app: ASGIApp, home: DeviceHome) -> ASGIApp:
    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scope[USER] = home.state.user or User("")
        await app(scope, receive, send)

    return called


_client: Client | None = None


async def call(name: str, argument: str) -> str:
    """Do what the worker asks for.

    That is `start`, `request`, `download`, `sync`, `tell`, `hand_over`, `cancel`, `status` or
    `sign_out`.

    Args:
        name: what.
        argument: JSON text.

    Returns:
        JSON text.
    """
    asked = json.loads(argument)
    found = await (_start(asked) if name == "start" else _do(name, asked))
    return json.dumps(found, ensure_ascii=False)


async def _start(asked: Mapping[str, Any]) -> dict[str, Any]:
    global _client  # noqa: PLW0603 - one device for each worker
    # not at the top: only a browser has what it imports
    from fieldpost_client.platform.browser import BrowserPlatform

    # not kept in a memory snapshot: it is of the person who starts it
    know_person(asked)
    app = load_app(asked.get("app") or os.environ[APP])
    version = asked.get("app_version") or os.environ.get(APP_VERSION, "")
    _client = Client(app, BrowserPlatform(), version, asked.get("urls"))
    return await _client.start()


async def _do(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    if _client is None:
        raise NotReady("call 'start' first")
    doings: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "request": lambda: _client.request(asked),
        "download": _client.download,
        "sync": lambda: _client.synchronise(signed_in=asked.get("signed_in") is True),
        "tell": lambda: _client.revocation.tell(asked),
        "hand_over": lambda: _client.revocation.hand_over(int(asked.get("drafts") or 0)),
        "cancel": lambda: _cancel(_client),
        "status": lambda: _status(_client),
        "sign_out": _client.sign_out,
    }
    return await doings[name]()


async def _cancel(client: Client) -> dict[str, Any]:
    client.sync.cancel()
    return {}


async def _status(client: Client) -> dict[str, Any]:
    return client.home.status()


def warm() -> None:
    """Import and compile everything that a start needs; opens nothing that outlives it."""
    _finish(warm_up(Client, load_app(os.environ[APP])))


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: inside a worker's event loop there is no other way."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("warming up must not wait for anything")
