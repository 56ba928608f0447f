"""The device's home: its state, outbox and working copy, and what the web layer asks of them."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, InputError, NotFound, Problem, problem
from fieldpost.home import Story, Submission, SyncEntry, SyncOverview, Trouble, Upload
from fieldpost.pages import Page
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.limits import Limits, limits_from_json
from fieldpost.wire.receipts import Receipt
from fieldpost_client.outbox.chain import Chain
from fieldpost_client.outbox.dependencies import effective
from fieldpost_client.outbox.outbox import Outbox
from fieldpost_client.platform.base import Platform, StoreError
from fieldpost_client.replica.device_state import DeviceState
from fieldpost_client.replica.replica import Replica, Unreadable
from fieldpost_client.replica.stored_state import load_state
from fieldpost_client.replica.working_copy import WorkingCopy, make_working_copy
from fieldpost_client.saving.failed_envelopes import failed_envelopes, repaired_here, void_of
from fieldpost_client.saving.next_envelope import next_envelope
from fieldpost_client.saving.record_keys import RecordKeys
from fieldpost_client.saving.remapped_keys import RemappedKeys
from fieldpost_client.saving.saving import Saving
from fieldpost_client.saving.sent_again import answer_again, receipt_here, saved_before
from fieldpost_client.sync_status import SyncStatus

T = TypeVar("T")
_log = logging.getLogger("fieldpost")


class NotReady(LookupError):
    """The device has no data yet: the first download comes first."""


class DeviceHome:
    """See `fieldpost.home.Home`. Everything durable is in the platform's store.

    Args:
        app: the app.
        platform: the browser, or its stand-in.
        app_version: of the app's shipped code.
        urls: addresses of the shell's static files.
    """

    kind = "device"

    def __init__(
        self,
        app: App,
        platform: Platform,
        app_version: str = "",
        urls: Mapping[str, str] | None = None,
    ) -> None:
        self.app = app
        self.platform = platform
        self.app_version = app_version
        self.urls = urls or {}
        self.state = DeviceState()
        self.outbox = Outbox()
        self.working: WorkingCopy | None = None
        self.activity = ""
        self.turn = asyncio.Lock()
        self.aside: WorkingCopy | None = None
        self._saving: Saving | None = None

    async def open(self) -> bool:
        """Load everything from the store; return whether the device is ready to work."""
        await self.outbox.load(self.platform.store)
        self.state = await load_state(self.platform.store, self.outbox)
        if not self.state.has_replica:
            return False
        try:
            if not self.state.device:
                await self._name_anew()
            await self.rebuild()
        except (StoreError, Unreadable):
            # the replica is a copy: the outbox is what cannot be had again, and that is safe
            self.state.cursor, self.state.pieces = "", []
            return False
        return True

    async def _name_anew(self) -> None:
        """Choose another id: the device's own is lost, and nothing waits that was made under it."""
        device = f"d-{self.platform.new_id()}"
        named = [("put", "session", "device", device), ("put", "session", "is_new", True)]
        # fault point: named-anew-unregistered — the server does not know the new id: 'is_new' is
        # stored with it, so the next sync registers before it sends.
        await self.platform.store.write([*named, *self.state.counters.operations()])
        self.state.device, self.state.is_new = device, True

    def close(self) -> None:
        """Forget everything in memory; the store stays as it is."""
        if self.working is not None:
            self.working.replica.close()
        self.working = None
        self.state, self.outbox = DeviceState(), Outbox()

    async def rebuild(self) -> None:
        """Make the working copy anew from the stored replica and the outbox."""
        image = await self._image()
        async with self.turn:
            replica = Replica(self.app, image)
            if replica.is_outdated:
                # the app has got tables or columns since: only a full download can fill them
                self.state.cursor = ""
            # fault point: working-copy-half-made — it is memory only: the next start makes it anew
            # from replica and outbox.
            self.swap(self.prepared(replica))

    async def _image(self) -> bytes:
        return await self.platform.store.read_image(self.state.pieces)

    def prepared(self, replica: Replica, without: Collection[int] = ()) -> WorkingCopy:
        """Replay the outbox on a replica, except the envelopes with these numbers."""
        entries = effective(self.remapped.entries(self.outbox.entries), without)
        replayed = self.state.held.replayed(self.app, entries)
        return make_working_copy(self.app, replica, self.user, replayed, self.state.keys)

    def swap(self, copy: WorkingCopy) -> None:
        """Put a new working copy in the place of the old one; only within `turn`."""
        if self.working is not None:
            self.working.replica.close()
        self.working = copy

    @property
    def user(self) -> User:
        """Return who works on this device; raises `NotReady`."""
        if self.state.user is None:
            raise NotReady
        return self.state.user

    @property
    def copy(self) -> WorkingCopy:
        """Return the working copy, or the one that a repair looks at; raises `NotReady`."""
        if self.working is None:
            raise NotReady
        return self.aside or self.working

    @property
    def remapped(self) -> RemappedKeys:
        """Return what reads envelopes as the present replica has them."""
        return RemappedKeys(self.app, self.state.lost_keys, self.state.cursor)

    @property
    def records(self) -> RecordKeys:
        """Return what knows the records of envelopes, as the working copy has them."""
        if self.working is None:
            return RecordKeys(self.remapped, self.state.keys, {})
        return RecordKeys(self.remapped, self.working.keys, self.working.records)

    @property
    def _sync_status(self) -> SyncStatus:
        failures = self.working.failures if self.working is not None else {}
        return SyncStatus(self.state, self.outbox, self.records, failures)

    # the home

    async def run(self, call: Callable[[], T]) -> T:
        """Run a handler, then store what it saved; what could not be stored is undone.

        Within `repairing` it runs on a copy of the data without the envelopes in question.

        Raises:
            InputError: the device could not store it (`STORAGE_FULL`, `STORAGE_FAILED`).
        """
        # fault point: run-turn — the lock is memory only: what the handler saved is in the store
        # whole or not at all, as `saving.Saving` says.
        async with self.turn:
            try:
                await self._set_aside(repaired_here())
                self._saving = saving = Saving(self.state, self.outbox, self.copy)
                found = await saving.run(call, self.platform.store)
                if saving.is_durable and saving.has_moved:
                    await self._replay_again()
            finally:
                self._saving = None
                self._drop_aside()
        if saving.is_durable:
            self.notify()
        return found

    async def _set_aside(self, identity: str) -> None:
        """Make a copy of the data in which an envelope and those of its record have no effect."""
        entry = self.outbox.by_id(identity) if identity else None
        if entry is None or not entry.is_open:
            return
        try:
            failed = self._failed(identity)
            replica = Replica(self.app, await self._image())
        except (NotFound, StoreError, Unreadable):
            return  # the handler says what there is to say
        ids = {*failed.ids, *(each.envelope for each in failed.hanging)}
        entries = self.outbox.entries.items()
        self.aside = self.prepared(replica, {n for n, e in entries if e.envelope.id in ids})

    def _drop_aside(self) -> None:
        if self.aside is not None:
            self.aside.replica.close()
            self.aside = None

    async def _replay_again(self) -> None:
        """Replay everything anew, since what was saved does not come last."""
        try:
            self.swap(self.prepared(Replica(self.app, await self._image())))
        except (StoreError, Unreadable):
            # it is stored: the next start or sync shows it in its place
            _log.exception("the stored replica could not be read")

    @property
    def limits(self) -> Limits:
        """What the server takes, as it said at the last contact."""
        return limits_from_json(self.state.settings.get("limits"))

    def session(self) -> AbstractContextManager[Session]:
        """Open a session on the working copy."""
        return self.copy.session()

    def commit(self, user: User, submission: Submission) -> Receipt:
        """Replay the next envelope here; `run` stores it. One that is stored is answered again."""
        if receipt := answer_again(self.outbox, self.records, submission):
            return receipt
        state, entries = self.state, self.outbox.entries
        chain = Chain(
            state.device, self.app.name, self.app_version, state.counters, entries, state.sent_to
        )
        kept = saved_before(self.outbox, submission.identity)
        identity = submission.identity if submission.identity and kept is None else self.new_id()
        moment = self.platform.now()
        made = next_envelope(submission, user, chain, self.copy, self.records, identity, moment)
        if made.entry is None:
            return made.result.receipt(made.envelope)
        self._at_work.add(made.entry, made.result, submission)
        return made.result.receipt(made.entry.envelope)

    @property
    def _at_work(self) -> Saving:
        if self._saving is None:
            raise RuntimeError("something is saved outside of 'run', which would never store it")
        return self._saving

    def first_receipt(self, user: User, envelope: str) -> Receipt | None:  # noqa: ARG002 - protocol
        """Return what a form was answered when it was saved; None where it has not been."""
        entry = saved_before(self.outbox, envelope)
        return None if entry is None else receipt_here(entry, self.records)

    def temporary_key(self) -> int:
        """Return the next temporary key."""
        key, self.state.counters = self.state.counters.temporary_key()
        return key

    def new_id(self) -> str:
        """Return a new UUID."""
        return self.platform.new_id()

    def base(self) -> str:
        """Return the cursor of the replica."""
        return self.state.cursor

    def is_here(self, page: Page, user: User) -> bool:
        """Say whether the page's data is on the device."""
        return self.is_offline(page) and page.may_open(user)

    def is_offline(self, page: Page) -> bool:
        """Say whether the server has marked the page offline."""
        return self.state.is_offline(page)

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:
        """Return the envelopes of the page's records that are not yet synchronised, by key."""
        return self._sync_status.open_entries(page)

    def real_key(self, model: str, temporary: int) -> int | None:
        """Return the real key that a temporary one became, once the rows here have it."""
        return self.records.real_key(model, temporary)

    def keep_upload(self, upload: Upload, user: User, *, is_picture: bool) -> Attachment:  # noqa: ARG002 - the protocol's
        """Refuse: the shell keeps files of forms in the store, they never come this way."""
        cause = f"the file '{upload.name}' did not arrive"
        raise InputError([problem(Code.STORAGE_FAILED, cause=cause)])

    def sync_overview(self, user: User) -> SyncOverview:  # noqa: ARG002 - the protocol's
        """Return what waits and what was sent."""
        return self._sync_status.overview()

    def story(self, user: User, envelope: str) -> Story:  # noqa: ARG002 - the protocol's
        """Return all that is known of an envelope; raises `NotFound`."""
        return self._sync_status.story(envelope)

    def trouble(self, user: User, envelope: str) -> Trouble:  # noqa: ARG002 - the protocol's
        """Return what an envelope needs; raises `NotFound`."""
        return self._failed(envelope)

    def _failed(self, identity: str) -> Trouble:
        copy = self.aside or self.working
        failures = copy.failures if copy is not None else {}
        in_words = self._sync_status.in_words()
        return failed_envelopes(identity, self.outbox, self.remapped, failures, in_words)

    def discard(self, user: User, trouble: Trouble) -> tuple[Problem, ...]:
        """Put voids in the place of envelopes; `run` stores them."""
        for identity in trouble.ids:
            entry = self.outbox.by_id(identity)
            if entry is not None and entry.is_open and not entry.is_void:
                moment = self.platform.now()
                void = void_of(entry, user, self.app_version, self.new_id(), moment)
                self._at_work.discard(entry, void)
        return ()

    def asset(self, name: str) -> str:
        """Return the address of a static file."""
        return self.urls.get(name, f"/assets/{name}")

    def context(self, user: User) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        """Return the Sync button's state."""
        return {"demo": False, "sync": self.status()}

    def status(self) -> dict[str, Any]:
        """Return the Sync button's state as plain data."""
        return self._sync_status.button(self.activity)

    def notify(self) -> None:
        """Tell the shell the state."""
        self.platform.notify({"event": "status", **self.status()})
