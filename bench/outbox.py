"""A field worker's day without a signal: envelopes as her device has them in its outbox.

They are made by the client itself, on a desk: its replica is the demo's data as her device gets it.
"""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.odp.form.processor import process
from fieldpost.odp.form.rows import Opened, Row, new_row, opened_from, row_from_opened
from fieldpost.odp.replay.links import Links
from fieldpost.users import OFFLINE, User, acting_as
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.host import HostPlatform
from fieldpost_client.replica.replica import PIECE_BYTES
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.image import make_image
from fieldpost_server.scope.replication_plan import plan_for
from inspections.app import app
from inspections.models import Inspection
from inspections.server.seed import seed

USER = User("worker1", "worker1", frozenset({OFFLINE}))
PAGE = app.pages["inspection"]
ROUND = ("new", "new", "mine", "new", "old", "new", "mine", "new", "old", "mine")
"""What ten envelopes are: a new inspection, an edit of such a one, an edit of the office's."""


@dataclass(frozen=True)
class Prepared:
    """What is stored on a device that has worked.

    Attributes:
        outbox: entries by number, as plain data.
        counters: of the device's `session`, by name.
        image: the replica that they were made on.
    """

    outbox: list[tuple[int, dict[str, Any]]]
    counters: dict[str, Any]
    image: bytes


def replica_image() -> bytes:
    """Return the demo's data as the worker's device gets it."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    app.base.metadata.create_all(engine)
    with Session(engine) as session:
        seed(session)
        session.commit()
        pages = [page for page in app.pages.values() if page.offline]
        image, _ = make_image(session, app, FailedTables(plan_for(app, USER, pages)))
    engine.dispose()
    return image


def prepare(envelopes: int, device: str) -> Prepared:
    """Let a device with this id fill in and save so many forms."""
    # in a thread of its own: the driver of the browser has an event loop in this one
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _Desk(device).work(envelopes)).result()


class _Desk:
    def __init__(self, device: str) -> None:
        self.platform = HostPlatform(moment=lambda: datetime(2026, 11, 23, 8, 15, tzinfo=UTC))
        self.home = DeviceHome(app, self.platform, "bench")
        self.device = device
        self.image = replica_image()
        self.made: list[list[Any]] = []

    async def work(self, envelopes: int) -> Prepared:
        await self._receive()
        with self.home.session() as session:
            # the replica holds none but her own
            query = sa.select(Inspection.id).where(Inspection.id > 0).order_by(Inspection.id)
            old = itertools.cycle(session.scalars(query).all())
        for number, what in enumerate(itertools.islice(itertools.cycle(ROUND), envelopes)):
            if what == "new":
                row, opened = self._new(number), None
            else:
                # not the last one: who goes on with an inspection has made others meanwhile
                key = self.made[number % len(self.made)] if what == "mine" else [next(old)]
                row, opened = self._edited(number, key)
            await self._save(row, opened)
        tables = self.platform.store.tables
        names = ("next_number", "last_digest", "next_temporary")
        return Prepared(
            [(int(n), entry) for n, entry in sorted(tables["outbox"].items())],
            {name: tables["session"][name] for name in names},
            self.image,
        )

    async def _receive(self) -> None:
        tables = self.platform.store.tables
        starts = range(0, len(self.image), PIECE_BYTES)
        hashes = await self.platform.sha256_pieces(self.image, PIECE_BYTES)
        for start, name in zip(starts, hashes, strict=True):
            tables["pieces"][name] = self.image[start : start + PIECE_BYTES]
        tables["replica"]["current"] = {"cursor": "1", "pieces": hashes}
        tables["session"] |= {
            "device": self.device,
            "user": {"name": USER.name, "roles": sorted(USER.roles)},
        }
        if not await self.home.open():
            raise RuntimeError("the device on the desk is not ready")

    async def _save(self, row: Row, opened: Opened | None) -> None:
        done = await self.home.run(lambda: process(self.home, USER, PAGE, row, opened))
        if not done.is_saved or done.key is None:
            raise RuntimeError(f"a form was not saved: {done.problems}")
        # each one counts: none is folded into the one before
        self.home.state.sent_to = self.home.state.counters.next_number - 1
        if opened is None:
            self.made.append(list(done.key))

    def _new(self, number: int) -> Row:
        with acting_as(USER):
            row = new_row(PAGE.layout)
        # not today's date, which is the column's default: each run makes the same
        row.texts |= {
            "site": str(1 + number % 200),
            "inspected_on": "2026-11-23",
            "weather": "rain",
            "equipment": f"[[{1 + number % 3}],[{4 + number % 3}]]",
            "score": str(number % 100),
            "remarks": f"Visit {number}: the gate sticks, the rest is as it was.",
            "assignee": USER.name,
        }
        row.lists["findings"] = [_finding(number, i) for i in range(number % 5)]
        return row

    def _edited(self, number: int, key: list[Any]) -> tuple[Row, Opened]:
        with self.home.session() as session:
            found = session.get(Inspection, tuple(key))
            opened = opened_from(PAGE.layout, found, "1", Links(session, app, USER))
        row = row_from_opened(PAGE.layout, opened)
        row.texts["remarks"] = f"Looked at again in form {number}."
        findings = row.lists["findings"]
        if findings and number % 2:
            findings[0].texts["note"] = f"Worse than it looked, see form {number}."
        else:
            findings.append(_finding(number, len(findings)))
        if number % 4 == 0:
            row.texts["equipment"] = f"[[{1 + number % 7}]]"
        return row, opened


def _finding(number: int, index: int) -> Row:
    texts = {
        "area": f"Corner {index}",
        "severity": str(1 + (number + index) % 3),
        "note": f"Finding {index} of form {number}.",
        "due_on": "2026-12-24",
        "cost": f"{10 + number % 90}.50",
        "resolved": "false",
    }
    return Row(f"findings[{index}]", None, texts)
