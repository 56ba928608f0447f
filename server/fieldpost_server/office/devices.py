"""The page of devices: all for administrators, everybody's own in `account`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import FieldpostError, Problem
from fieldpost.text.casefolding import folded
from fieldpost.users import User
from fieldpost.web.lists.list_pages import search_words
from fieldpost.wording.titles import search_parts
from fieldpost_server.accounts.devices import Device, devices, find_device, name_device
from fieldpost_server.accounts.security_events import Event, record
from fieldpost_server.accounts.users import display_names
from fieldpost_server.devices.revocations import (
    ORDER_WORDS,
    Revocation,
    revocations,
    revoke_device,
)
from fieldpost_server.devices.standings import Standing, standings
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import status_of
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.inbox.dependencies import last_app_version, missing_numbers, waiting_count
from fieldpost_server.office.pages import admin_of, fields_of, leading_back, server_page, user_of

MOST_ROWS = 100
"""Devices that one page shows; a search finds the others."""

_BACK = {"account": "/account", "devices": "/devices"}


@dataclass(frozen=True, slots=True)
class Line:
    """A device of the list.

    Attributes:
        device: itself.
        who: what its user is called.
        waiting: how many of its envelopes have arrived and wait.
        missing: numbers that never arrived, as ranges.
        app_version: of the app that made its newest envelope, or that it was registered with.
        standing: how it stands, as it has told last; None where it has told nothing.
        order: what it is ordered; None where it is not.
    """

    device: Device
    who: str
    waiting: int
    missing: list[list[int]]
    app_version: str
    standing: Standing | None
    order: Revocation | None

    @property
    def state(self) -> tuple[str, str]:
        """Return what it is, and what that is called."""
        if self.standing is not None and self.standing.emptied_at is not None:
            return "settled", "Wiped" if self.device.revoked else "Signed out"
        if self.device.revoked:
            return "attention" if self.order else "settled", "Revoked"
        return ("waiting", "Incomplete") if self.missing or self.waiting else ("clean", "In use")

    @property
    def may_order(self) -> bool:
        """Say whether it may be said anew what it is to do."""
        is_empty = self.standing is not None and self.standing.emptied_at is not None
        return self.device.revoked and not is_empty

    @property
    def missing_words(self) -> str:
        """Return the missing numbers, such as '3, 7 to 9'."""
        return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in self.missing)


@dataclass(frozen=True, slots=True)
class DevicePages:
    """The routes below ``/devices``; an owner may name and revoke her own."""

    home: ServerHome

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/devices", self.show, methods=["GET"]),
            Route("/devices/name", self.name, methods=["POST"]),
            Route("/devices/revoke", self.revoke, methods=["POST"]),
            *(leading_back(f"/devices/{name}", "/devices") for name in ("name", "revoke")),
        ]

    async def show(self, request: Request) -> Response:
        """Show all devices, or those that a search finds."""
        admin, search = admin_of(request), search_words(request.query_params.get("q", ""))
        done = "Saved" if request.query_params.get("done") == "saved" else ""
        return await run_in_threadpool(self._page, admin, search, (), 200, done)

    async def name(self, request: Request) -> Response:
        """Call a device by a name."""
        actor = actor_of(request)

        def work(session: Session, device: Device, fields: dict[str, str]) -> None:
            name_device(session, device.id, fields.get("name", ""))
            record(session, actor, Event.DEVICE_NAMED, device.user, device.id)

        return await self._change(request, work)

    async def revoke(self, request: Request) -> Response:
        """Revoke a device for good, or say anew whether it hands over its work."""
        actor = actor_of(request)

        def work(session: Session, device: Device, fields: dict[str, str]) -> None:
            # work is lost where somebody has said so, and by no form that lacks a field
            hand_over = fields.get("work") != "nothing"
            revoke_device(session, device, hand_over=hand_over)
            detail = f"{device.id}, {ORDER_WORDS[hand_over]}"
            record(session, actor, Event.DEVICE_REVOKED, device.user, detail)

        return await self._change(request, work)

    async def _change(self, request: Request, work: Any) -> Response:
        user, fields = user_of(request), await fields_of(request)
        owner = None if user.is_admin else user.name

        def write(session: Session) -> None:
            work(session, find_device(session, fields.get("device", ""), owner), fields)

        try:
            # fault point: device-unchanged — one transaction for one change and its event: the page
            # shows whether it is made.
            await run_in_threadpool(self.home.database.write, write)
        except FieldpostError as error:
            if not user.is_admin:
                raise
            why, status = error.problems, status_of(error)
            return await run_in_threadpool(self._page, user, "", why, status, "")
        back = "/devices" if user.is_admin else "/account"
        return RedirectResponse(f"{_BACK.get(fields.get('back', ''), back)}?done=saved", 303)

    def _page(
        self, admin: User, search: str, problems: Sequence[Problem], status: int, done: str
    ) -> Response:
        parts = search_parts(search)
        with self.home.session() as session:
            found = devices(session)
            names = display_names(session, {each.user for each in found})
            fitting = [each for each in found if _fits(each, names, parts)]
            lines = lines_of(session, fitting[:MOST_ROWS], names)
        return server_page(
            self.home,
            admin,
            "devices.html",
            status,
            lines=lines,
            more=len(fitting) - len(lines),
            search=search,
            problems=problems,
            done=done,
        )


def lines_of(session: Session, found: Sequence[Device], names: dict[str, str]) -> list[Line]:
    """Return the lines of devices, with what is missing of them."""
    ids = [each.id for each in found]
    told, orders = standings(session, ids), revocations(session, ids)
    return [
        Line(
            each,
            names.get(each.user, each.user),
            waiting_count(session, each.id),
            missing_numbers(session, each.id, 10),
            _app_version(session, each, told.get(each.id)),
            told.get(each.id),
            orders.get(each.id),
        )
        for each in found
    ]


def _app_version(session: Session, device: Device, told: Standing | None) -> str:
    if told is not None and told.app_version:
        return told.app_version
    return last_app_version(session, device.id) or device.app_version


def _fits(device: Device, names: dict[str, str], parts: Sequence[str]) -> bool:
    text = folded(f"{device.id} {device.name} {device.user} {names.get(device.user, '')}")
    return all(part in text for part in parts)
