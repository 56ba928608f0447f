"""The calls that a device makes: register, push, image, pull (`docs/protocol.md`)."""

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fieldpost.errors import Code, Forbidden, InputError, Problem, problem
from fieldpost.pages import Page
from fieldpost.text.jsontext import parse
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.protocol import ARRIVED_HEADER, MAX_ASKED
from fieldpost.wire.shapes import is_device_id
from fieldpost_server.accounts.devices import note_contact
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.image import make_image
from fieldpost_server.feed.scope_delta import cursor_now, read_delta
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import TOKEN, actor_of
from fieldpost_server.http.bodies import spooled
from fieldpost_server.http.places import Places
from fieldpost_server.inbox.dependencies import kept_receipts, missing_numbers
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.proofs.countings import BeingCounted
from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.quotas.quotas import over_quota
from fieldpost_server.restore.loss_reports import LossReport, loss_report_of, take_report
from fieldpost_server.scope.page_settings import offline_pages_for, plan_id, settings_for
from fieldpost_server.scope.replication_plan import plan_for
from fieldpost_server.settings import Settings
from fieldpost_server.signing.keyring import keys_for_devices
from fieldpost_server.storage import tables
from fieldpost_server.sync.device_calls import DeviceCalls
from fieldpost_server.sync.hand_in import HandIn
from fieldpost_server.sync.known_devices import KnownDevices
from fieldpost_server.sync.openapi import description
from fieldpost_server.sync.prepared_images import Prepared, PreparedImages
from fieldpost_server.sync.push_lines import PushLines
from fieldpost_server.sync.uploads import Uploads, check_protocol

GZIP_LEVEL = 5
MOST_IMAGES = 2
"""Images, and whole tables, that one process makes at the same time: each is in memory for a while.
"""
MOST_PULLS = 8
PATIENCE = 5
"""How often a pull waits for others that count the same table, before it counts itself."""
FLUSH_S = 0.1
"""Receipts are sent at least so often, in seconds: nobody sees sooner that a form has arrived, and
each piece is a way from thread to thread and back, on a busy machine with a wait at each end."""


@dataclass(frozen=True, slots=True)
class Sync:
    """The routes below ``/sync/`` and ``/attachments/``."""

    home: ServerHome
    settings: Settings
    app_version: str
    checksums: Checksums
    devices: KnownDevices
    images: Places = field(default_factory=lambda: Places(MOST_IMAGES, 5))
    pulls: Places = field(default_factory=lambda: Places(MOST_PULLS))

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/sync/device", self.register, methods=["POST"]),
            Route("/sync/keys", self.keys, methods=["GET"]),
            Route("/sync/push", self.push, methods=["POST"]),
            Route("/sync/receipts", self.receipts, methods=["POST"]),
            Route("/sync/image", self.image, methods=["GET"]),
            Route("/sync/pull", self.pull, methods=["GET"]),
            Route("/sync/openapi.json", self.description, methods=["GET"]),
            *DeviceCalls(self.home, self.devices, self.app_version).routes(),
            *HandIn(self.home, self.settings).routes(),
            *Uploads(self.home).routes(),
        ]

    # devices

    async def register(self, request: Request) -> Response:
        """Take a device in, or greet one that is known."""
        check_protocol(request)
        body = await request.body()
        registration = partial(self._registration, body=body)
        return JSONResponse(await run_in_threadpool(self.devices.telling, request, registration))

    def _registration(self, request: Request, body: bytes) -> dict[str, Any]:
        user = _user(request)
        try:
            data = parse(body)
            device = data["device"]
        except (ValueError, KeyError, TypeError):
            data, device = {}, None
        if not is_device_id(device):
            reason = "'device' must be 'd-' and a UUID"
            raise InputError([problem(Code.MALFORMED, "device", reason=reason)])
        if data.get("user", user.name) != user.name:
            raise Forbidden([problem(Code.DEVICE_OF_ANOTHER)])
        try:
            report = loss_report_of(data)
        except ValueError as error:
            raise InputError([problem(Code.MALFORMED, "forgotten", reason=str(error))]) from error
        return self._registered(request, device, report)

    def _registered(
        self, request: Request, device: str, report: LossReport | None
    ) -> dict[str, Any]:
        user, token, actor = _user(request), request.scope[TOKEN], actor_of(request)

        def work(session: Session) -> tuple[Any, Problem | None]:
            if self.devices.find(session, user, device) is None:
                self._take_in(session, device, actor)
            note_contact(session, device, token)
            waits = None
            if report is not None:
                waits = take_report(session, self.home.app, device, report)
            return self.devices.find(session, user, device), waits

        row, waits = self.home.database.write(work)
        if waits is not None:
            # after the transaction: that the device has reported is kept
            raise InputError([waits])
        # fault point: device-registered-unanswered — the device is known and has not heard so: it
        # registers again under the same id, and is greeted.
        self.home.inbox.signer.ready()
        with self.home.session() as session:
            offline = offline_pages_for(session, self.home.app, user)
            about = self._about(session, user, offline)
            arrived = self._arrived(session, device)
        return {
            **about,
            "device": device,
            "number": row.number,
            "last_digest": row.last_digest or "",
            "arrived": arrived,
        }

    def _take_in(self, session: Session, device: str, actor: Actor) -> None:
        values = {"id": device, "user": actor.name, "app_version": self.app_version}
        self.home.quotas.take_within(session, actor.name, Kind.DEVICES)
        session.execute(sa.insert(tables.device).values(kind="device", **values))
        record(session, actor, Event.DEVICE_REGISTERED, device)

    def _arrived(self, session: Session, device: str) -> dict[str, Any]:
        """Say how far the device's envelopes have arrived, and which numbers never did."""
        query = sa.select(tables.device.c.number).where(tables.device.c.id == device)
        return {
            "number": session.scalar(query) or 0,
            "missing": missing_numbers(session, device),
        }

    def _about(self, session: Session, user: User, offline: list[Page]) -> dict[str, Any]:
        return {
            "user": {
                "name": user.name,
                "display_name": user.display_name,
                "roles": sorted(user.roles),
            },
            "settings": settings_for(self.home.app, user, offline, self.home.limits),
            "app_version": self.app_version,
            "signing_keys": keys_for_devices(session),
        }

    # envelopes

    async def keys(self, request: Request) -> Response:
        """Send the keys that receipts are signed with: a receipt may name one that is new."""
        await run_in_threadpool(self.devices.noting, request, self._known_device)
        return JSONResponse(await run_in_threadpool(self._signing_keys))

    def _signing_keys(self) -> dict[str, Any]:
        with self.home.session() as session:
            return {"signing_keys": keys_for_devices(session)}

    async def push(self, request: Request) -> Response:
        """Receive envelopes, one a line; answer each with its receipt as soon as it has one."""
        device = await run_in_threadpool(self.devices.noting, request, self._device_in_step)
        # before the answer begins: what cannot be signed is not applied either
        await run_in_threadpool(self.home.inbox.signer.ready)
        is_zipped = request.headers.get("content-encoding", "").lower() == "gzip"
        lines = PushLines(await spooled(request), self.settings.max_push_bytes, is_zipped=is_zipped)
        await run_in_threadpool(lines.check)
        answers = self._receipts(lines, _user(request), device)
        return StreamingResponse(answers, media_type="application/x-ndjson")

    def _known_device(self, request: Request) -> str:
        with self.home.session() as session:
            return self.devices.check(request, session)

    def _device_in_step(self, request: Request) -> str:
        """Return the device; refuse one whose envelopes may build on what is not here any more."""
        known = request.headers.get(ARRIVED_HEADER, "0")
        with self.home.session() as session:
            device = self.devices.check(request, session, handing_over=True)
            found = self.devices.find(session, _user(request), device, handing_over=True)
            number = found.number
        if known.isascii() and known.isdecimal() and int(known[:20]) > number:
            raise InputError([problem(Code.FORGOTTEN, ARRIVED_HEADER, number=number)])
        return device

    def _receipts(
        self, received: Iterable[tuple[int, bytes]], user: User, device: str
    ) -> Iterator[str]:
        """Yield receipts; several at once where they come quicker than anybody reads them."""
        lines, sent = "", time.monotonic()
        for line in self._received(received, user, device):
            lines += f"{line}\n"
            # each piece costs a change of threads
            if time.monotonic() - sent > FLUSH_S:
                yield lines
                lines, sent = "", time.monotonic()
        if lines:
            yield lines

    def _received(
        self, lines: Iterable[tuple[int, bytes]], user: User, device: str
    ) -> Iterator[str]:
        inbox, signer = self.home.inbox, self.home.inbox.signer
        applied, over = False, None
        for number, line in lines:
            # what comes behind it may build on it: it waits on the device, too
            over = over or over_quota(self.home.quotas, user, line)
            receipt = inbox.receive(line, user, device, over)
            # fault point: receipt-unsent — the envelope is decided and its receipt kept: the device
            # sends it again and gets that very receipt.
            applied |= receipt.is_applied
            yield signer.answer(receipt, number)
        if applied:
            # fault point: waiting-untried — what waited for this push is not tried: it has no final
            # receipt, so the device sends it with its next one.
            for receipt in inbox.retry_waiting(user, device):
                yield signer.answer(receipt)

    async def receipts(self, request: Request) -> Response:
        """Say how envelopes stand that a device sent before: somebody may have settled them."""
        device = await run_in_threadpool(self.devices.noting, request, self._known_device)
        found = await run_in_threadpool(self._kept, device, await request.body())
        text = "".join(f"{receipt}\n" for receipt in found)
        return Response(text, media_type="application/x-ndjson")

    def _kept(self, device: str, body: bytes) -> list[str]:
        try:
            ids = parse(body)["envelopes"]
        except (ValueError, KeyError, TypeError):
            ids = None
        if not _are_ids(ids):
            reason = f"'envelopes' must be a list of at most {MAX_ASKED} ids"
            raise InputError([problem(Code.MALFORMED, "envelopes", reason=reason)])
        signer = self.home.inbox.signer
        signer.ready()
        with self.home.session() as session:
            return [signer.answer(each) for each in kept_receipts(session, device, ids)]

    async def description(self, request: Request) -> Response:  # noqa: ARG002 - the router's
        """Send the description of these calls, for people and programs that make clients."""
        return JSONResponse(description())

    # data

    async def image(self, request: Request) -> Response:
        """Send the user's rows as a SQLite database, compressed."""
        return (await run_in_threadpool(self.devices.noting, request, self._image)).answer(request)

    def _image(self, request: Request) -> Prepared:
        images = PreparedImages(self.settings.data / "images")
        if kept := self._kept_image(request, images):
            return kept
        with self.images.one():
            self.home.quotas.take(_user(request).name, Kind.IMAGES)
            device, made = self._made_image(request)
        # only who asks for a part will ask for another
        if "range" in request.headers:
            # fault point: image-unkept — it was made and is not kept: the device has no byte of
            # it, and asks for a new one.
            images.keep(device, made)
        return made

    def _kept_image(self, request: Request, images: PreparedImages) -> Prepared | None:
        user = _user(request)
        with self.home.session() as session:
            device = self.devices.check(request, session)
            offline = offline_pages_for(session, self.home.app, user)
            cursor = cursor_now(session, plan_id(user, offline, self.app_version))
            return images.wanted(request, device, cursor)

    def _made_image(self, request: Request) -> tuple[str, Prepared]:
        user = _user(request)
        with self.home.session() as session:
            device = self.devices.check(request, session)
            offline = offline_pages_for(session, self.home.app, user)
            cursor = cursor_now(session, plan_id(user, offline, self.app_version))
            failed = FailedTables(plan_for(self.home.app, user, offline))
            content, counts = make_image(session, self.home.app, failed)
            zipped = gzip.compress(content, GZIP_LEVEL)
        self.home.failures.note(user.name, failed)
        headers = {
            "Fieldpost-Cursor": str(cursor.lacking(failed.plan, failed.causes)),
            "Fieldpost-Size": str(len(content)),
            "Fieldpost-Rows": json.dumps(counts),
        }
        return device, Prepared(zipped, headers)

    async def pull(self, request: Request) -> Response:
        """Send what changed since the cursor."""
        cursor = Cursor.parse(request.query_params.get("cursor", ""))
        whole = request.query_params.getlist("replace")[:200]

        def in_place(request: Request) -> Response:
            # whole tables take what an image takes
            with (self.images if whole else self.pulls).one():
                if whole:
                    self._known_device(request)
                    self.home.quotas.take(_user(request).name, Kind.IMAGES)
                return self._pull(request, cursor, whole)

        return await run_in_threadpool(self.devices.noting, request, in_place)

    def _pull(self, request: Request, cursor: Cursor, whole: list[str]) -> Response:
        waited = Counter[bytes]()
        while max(waited.values(), default=0) < PATIENCE:
            try:
                return self._pulled(request, cursor, whole, patient=True)
            except BeingCounted as counting:
                # its own snapshot is closed by now: the next one sees what that pull has counted
                counting.wait()
                waited[counting.query] += 1
        return self._pulled(request, cursor, whole, patient=False)

    def _pulled(
        self, request: Request, cursor: Cursor, whole: list[str], *, patient: bool
    ) -> Response:
        user, app = _user(request), self.home.app
        with self.home.session() as session:
            device = self.devices.check(request, session)
            offline = offline_pages_for(session, app, user)
            failed = FailedTables(plan_for(app, user, offline))
            identity = plan_id(user, offline, self.app_version)
            most = self.settings.max_pull_keys
            if patient:
                self.checksums.wait_for_others(session, failed)
            delta = read_delta(session, app, failed, identity, cursor, whole=whole, max_keys=most)
            sums = {} if delta.reset else self.checksums.digests(session, failed, patient=patient)
            sent = delta.without(failed, is_safe=cursor.plan == identity)
            about = self._about(session, user, offline)
            arrived = self._arrived(session, device)
        self.home.failures.note(user.name, failed)
        left_out = failed.problems()
        return JSONResponse(
            {
                **about,
                "arrived": arrived,
                "cursor": str(sent.cursor),
                "reset": sent.reset,
                "put": sent.put,
                "remove": sent.remove,
                "replace": sent.replace,
                "failed": {name: why.to_json() for name, why in left_out.items()},
                "digests": sums,
            }
        )


def _user(request: Request) -> User:
    user: User = request.scope[USER]
    return user


def _are_ids(ids: object) -> bool:
    if not isinstance(ids, list) or len(ids) > MAX_ASKED:
        return False
    return all(isinstance(i, str) and 0 < len(i) <= 100 and i.isprintable() for i in ids)
