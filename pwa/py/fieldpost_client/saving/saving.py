"""Saving: here it is decided when "Saved" may be said.

It may be said when the store has kept, in one strict transaction, everything that a form changed:
the envelope, its pictures, the counters and the end of its draft. Until then all of it can be
undone, on the rows here as well; from then on nothing takes it away.
"""

from collections.abc import Callable
from typing import TypeVar

from fieldpost.errors import InputError
from fieldpost.home import Submission
from fieldpost.odp.replay.result import Result
from fieldpost_client.outbox.outbox import Entry, Outbox
from fieldpost_client.platform.base import Operation, Store, StoreError, storage_problem
from fieldpost_client.replica.device_state import DeviceState
from fieldpost_client.replica.working_copy import WorkingCopy

T = TypeVar("T")


class Saving:
    """What one request saves.

    Args:
        state: of the device; its counters go on with each envelope.
        outbox: gets the entries once they are stored.
        copy: that the envelopes are replayed on.

    Attributes:
        is_durable: the store has kept it: "Saved" may be said.
    """

    def __init__(self, state: DeviceState, outbox: Outbox, copy: WorkingCopy) -> None:
        self.is_durable = False
        self._state, self._outbox, self._copy = state, outbox, copy
        self._operations: list[Operation] = []
        self._entries: list[tuple[Entry, Result | None]] = []

    def add(self, entry: Entry, result: Result, submission: Submission) -> None:
        """Take in an entry that was replayed, with what came of it."""
        is_new = entry.number not in self._outbox.entries
        # what is new is never stored over something: two owners would lose an envelope
        self._operations.append(entry.add() if is_new else entry.put())
        self._operations += [("adopt", sha) for sha in submission.attachments]
        if submission.draft:
            self._operations.append(("delete", "drafts", submission.draft))
        self._entries.append((entry, result))
        self._state.counters = self._state.counters.after(entry.envelope)

    def discard(self, entry: Entry, void: Entry) -> None:
        """Take in the void that takes the place of an entry."""
        draft = f"/repair/{entry.envelope.id}"
        self._operations += [void.put(), ("delete", "drafts", draft)]
        self._entries.append((void, None))

    @property
    def has_moved(self) -> bool:
        """Say whether what was saved takes the place of something that was replayed before."""
        return any(e.is_void or e.envelope.supersedes for e, _ in self._entries)

    async def run(self, call: Callable[[], T], store: Store) -> T:
        """Run a handler and store what it saved; what could not be stored is undone.

        Raises:
            InputError: the device could not store it (`STORAGE_FULL`, `STORAGE_FAILED`).
        """
        before = self._state.counters
        transaction = self._copy.replica.connection.begin()
        try:
            # fault point: save-in-memory — the handler's changes are in the working copy only:
            # 'Saved' was not said, and the draft is still there.
            found = call()
            self.is_durable = await self._keep(store)
        except BaseException:
            transaction.rollback()
            self._state.counters = before
            raise
        # without anything saved there is nothing to keep but the temporary keys given out
        transaction.commit() if self.is_durable else transaction.rollback()
        return found

    async def _keep(self, store: Store) -> bool:
        if not self._operations:
            return False
        try:
            # fault point: save-unstored — envelope, counters, attachments and the draft's end are
            # one strict transaction: without it there is the draft and no envelope.
            await store.write([*self._operations, *self._state.counters.operations()])
        except StoreError as error:
            raise InputError([storage_problem(error)]) from error
        # fault point: save-stored — the envelope is durable and 'Saved' was not said: the next
        # start shows it as saved, its draft is gone, and no number is used twice.
        for entry, result in self._entries:
            self._outbox.entries[entry.number] = entry
            if result is not None:
                self._copy.note(entry.envelope, result)
        return True
