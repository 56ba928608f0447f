"""Sync: push, pull, rebase, prove, and attachments; one at a time."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fieldpost.errors import Code, Problem, problem
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.dependencies import missing_at_the_office
from fieldpost_client.outbox.outbox import ATTENTION, CONFIRMED, PENDING, Entry
from fieldpost_client.platform.base import StoreError
from fieldpost_client.sync.contact import CANCELLED, Contact, Stopped, stopped_by
from fieldpost_client.sync.download import download_image, register
from fieldpost_client.sync.enrolment import enrol_anew, is_stranded
from fieldpost_client.sync.installation import install_image
from fieldpost_client.sync.pull import Pull
from fieldpost_client.sync.push import Push, is_of_what_was_sent, summary, texts_first
from fieldpost_client.sync.receipt_verification import believe_anew
from fieldpost_client.sync.resend import is_of_before, loss_reports, take_back
from fieldpost_client.sync.uploads import Uploads, attachment_path
from fieldpost_client.sync_status import (
    IDENTITY_CHANGED,
    OFFLINE,
    SIGNED_OUT,
    TROUBLE,
    UNVERIFIED,
    WORKING,
)

_FORGOTTEN = frozenset({Code.WRONG_DEVICE, Code.FORGOTTEN})

RESENDS = 3
"""How often one sync takes back what the server has forgotten; it names so much at once only."""

LOOKED_AT_BYTES = 64 << 20
"""So much of the stored pictures and files one sync looks through for damage."""

_log = logging.getLogger("fieldpost")


class Synchroniser:
    """Keeps a device in step with its server."""

    def __init__(self, home: DeviceHome) -> None:
        self.home = home
        self.platform = home.platform
        self.contact = Contact(home)
        self.uploads = Uploads(home, self.contact)
        self._running: asyncio.Future[dict[str, Any]] | None = None
        self._stumbled: list[Stopped] = []
        self._unloaded: dict[str, Problem] = {}
        self._sound: set[str] = set()

    async def sync(self, *, signed_in: bool = False) -> dict[str, Any]:
        """Do one sync; a call while one is under way waits for that one and returns its report.

        Args:
            signed_in: the worker has signed in just now, after she was told what was wrong.

        Returns:
            Plain data: ``outcome`` ('done', 'offline', 'signed_out', 'identity_changed',
            'unverified', 'cancelled' or 'trouble'), counts, ``problems``, and the ``status``
            afterwards.
        """
        return await self._only_one(lambda: self._sync(signed_in=signed_in))

    async def download(self) -> dict[str, Any]:
        """Do the first download, or go on with it; returns a report as `sync` does."""
        return await self._only_one(self._download)

    def cancel(self) -> None:
        """End a sync that is under way; what has arrived stays, nothing else is asked for."""
        if self._running is not None:
            self.contact.cancel()

    async def _only_one(self, work: Any) -> dict[str, Any]:
        if self._running is None:
            self.contact.begin()
            self._stumbled.clear()
            self._unloaded.clear()
            self._running = asyncio.ensure_future(work())
            self._running.add_done_callback(self._finished)
        return await asyncio.shield(self._running)

    def _finished(self, _: object) -> None:
        self._running = None

    async def _sync(self, *, signed_in: bool) -> dict[str, Any]:
        begin = self.platform.now()
        self._set(WORKING)
        push, pull = Push(self.home, self.contact), Pull(self.home, self.contact)
        activity, problems, attachments = "", list[Problem](), 0
        try:
            if signed_in and self.home.state.server_keys.changed:
                await believe_anew(self.home, self.contact)
            attachments = await self._steps(push, pull)
            activity, problems = self._doubts(push, pull)
        except Stopped as stopped:
            activity, problems = stopped.activity, _distinct([stopped, *self._stumbled])
            await self._settle()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost
            # nothing is lost: the outbox is in the store, and the next sync begins anew
            activity, problems = TROUBLE, [_unforeseen("sync", error)]
            await self._settle()
        seconds = round((self.platform.now() - begin).total_seconds(), 1)
        report = {
            **summary(push.report),
            **asdict(pull.report),
            "attachments": attachments,
            "unloaded": {sha: why.message for sha, why in self._unloaded.items()},
            "seconds": seconds,
        }
        if not activity:
            await self._note(report)
        self._set("" if activity == CANCELLED else activity)
        return {
            "outcome": activity or "done",
            **report,
            "refused": {sha: why.message for sha, why in self.uploads.refused.items()},
            "problems": [p.to_json() for p in problems],
            "status": self.home.status(),
        }

    async def _steps(self, push: Push, pull: Pull) -> int:
        if self.home.state.is_new:
            await register(self.home, self.contact)
        for left in reversed(range(RESENDS + 1)):
            try:
                await self._first_steps(push, pull)
                break
            except Stopped as stopped:
                if stopped.problem.code not in _FORGOTTEN or not left:
                    raise
                await self._resend()
        if is_stranded(self.home):
            await enrol_anew(self.home)
            # fault point: enrolled-unregistered — all that is open waits under the new id: the next
            # sync begins by registering it.
            await register(self.home, self.contact)
            pull.references = await self._once_more(push, pull)
        return await self._load_attachments(pull.references)

    async def _resend(self) -> None:
        """Take back what the server has forgotten, which does not know the device any more."""
        arrived = await register(self.home, self.contact)
        forgotten, _ = missing_at_the_office(self.home.outbox, self.home.state.device, arrived)
        # fault point: forgotten-not-taken-back — the server knows the device again, the outbox
        # lacks what was forgotten: the next pull says so once more before it stores anything.
        await take_back(self.home, forgotten)

    async def _report_losses(self, pull: Pull) -> None:
        """Tell the server what it has forgotten, before anything is sent that names such rows."""
        waiting = self.home.outbox.of_state(PENDING)
        for base, receipts in loss_reports(waiting):
            await register(self.home, self.contact, receipts, base)
        if is_of_before(self.home, waiting):
            # new receipts bring keys that do not fit the rows of before
            first = Pull(self.home, self.contact)
            await first.run()
            pull.report.pulled += first.report.pulled
            pull.report.full |= first.report.full

    async def _first_steps(self, push: Push, pull: Pull) -> None:
        # what the server had whole a while ago it may have forgotten
        self.uploads.begin()
        await self._report_losses(pull)
        if refused := self.home.outbox.of_state(ATTENTION):
            try:
                await push.ask_again(refused)
            except Stopped as stopped:
                # how those stand is no condition of anything else
                self._stumble(stopped)
        await self._exchange(push, pull)

    async def _once_more(self, push: Push, pull: Pull) -> dict[str, int]:
        again = Pull(self.home, self.contact)
        await self._exchange(push, again)
        pull.report.pulled += again.report.pulled
        pull.failed, pull.report.failed = again.failed, again.report.failed
        return again.references

    def _doubts(self, push: Push, pull: Pull) -> tuple[str, list[Problem]]:
        """Say what is wrong although everything went through."""
        if self.home.state.server_keys.changed:
            return IDENTITY_CHANGED, [problem(Code.IDENTITY_CHANGED)]
        if count := push.report.unverified:
            return UNVERIFIED, [problem(Code.RECEIPT_UNVERIFIED, count=count)]
        # what an item stumbled over is its own; but nobody may take this for a good connection
        found = {stopped.activity for stopped in self._stumbled}
        activity = next((a for a in (SIGNED_OUT, OFFLINE) if a in found), "")
        failed = pull.failed.values()
        put_off = push.put_off.values()
        return activity, [*_distinct(self._stumbled), *put_off, *push.unsent.values(), *failed]

    async def _exchange(self, push: Push, pull: Pull) -> None:
        """Send what waits, the texts before the pictures, and get what is new."""
        entries = await push.gather()
        ahead, behind = texts_first(entries)
        try:
            await self._send(push, ahead)
            if behind:
                self._stumbled += await self.uploads.send_all(behind)
                await self._send(push, behind)
        finally:
            await push.note_reasons(entries, self.uploads.reasons)
        await pull.run()

    async def _send(self, push: Push, entries: list[Entry]) -> None:
        """Push entries; where the server has trouble with all of them the rest goes on."""
        try:
            await push.send(entries)
        except Stopped as stopped:
            if not self.contact.is_over(stopped) and is_of_what_was_sent(stopped):
                self._stumble(stopped)
            else:
                raise

    def _stumble(self, stopped: Stopped) -> None:
        """Go on without an item; raises `Stopped` where nothing else would go on either."""
        if self.contact.is_over(stopped) or stopped.problem.code in _FORGOTTEN:
            raise stopped
        self._stumbled.append(stopped)

    async def _settle(self) -> None:
        """Show what the receipts of a sync that stopped have changed."""
        if self.home.working is None or not self.home.outbox.of_state(CONFIRMED):
            return
        try:
            await self.home.rebuild()
        except Exception:  # noqa: BLE001 - logged whole; a sync that stopped always says so
            _log.exception("the stored replica could not be read")

    async def _note(self, report: Mapping[str, Any]) -> None:
        moment = self.platform.now().isoformat(timespec="seconds")
        try:
            await self.platform.store.write(
                [
                    ("put", "session", "last_sync", moment),
                    ("put", "session", "report", dict(report)),
                ]
            )
        except StoreError:
            _log.warning("the report of the sync could not be stored")
        # fault point: sync-noted — everything of the sync was stored before this note: without it
        # only the moment that is shown is an older one.
        self.home.state.last_sync, self.home.state.report = moment, dict(report)

    async def _download(self) -> dict[str, Any]:
        self._set(WORKING)
        activity, problems, rows = "", list[Problem](), dict[str, int | None]()
        try:
            await register(self.home, self.contact)
            image = await download_image(self.home, self.contact)
            await install_image(self.home, image, None, [])
            rows = image.rows
            await self._note({"sent": 0, "pulled": image.count, "full": True})
        except Stopped as stopped:
            activity, problems = stopped.activity, [stopped.problem]
        except StoreError as error:
            activity, problems = TROUBLE, [stopped_by(error).problem]
        except Exception as error:  # noqa: BLE001 - whatever it is, what has arrived is kept
            activity, problems = TROUBLE, [_unforeseen("first download", error)]
        self._set("" if activity == CANCELLED else activity)
        return {
            "outcome": activity or "done",
            "rows": rows,
            "problems": [p.to_json() for p in problems],
            "status": self.home.status(),
        }

    async def load_attachments(self) -> int:
        """Download what the rows on the device refer to; returns how many arrived."""
        async with self.home.turn:
            # fault point: attachments-listed — only memory is read, so that nobody swaps the
            # replica meanwhile; nothing is written.
            references = self.home.copy.replica.references()
        return await self._load_attachments(references)

    async def _load_attachments(self, references: Mapping[str, int]) -> int:
        known = set(await self.platform.store.keys("attachments"))
        damaged = await self._damaged({s: n for s, n in references.items() if s in known})
        wanted = [sha for sha in references if sha not in known or sha in damaged]
        loaded = 0
        for number, sha256 in enumerate(wanted):
            self.platform.notify(
                {"event": "progress", "step": "attachments", "done": number, "total": len(wanted)}
            )
            try:
                await self.contact.load_attachment(attachment_path(sha256), sha256)
            except Stopped as stopped:
                # the rows are here and proven; this picture comes with the next sync
                self._unloaded[sha256] = stopped.problem
                if stopped.activity in (SIGNED_OUT, CANCELLED):
                    self._stumbled.append(stopped)
                if self.contact.is_over(stopped) or stopped.problem.code is Code.STORAGE_FULL:
                    break
                continue
            # fault point: attachment-downloaded — each is stored by itself under its digest: the
            # next sync asks only for those that are not there.
            loaded += 1
        return loaded

    async def _damaged(self, stored: Mapping[str, int]) -> set[str]:
        """Return which stored files are not what their names say; each is looked at once.

        The office has them: they are loaded again. One sync looks at so many bytes only.
        """
        found, left = set[str](), LOOKED_AT_BYTES
        for sha256, size in stored.items():
            if sha256 in self._sound:
                continue
            if left <= 0:
                break
            left -= size
            try:
                is_whole = await self.platform.is_whole(sha256)
            except StoreError:
                is_whole = False
            if is_whole:
                self._sound.add(sha256)
            else:
                found.add(sha256)
        return found

    def _set(self, activity: str) -> None:
        self.home.activity = activity
        self.home.notify()


def _unforeseen(what: str, error: Exception) -> Problem:
    """Return in words what nobody has thought of; the console has all of it."""
    _log.exception("the %s failed", what)
    return problem(Code.UNEXPECTED, cause=type(error).__name__)


def _distinct(stopped: list[Stopped]) -> list[Problem]:
    return list({each.problem.message: each.problem for each in stopped}.values())
