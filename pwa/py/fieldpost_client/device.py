"""The device's home: reads from the working copy, and keeps what is saved before it says so."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.envelope import Envelope
from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.home import Story, Submission, SyncOverview, Trouble, Upload
from fieldpost.odp.keys import is_temporary
from fieldpost.odp.replay import Result
from fieldpost.pages import Page
from fieldpost.protocol import MAX_ENVELOPE_BYTES
from fieldpost.receipts import APPLIED, Outcome, Receipt
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost_client.outbox import (
    ATTENTION,
    PENDING,
    Entry,
    Origin,
    Outbox,
    make_envelope,
)
from fieldpost_client.overview import make_overview, make_status, story_of
from fieldpost_client.platform.base import Operation, Platform, StoreError
from fieldpost_client.replica import Replica, Unreadable
from fieldpost_client.state import DeviceState, load_state
from fieldpost_client.troubles import discarded, trouble_of
from fieldpost_client.working import WorkingCopy, make_working_copy

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
        self._queue: list[Operation] = []
        self._saved: list[tuple[Entry, Result]] = []

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
            self.swap(self.prepared(replica, frozenset()))

    def prepared(self, replica: Replica, without: frozenset[int]) -> WorkingCopy:
        """Replay the outbox on a replica, except the envelopes with these numbers."""
        entries = [e for n, e in sorted(self.outbox.entries.items()) if n not in without]
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
        """Return the working copy; raises `NotReady`."""
        if self.working is None:
            raise NotReady
        return self.working

    # the home

    async def run(self, call: Callable[[], T]) -> T:
        """Run a handler, then store what it saved; what could not be stored is undone.

        Raises:
            InputError: the device could not store it (`STORAGE_FULL`, `STORAGE_FAILED`).
        """
        async with self.turn:
            before = self.state.counters
            transaction = self.copy.replica.connection.begin()
            try:
                found = call()
                saved = await self._keep()
            except BaseException:
                transaction.rollback()
                self.state.counters = before
                raise
            else:
                # without anything saved there is nothing to keep but the temporary keys given out
                transaction.commit() if saved else transaction.rollback()
            finally:
                self._queue, self._saved = [], []
        if saved:
            self.notify()
        return found

    async def _keep(self) -> bool:
        if not self._queue:
            return False
        try:
            await self.platform.store.write([*self._queue, *self.state.counters.operations()])
        except StoreError as error:
            raise InputError([_storage_problem(error)]) from error
        for entry, result in self._saved:
            self.outbox.entries[entry.number] = entry
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
        origin = Origin(self.state.device, self.app.name, self.app_version)
        envelope = make_envelope(
            submission,
            user,
            origin,
            self.state.counters,
            self.platform.new_id(),
            self.platform.now(),
        )
        text = envelope.to_text()
        if len(text.encode()) > MAX_ENVELOPE_BYTES:
            limit = f"{MAX_ENVELOPE_BYTES >> 20} MB"
            result = Result(Outcome.INVALID, (problem(Code.TOO_BIG, what="This", limit=limit),))
        else:
            result = self._replayed(user, envelope)
        if result.outcome in APPLIED:
            page = self.app.pages[submission.page]
            title = self._title(page, result.record) or submission.title
            entry = Entry(envelope, text, PENDING, None, page.title, title, result.record)
            self._queue += [entry.put(), *(("adopt", sha) for sha in submission.attachments)]
            if submission.draft:
                self._queue.append(("delete", "drafts", submission.draft))
            self._saved.append((entry, result))
            self.state.counters = self.state.counters.after(envelope)
        return Receipt(
            envelope.id,
            envelope.device,
            envelope.number,
            envelope.digest,
            result.outcome,
            result.problems,
            result.keys,
            "",
            result.record,
        )

    def _replayed(self, user: User, envelope: Envelope) -> Result:
        try:
            return self.copy.replay(self.app, user, envelope)
        except Exception as error:
            # whatever an app's code raises: the form stays open with everything in it
            _log.exception("a form could not be replayed")
            fault = problem(Code.UNEXPECTED, cause=type(error).__name__)
            raise InputError([fault]) from error

    def _title(self, page: Page, record: tuple[Any, ...]) -> str:
        if not record:
            return ""
        with self._session() as session:
            row = session.get(page.model, page.spec.key_from_json(list(record)))
            return "" if row is None else page.spec.title_of(row)

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
            for e in self.outbox.entries.values()
            if e.state in (PENDING, ATTENTION) and self.record_of(e)[0] == page.spec.name
        )

    def record_of(self, entry: Entry) -> tuple[str, tuple[Any, ...]]:
        """Return the model and the present key of an envelope's record; empty where it is gone."""
        page = self.app.pages.get(entry.envelope.page)
        if page is None:
            return "", ()
        key = entry.record
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
        return discarded(self, user, trouble)

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
