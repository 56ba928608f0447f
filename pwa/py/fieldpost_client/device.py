"""The device's home: reads from the working copy, and keeps what is saved before it says so."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, InputError, NotFound, Problem, problem
from fieldpost.home import Story, Submission, SyncOverview, Trouble, Upload
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.odp.replay.result import Result
from fieldpost.pages import Page
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.receipts import Receipt
from fieldpost_client.outbox.dependencies import effective, open_entries
from fieldpost_client.outbox.outbox import (
    Entry,
    Outbox,
)
from fieldpost_client.platform.base import Operation, Platform, StoreError
from fieldpost_client.replica.device_state import DeviceState, load_state
from fieldpost_client.replica.replica import Replica, Unreadable
from fieldpost_client.replica.working_copy import WorkingCopy, make_working_copy
from fieldpost_client.saving.failed_envelopes import trouble_of, void_of
from fieldpost_client.saving.next_envelope import saved_here
from fieldpost_client.saving.remapped_keys import all_read_now, as_read_now
from fieldpost_client.sync_status import make_overview, make_status, story_of

T = TypeVar("T")
_repaired: ContextVar[str] = ContextVar("fieldpost_repaired", default="")
"""The envelope that is being repaired in this request."""
_log = logging.getLogger("fieldpost")


@contextmanager
def repairing(envelope: str) -> Iterator[None]:
    """Let handlers see the data without an envelope, which they are to repair or discard."""
    token = _repaired.set(envelope)
    try:
        yield
    finally:
        _repaired.reset(token)


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
        self._queue: list[Operation] = []
        self._saved: list[tuple[Entry, Result | None]] = []

    async def open(self) -> bool:
        """Load everything from the store; return whether the device is ready to work."""
        self.state = await load_state(self.platform.store)
        await self.outbox.load(self.platform.store)
        if not self.state.has_replica:
            return False
        try:
            await self.rebuild()
        except (StoreError, Unreadable):
            # the replica is a copy: the outbox is what cannot be had again, and that is safe
            self.state.cursor, self.state.pieces = "", []
            return False
        return True

    def close(self) -> None:
        """Forget everything in memory; the store stays as it is."""
        if self.working is not None:
            self.working.replica.close()
        self.working = None
        self.state, self.outbox = DeviceState(), Outbox()

    async def rebuild(self) -> None:
        """Make the working copy anew from the stored replica and the outbox."""
        image = await self.platform.store.read_image(self.state.pieces)
        async with self.turn:
            replica = Replica(self.app, image)
            if replica.is_outdated:
                # the app has got tables or columns since: only a full download can fill them
                self.state.cursor = ""
            # fault point: working-copy-half-made — it is memory only: the next start makes it anew
            # from replica and outbox.
            self.swap(self.prepared(replica))

    def prepared(self, replica: Replica, without: Collection[int] = ()) -> WorkingCopy:
        """Replay the outbox on a replica, except the envelopes with these numbers."""
        entries = effective(all_read_now(self), without)
        return make_working_copy(self.app, replica, self.user, entries, self.state.keys)

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

    # the home

    async def run(self, call: Callable[[], T]) -> T:
        """Run a handler, then store what it saved; what could not be stored is undone.

        Within `repairing` it runs on a copy of the data without the envelopes in question.

        Raises:
            InputError: the device could not store it (`STORAGE_FULL`, `STORAGE_FAILED`).
        """
        async with self.turn:
            before = self.state.counters
            await self._set_aside(_repaired.get())
            transaction = self.copy.replica.connection.begin()
            try:
                # fault point: save-in-memory — the handler's changes are in the working copy only:
                # 'Saved' was not said, and the draft is still there.
                found = call()
                saved = await self._keep()
            except BaseException:
                transaction.rollback()
                self.state.counters = before
                raise
            else:
                # without anything saved there is nothing to keep but the temporary keys given out
                transaction.commit() if saved else transaction.rollback()
                if saved and self._has_moved():
                    await self._replay_again()
            finally:
                self._queue, self._saved = [], []
                self._drop_aside()
        if saved:
            self.notify()
        return found

    async def _set_aside(self, identity: str) -> None:
        """Make a copy of the data in which an envelope and those of its record have no effect."""
        entry = self.outbox.by_id(identity) if identity else None
        if entry is None or not entry.is_open:
            return
        try:
            trouble = trouble_of(self, identity)
            image = await self.platform.store.read_image(self.state.pieces)
            replica = Replica(self.app, image)
        except (NotFound, StoreError, Unreadable):
            return  # the handler says what there is to say
        ids = {*trouble.ids, *(each.envelope for each in trouble.hanging)}
        entries = self.outbox.entries.items()
        self.aside = self.prepared(replica, {n for n, e in entries if e.envelope.id in ids})

    def _drop_aside(self) -> None:
        if self.aside is not None:
            self.aside.replica.close()
            self.aside = None

    def _has_moved(self) -> bool:
        """Say whether what was saved takes the place of something that was replayed before."""
        return any(e.is_void or e.envelope.supersedes for e, _ in self._saved)

    async def _replay_again(self) -> None:
        """Replay everything anew, since what was saved does not come last."""
        try:
            image = await self.platform.store.read_image(self.state.pieces)
            self.swap(self.prepared(Replica(self.app, image)))
        except (StoreError, Unreadable):
            # it is stored: the next start or sync shows it in its place
            _log.exception("the stored replica could not be read")

    async def _keep(self) -> bool:
        if not self._queue:
            return False
        try:
            # fault point: save-unstored — envelope, counters, attachments and the draft's end are
            # one strict transaction: without it there is the draft and no envelope.
            await self.platform.store.write([*self._queue, *self.state.counters.operations()])
        except StoreError as error:
            raise InputError([_storage_problem(error)]) from error
        # fault point: save-stored — the envelope is durable and 'Saved' was not said: the next
        # start shows it as saved, its draft is gone, and no number is used twice.
        for entry, result in self._saved:
            self.outbox.entries[entry.number] = entry
            if result is not None:
                self.copy.note(entry.envelope, result)
        return True

    def session(self) -> AbstractContextManager[Session]:
        """Open a session on the working copy."""
        return self._session()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self.copy.session() as session:
            yield session

    def commit(self, user: User, submission: Submission) -> Receipt:
        """Replay the next envelope here and queue it for the store."""
        saved = saved_here(self, user, submission)
        if saved.entry is None:
            return saved.result.receipt(saved.envelope)
        self._queue_entry(saved.entry, submission, saved.result)
        return saved.result.receipt(saved.entry.envelope)

    def _queue_entry(self, entry: Entry, submission: Submission, result: Result) -> None:
        self._queue += [entry.put(), *(("adopt", sha) for sha in submission.attachments)]
        if submission.draft:
            self._queue.append(("delete", "drafts", submission.draft))
        self._saved.append((entry, result))
        self.state.counters = self.state.counters.after(entry.envelope)

    def temporary_key(self) -> int:
        """Return the next temporary key."""
        counters = self.state.counters
        self.state.counters = replace(counters, next_temporary=counters.next_temporary - 1)
        return counters.next_temporary

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
        marked = self.state.settings.get("offline")
        return page.offline if marked is None else page.name in marked

    def waiting(self, page: Page) -> frozenset[tuple[Any, ...]]:
        """Return the keys of the page's records that are not yet synchronised."""
        return frozenset(
            self.record_of(e)[1]
            for e in open_entries(self.outbox.entries)
            if self.record_of(e)[0] == page.spec.name
        )

    def record_of(self, entry: Entry) -> tuple[str, tuple[Any, ...]]:
        """Return the model and the present key of an envelope's record; empty where it is gone."""
        page = self.app.pages.get(entry.envelope.page)
        if page is None:
            return "", ()
        key = as_read_now(self, entry).record
        if self.working is not None:
            key = self.working.records.get(entry.envelope.id, key)
        model = page.spec.name
        return model, tuple(
            self.real_key(model, part) or part if is_temporary(part) else part for part in key
        )

    def real_key(self, model: str, temporary: int) -> int | None:
        """Return the real key that a temporary one became, once the rows here have it."""
        keys = self.state.keys if self.working is None else self.working.keys
        return keys.get((model, temporary))

    def keep_upload(self, upload: Upload, user: User) -> Attachment:  # noqa: ARG002 - the protocol's
        """Refuse: the shell keeps files of forms in the store, they never come this way."""
        cause = f"the file '{upload.name}' did not arrive"
        raise InputError([problem(Code.STORAGE_FAILED, cause=cause)])

    def sync_overview(self, user: User) -> SyncOverview:  # noqa: ARG002 - the protocol's
        """Return what waits and what was sent."""
        return make_overview(self)

    def story(self, user: User, envelope: str) -> Story:  # noqa: ARG002 - the protocol's
        """Return all that is known of an envelope; raises `NotFound`."""
        return story_of(self, envelope)

    def trouble(self, user: User, envelope: str) -> Trouble:  # noqa: ARG002 - the protocol's
        """Return what an envelope needs; raises `NotFound`."""
        return trouble_of(self, envelope)

    def discard(self, user: User, trouble: Trouble) -> tuple[Problem, ...]:
        """Put voids in the place of envelopes; `run` stores them."""
        for identity in trouble.ids:
            entry = self.outbox.by_id(identity)
            if entry is not None and entry.is_open and not entry.is_void:
                void = void_of(self, user, entry)
                self._queue += [void.put(), ("delete", "drafts", f"/repair/{identity}")]
                self._saved.append((void, None))
        return ()

    def asset(self, name: str) -> str:
        """Return the address of a static file."""
        return self.urls.get(name, f"/assets/{name}")

    def context(self, user: User) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        """Return the Sync button's state."""
        return {"demo": False, "sync": self.status()}

    def status(self) -> dict[str, Any]:
        """Return the Sync button's state as plain data."""
        return make_status(self)

    def notify(self) -> None:
        """Tell the shell the state."""
        self.platform.notify({"event": "status", **self.status()})


def _storage_problem(error: StoreError) -> Any:
    if error.name == "QuotaExceededError":
        return problem(Code.STORAGE_FULL)
    if error.name == "MissingAttachment":
        return problem(Code.STORAGE_FAILED, cause="a picture or file is missing: choose it again")
    return problem(Code.STORAGE_FAILED, cause=error.name)
