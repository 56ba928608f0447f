"""A device, and the bad road between it and the office."""

import gzip
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from apps.errands import app
from convergence.office import TABLES, VERSION, Office
from ed25519 import verified
from fieldpost.errors import InputError
from fieldpost.odp.form.processor import Processed
from fieldpost.users import User
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import Answer
from fieldpost_client.platform.host import Fault, HostPlatform
from fieldpost_client.platform.memory import Crash
from fieldpost_client.replica.replica import Replica
from fieldpost_client.saving.failed_envelopes import repairing
from fieldpost_client.sync.synchroniser import Synchroniser

BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)


@dataclass
class Road(HostPlatform):
    """The network: it may turn a push around, double it, and bring it again much later.

    Attributes:
        disorder: 'reversed' or 'doubled' lines, or the whole push 'twice'; empty for neither.
        pushes: every push that ever left, so that it can arrive once more.
        before_pull: what happens while a sync is between push and pull, once.
    """

    disorder: str = ""
    pushes: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    before_pull: Callable[[], Awaitable[None]] | None = None

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | str | None,
        fault: Fault | None,
    ) -> Answer:
        if path.startswith("/sync/pull") and self.before_pull is not None:
            happens, self.before_pull = self.before_pull, None
            await happens()
        if path != "/sync/push" or not isinstance(body, bytes):
            return await super()._ask(method, path, headers, body, fault)
        sent = _disordered(body, self.disorder)
        self.pushes.append((dict(headers), sent))
        if self.disorder == "twice":
            await super()._ask(method, path, headers, sent, None)
        return await super()._ask(method, path, headers, sent, fault)

    async def deliver_again(self, which: int) -> None:
        """Bring an old push to the office; nobody hears the answer."""
        headers, body = self.pushes[which % len(self.pushes)]
        await super()._ask("POST", "/sync/push", headers, body, None)


def _disordered(body: bytes, disorder: str) -> bytes:
    lines = gzip.decompress(body).splitlines(keepends=True)
    if disorder == "reversed":
        lines.reverse()
    elif disorder == "doubled":
        lines = [line for each in lines for line in (each, each)]
    else:
        return body
    return gzip.compress(b"".join(lines), mtime=0)


class Worker:
    """A device and all that it has ever saved.

    Attributes:
        saved: the text of each envelope by number, taken down when it was durable.
        voids: ids of the voids that were durable, by the number that they share.
    """

    def __init__(self, office: Office, user: str, number: int, note: Callable[[Any], None]) -> None:
        self.office, self.note, self.name = office, note, f"{user}-{number}"
        self.saved: dict[int, dict[str, Any]] = {}
        self.times_saved = 0
        self.voids: dict[int, set[str]] = {}
        ids, moments = _ids(number), count()
        self.road = Road(
            self._office,
            headers={"cookie": office.cookies[user]},
            ids=lambda: next(ids),
            moment=lambda: BEGIN + timedelta(seconds=next(moments)),
            verifier=verified,
        )
        self.home = DeviceHome(app, self.road, VERSION)
        self.sync = Synchroniser(self.home)
        report = office.runner.run(self.sync.download())
        assert report["outcome"] == "done", report

    async def _office(self, *call: Any) -> None:
        await self.office.application(*call)

    @property
    def user(self) -> User:
        return self.home.user

    def restart(self) -> None:
        """Begin anew from what is in the store."""
        self.home.close()
        self.road.store.crash, self.road.store.fail = {}, {}
        self.home = DeviceHome(app, self.road, VERSION)
        self.sync = Synchroniser(self.home)
        self.office.runner.run(self.home.open())
        self._take_down()

    def save(self, work: Callable[[], Processed], repairs: str = "") -> Processed | None:
        """Save a form, perhaps of a repair; None where the device could not store it, or died."""
        try:
            return self.office.runner.run(self.save_now(work, repairs))
        except Crash:
            self.restart()
            return None

    async def save_now(self, work: Callable[[], Processed], repairs: str = "") -> Processed | None:
        known = self.times_saved
        try:
            with repairing(repairs):
                found = await self.home.run(work)
        except InputError:
            self._take_down()
            assert self.times_saved == known, "what could not be stored was kept"
            return None
        self._take_down()
        is_kept = found.receipt is not None and found.receipt.is_applied
        assert self.times_saved == known + is_kept, "Saved was said of something that is not kept"
        return found

    def synchronise(self) -> dict[str, Any] | None:
        """Sync; None where the device died over it."""
        try:
            return self.office.runner.run(self.sync.sync())
        except Crash:
            self.restart()
            return None

    def heal(self) -> None:
        """End all that is wrong with road and store."""
        self.road.faults, self.road.disorder, self.road.before_pull = [], "", None
        self.road.store.crash, self.road.store.fail = {}, {}

    def replica_rows(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return what a restart would find stored, without the outbox."""
        image = self.office.runner.run(self.road.store.read_image(self.home.state.pieces))
        replica = Replica(app, image)
        try:
            return rows_of(replica.connection)
        finally:
            replica.close()

    def working_rows(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return what the worker sees."""
        return rows_of(self.home.copy.replica.connection)

    def close(self) -> None:
        self.home.close()

    def _take_down(self) -> None:
        for number, entry in sorted(self.home.outbox.entries.items()):
            before = self.saved.get(number)
            if entry.is_void and before is not None:
                self.voids.setdefault(number, set()).add(entry.envelope.id)
            elif before is None or before["id"] != entry.envelope.id:
                # one that was folded into the last, which was never sent, takes its place
                self.saved[number] = json.loads(entry.text)
                self.times_saved += 1
                self.note(self.saved[number])


def rows_of(connection: sa.Connection) -> dict[str, list[Mapping[str, Any]]]:
    """Return all rows by table, in the order of their keys."""
    with connection.begin():
        return {
            name: [
                dict(row)
                for row in connection.execute(
                    sa.select(table).order_by(*table.primary_key)
                ).mappings()
            ]
            for name, table in TABLES.items()
        }


def _ids(number: int) -> Iterator[str]:
    return (str(uuid.UUID(int=(number << 64) + n)) for n in count(1))
