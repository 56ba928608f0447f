"""What happens between a form and the store, shown on plain objects: no device, no pages."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import InputError, NotFound
from fieldpost.home import Submission, SyncEntry
from fieldpost.users import OFFLINE, User
from fieldpost.wire.envelope import Operation, Void
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_client.outbox.chain import Chain
from fieldpost_client.outbox.outbox import PENDING, Entry, Outbox
from fieldpost_client.platform.memory import Crash, HostStore
from fieldpost_client.replica.device_state import DeviceState
from fieldpost_client.replica.replica import Replica
from fieldpost_client.replica.working_copy import WorkingCopy, make_working_copy
from fieldpost_client.saving.failed_envelopes import failed_envelopes, void_of
from fieldpost_client.saving.next_envelope import NextEnvelope, next_envelope
from fieldpost_client.saving.record_keys import RecordKeys
from fieldpost_client.saving.remapped_keys import RemappedKeys
from fieldpost_client.saving.saving import Saving
from inspections.app import app
from inspections.models import Contractor

ANN = User("ann", "Ann", frozenset({OFFLINE}))
MOMENT = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
FORMER, PRESENT = "f1." + "0" * 32 + ".1.x", "f1." + "1" * 32 + ".1.x"


def added(key: int, name: str = "Rail & Co", **parts: Any) -> Submission:
    values = {"name": name, "trade": "metalwork", "town": "Delft"}
    return Submission("contractor", (Operation("insert", "contractor", (key,), values),), **parts)


@dataclass
class Parts:
    """What saving needs, in memory."""

    state: DeviceState = field(default_factory=lambda: DeviceState("d-1", ANN, cursor=PRESENT))
    outbox: Outbox = field(default_factory=Outbox)
    store: HostStore = field(default_factory=HostStore)
    copy: WorkingCopy = field(
        default_factory=lambda: make_working_copy(app, Replica(app), ANN, (), {})
    )

    @property
    def records(self) -> RecordKeys:
        remapped = RemappedKeys(app, self.state.lost_keys, self.state.cursor)
        return RecordKeys(remapped, self.copy.keys, self.copy.records)

    def make(self, submission: Submission, identity: str = "e-1") -> NextEnvelope:
        state = self.state
        chain = Chain("d-1", app.name, "v", state.counters, self.outbox.entries, state.sent_to)
        return next_envelope(submission, ANN, chain, self.copy, self.records, identity, MOMENT)

    def save(self, *submissions: Submission) -> Saving:
        saving = Saving(self.state, self.outbox, self.copy)

        def handler() -> None:
            for number, submission in enumerate(submissions, self.state.counters.next_number):
                made = self.make(submission, f"e-{number}")
                assert made.entry is not None, made.result
                saving.add(made.entry, made.result, submission)

        asyncio.run(saving.run(handler, self.store))
        return saving

    def names(self) -> list[str]:
        with self.copy.session() as session:
            return list(session.scalars(sa.select(Contractor.name).order_by(Contractor.name)))


@pytest.fixture
def parts() -> Parts:
    return Parts()


def in_words(entry: Entry) -> SyncEntry:
    return SyncEntry(entry.envelope.id, entry.page, entry.title, "", "", "attention", "")


def test_what_was_stored_whole_is_saved(parts: Parts) -> None:
    """Envelope, counters and the draft's end are stored at once, and only that is durable (R21)."""
    parts.store.tables["drafts"]["/pages/contractor/new"] = {}
    saving = parts.save(added(-1, draft="/pages/contractor/new"))

    assert saving.is_durable
    assert 1 == parts.store.writes
    assert ({}, [1], 2) == (
        parts.store.tables["drafts"],
        list(parts.store.tables["outbox"]),
        parts.store.tables["session"]["next_number"],
    )
    assert ["Rail & Co"] == parts.names()
    assert (-1,) == parts.copy.records["e-1"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_leaves_the_rows_as_they_were(parts: Parts, moment: str) -> None:
    """Rows never hold what the store may not have: they are the last to be changed (R21)."""
    parts.store.crash = {1: moment}
    with pytest.raises(Crash):
        parts.save(added(-1))

    assert ([], {}, 1) == (parts.names(), parts.outbox.entries, parts.state.counters.next_number)
    assert (moment == "after") is (1 in parts.store.tables["outbox"])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("QuotaExceededError", "storage_full"),
        ("MissingAttachment", "storage_failed"),
        ("AbortError", "storage_failed"),
    ],
)
def test_what_the_store_refuses_is_undone(parts: Parts, name: str, code: str) -> None:
    """Rows, outbox and counters are as they were before, and the number is free again (R22)."""
    parts.store.fail = {1: name}
    with pytest.raises(InputError) as refused:
        parts.save(added(-1))

    assert [code] == [p.code for p in refused.value.problems]
    assert ([], {}, 1) == (parts.names(), parts.outbox.entries, parts.state.counters.next_number)
    assert parts.save(added(-1)).is_durable
    assert [1] == list(parts.outbox.entries)


def test_several_envelopes_are_saved_or_none(parts: Parts) -> None:
    """What one request saves is one transaction, however many envelopes it is (R21)."""
    parts.store.fail = {1: "AbortError"}
    with pytest.raises(InputError):
        parts.save(added(-1), added(-2, "Roof & Co"))
    assert ([], {}) == (parts.names(), parts.store.tables["outbox"])

    parts.save(added(-1), added(-2, "Roof & Co"))
    assert [1, 2] == list(parts.store.tables["outbox"])
    first, second = (entry.envelope for entry in parts.outbox.entries.values())
    assert first.digest == second.previous


def test_a_handler_that_saves_nothing_writes_nothing(parts: Parts) -> None:
    """There is nothing to be said to be saved, and the store is left alone."""
    saving = parts.save()

    assert (False, 0) == (saving.is_durable, parts.store.writes)


@pytest.mark.parametrize(("sent_to", "numbers"), [(0, [1]), (1, [1, 2])])
def test_only_what_was_never_sent_is_folded(parts: Parts, sent_to: int, numbers: list[int]) -> None:
    """What may have arrived is never changed any more: a later save is an envelope of its own."""
    parts.save(added(-1))
    parts.state.sent_to = sent_to
    shown = {"name": "Rail & Co", "town": "Delft"}
    change = Operation("update", "contractor", (-1,), {"town": "Gouda"}, {"town": "Delft"})
    opened = {"key": [-1], "values": shown, "children": {}}
    parts.save(Submission("contractor", (change,), opened=opened))

    assert numbers == list(parts.outbox.entries)


def test_an_envelope_of_before_is_read_with_temporary_keys(parts: Parts) -> None:
    """The key that a server forgot stands for the row that the device made."""
    parts.state.lost_keys = {"0" * 32: {("contractor", 7): -1}}
    parts.save(added(-1))
    opened = {"key": [7], "values": {"town": "Delft"}, "children": {}}
    change = Operation("update", "contractor", (7,), {"town": "Gouda"}, {"town": "Delft"})
    made = parts.make(Submission("contractor", (change,), base=FORMER, opened=opened), "e-2")

    assert made.entry is not None, made.result
    assert ((7,), ("contractor", (-1,))) == (
        made.entry.envelope.operations[0].key,
        parts.records.of(made.entry),
    )


def test_a_failed_envelope_takes_those_of_its_record_along(parts: Parts) -> None:
    """A repair begins with all that is open of the record, with all that is wrong with it (R39)."""
    parts.save(added(-1))
    parts.state.sent_to = 1
    change = Operation("update", "contractor", (-1,), {"town": "Gouda"}, {"town": "Delft"})
    opened = {"key": [-1], "values": {"town": "Delft"}, "children": {}}
    parts.save(Submission("contractor", (change,), opened=opened))
    first = parts.outbox.entries[1]
    receipt = Receipt("e-1", "d-1", 1, first.envelope.digest, Outcome.INVALID)
    parts.outbox.entries[1] = first.with_receipt(receipt)

    remapped = parts.records.remapped
    found = failed_envelopes("e-2", parts.outbox, remapped, {}, in_words)
    assert ("e-1", "e-2") == found.ids
    with pytest.raises(NotFound):
        failed_envelopes("e-3", parts.outbox, remapped, {}, in_words)


def test_a_void_takes_the_number_and_goes_through_the_store(parts: Parts) -> None:
    """A discarded envelope keeps its place in the chain, and its repair's draft is gone (R21)."""
    parts.save(added(-1))
    entry = parts.outbox.entries[1]
    parts.store.tables["drafts"]["/repair/e-1"] = {}
    void = void_of(entry, ANN, "v", "e-2", MOMENT)
    saving = Saving(parts.state, parts.outbox, parts.copy)
    asyncio.run(saving.run(partial(saving.discard, entry, void), parts.store))

    assert saving.has_moved
    assert (1, PENDING) == (void.number, void.state)
    assert Void("e-1", entry.envelope.digest) == void.envelope.voids
    assert ({}, 2) == (parts.store.tables["drafts"], parts.state.counters.next_number)
    assert void is parts.outbox.entries[1]
