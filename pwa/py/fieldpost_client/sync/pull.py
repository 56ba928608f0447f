"""Pull: a newer replica from the server, proven equal, stored together with what it confirms."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from fieldpost.errors import Code, Problem, problem, problem_from_json
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.dependencies import leaving, missing_at_the_office
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.base import StoreError
from fieldpost_client.replica.answers import is_pull
from fieldpost_client.replica.changed_sums import ChangedSums
from fieldpost_client.replica.device_state import about_operations
from fieldpost_client.replica.replica import Replica, Unreadable
from fieldpost_client.sync.contact import Contact, Stopped, stopped_by
from fieldpost_client.sync.download import check_user, download_image, register
from fieldpost_client.sync.installation import hold_back, install, install_image
from fieldpost_client.sync.receipt_verification import SIGNING_KEYS, learn_keys
from fieldpost_client.sync_status import TROUBLE

_log = logging.getLogger("fieldpost")


@dataclass
class PullReport:
    """What a pull came to.

    Attributes:
        pulled, removed: rows put and removed.
        repaired: tables that were not equal and were put right, by themselves or by a download.
        unproven: tables that are not equal in the end, after a download of everything.
        full: everything was downloaded anew.
        failed: why tables are not up to date, in words: the office could not read or decide them.
        lacking: ranges of numbers that never arrived at the server and are not here any more.
    """

    pulled: int = 0
    removed: int = 0
    repaired: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    full: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    lacking: list[list[int]] = field(default_factory=list)


class Pull:
    """One pull."""

    def __init__(self, home: DeviceHome, contact: Contact | None = None) -> None:
        self.home = home
        self.contact = contact or Contact(home)
        self.platform = home.platform
        self.report = PullReport()
        self.references: dict[str, int] = {}
        self.arrived: Mapping[str, Any] = {}
        self.proven: dict[str, Any] = {}
        self.failed: dict[str, Problem] = {}
        self._unequal: list[str] = []

    async def run(self) -> None:
        """Get what changed and put it in the place of the old replica, proven equal.

        Raises:
            Stopped: the server cannot be reached or refuses, or the device could not store it;
                the old replica stays.
        """
        if not self.home.state.cursor:
            # an image does not say what has arrived
            self.arrived = await register(self.home, self.contact)
            self._check_arrived()
        # only what was confirmed before the server took its snapshot is surely in it
        confirmed = leaving(self.home.outbox.entries)
        if not await self._is_pulled(confirmed):
            await self._download(confirmed)

    async def _is_pulled(self, confirmed: list[Entry]) -> bool:
        """Get what changed; say no where only a full download helps."""
        answer = await self._ask()
        if answer is None:
            return False
        await learn_keys(self.home, answer.get(SIGNING_KEYS))
        changed = any(answer.get(part) for part in ("put", "remove", "replace"))
        held, confirmed = hold_back(self.home, confirmed, self.failed)
        is_same = not changed and not confirmed and held == self.home.state.held
        if is_same and not self._doubtful(answer):
            await self._go_on(answer)
            return True
        try:
            replica = await self._updated(answer)
        except _Unequal:
            return False
        changed |= bool(self.report.repaired)
        try:
            await install(
                self.home,
                replica,
                answer["cursor"],
                answer,
                confirmed,
                pieces_changed=changed,
                proven=self.proven,
                held=held,
            )
        except StoreError as error:
            raise stopped_by(error) from error
        return True

    async def _go_on(self, answer: Mapping[str, Any]) -> None:
        """Note how far the replica is; nothing that is stored or seen of it has changed."""
        home, cursor = self.home, answer["cursor"]
        try:
            current = await self.platform.store.read("replica", "current")
            moved = {**(current if isinstance(current, dict) else {}), "cursor": cursor}
            operations = [("put", "replica", "current", moved), *about_operations(answer)]
            async with home.turn:
                await self.platform.store.write(operations)
                # fault point: cursor-noted — replica and cursor belong together as before, since
                # nothing has changed between: a cursor that is not noted brings the same pull
                # again.
                home.state.adopt_about(answer)
                home.state.cursor = cursor
        except StoreError as error:
            raise stopped_by(error) from error
        self.references = home.copy.replica.references()

    async def _ask(self, table: str = "") -> Any:
        """Return the server's answer; None where only a full download helps."""
        if not self.home.state.cursor:
            return None
        path = f"/sync/pull?cursor={quote(self.home.state.cursor, safe='')}"
        if table:
            path += f"&replace={quote(table, safe='')}"
        try:
            data = await self.contact.data("GET", path, is_whole=is_pull)
        except Stopped as stopped:
            if stopped.problem.code is Code.BAD_CURSOR:
                return None
            raise
        check_user(self.home, data)
        if not table:
            self.failed.clear()
            self.report.failed.clear()
        self._note_failed(data.get("failed") or {})
        self.arrived = data.get("arrived") or {}
        self._check_arrived()
        return None if data["reset"] else data

    def _note_failed(self, failed: Mapping[str, Any]) -> None:
        for name, why in failed.items():
            self.failed[name] = problem_from_json(why)
            self.report.failed[name] = self.failed[name].message

    def _check_arrived(self) -> None:
        """Stop before a replica is stored in which keys may mean other rows than they did.

        Raises:
            Stopped: the server was put back to an earlier state, and has to be told so first.
        """
        home = self.home
        forgotten, self.report.lacking = missing_at_the_office(
            home.outbox, home.state.device, self.arrived
        )
        if forgotten:
            number = int(self.arrived.get("number") or 0)
            raise Stopped(TROUBLE, problem(Code.FORGOTTEN, number=number))

    async def _updated(self, answer: Mapping[str, Any]) -> Replica:
        """Return the stored replica with the answer applied, proven equal.

        Raises:
            _Unequal: it cannot be made equal.
        """
        try:
            image = await self.platform.store.read_image(self.home.state.pieces)
            replica = Replica(self.home.app, image)
        except (StoreError, Unreadable) as error:
            self.home.state.pieces = []  # they are stored anew, whatever is there under their names
            raise _Unequal from error
        try:
            sums = ChangedSums(replica, answer, self.home.state.proven)
            self._apply(replica, answer)
            self.proven = dict(answer["digests"])
            doubtful = self._doubtful(answer)
            left = doubtful.keys() - sums.equal(doubtful)
            for table in await replica.differences({n: doubtful[n] for n in sorted(left)}):
                if self.report.full:
                    self._give_up(table)
                else:
                    await self._repair(replica, table)
            self.references = replica.references()
        except BaseException:
            replica.close()
            raise
        return replica

    def _doubtful(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return the digests that the last proof does not cover: tables touched since, or others.

        Going through a large table takes seconds on a device.
        """
        touched = {*answer.get("put", ()), *answer.get("remove", ()), *answer.get("replace", ())}
        known = self.home.state.proven
        return {
            table: digest
            for table, digest in answer["digests"].items()
            if table in touched or known.get(table) != digest
        }

    def _apply(self, replica: Replica, answer: Mapping[str, Any]) -> None:
        try:
            replica.apply(answer)
        except (ValueError, KeyError, TypeError, sa.exc.SQLAlchemyError) as error:
            # the server's tables are others than this app's: the image comes with its own
            raise _Unequal from error
        self.report.pulled += sum(len(rows) for rows in answer.get("put", {}).values())
        self.report.removed += sum(len(keys) for keys in answer.get("remove", {}).values())

    async def _repair(self, replica: Replica, table: str) -> None:
        """Ask for a table as a whole; its newer rows do no harm, the next pull brings the rest."""
        answer = await self._ask(table)
        if table in self.failed:
            self.proven.pop(table, None)  # the next sync compares it again
            return
        if answer is None or table not in answer.get("replace", ()):
            raise _Unequal
        only = {"replace": [table], "put": {table: answer["put"].get(table, [])}}
        self._apply(replica, only)
        digest = {table: answer["digests"].get(table)}
        if await replica.differences(digest):
            self._unequal.append(table)
            raise _Unequal
        self.proven |= digest
        self.report.repaired.append(table)

    def _give_up(self, table: str) -> None:
        """Say that a table differs even from a new download; the next sync tries again."""
        _log.error("the table %s is not equal to the server's after a full download", table)
        self.proven.pop(table, None)
        self.report.unproven.append(table)

    async def _download(self, confirmed: list[Entry]) -> None:
        self.report.full = True
        image = await download_image(self.home, self.contact)
        self.report.pulled = image.count
        await install_image(self.home, image, None, confirmed)
        self.references = image.references
        # what was downloaded is proven as everything is: by a pull
        if not await self._is_pulled([]):
            self.report.unproven = sorted(image.rows)
        self.report.repaired += [t for t in self._unequal if t not in self.report.unproven]


class _Unequal(Exception):
    pass
