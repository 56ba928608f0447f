"""How a device stands, in words: from plain objects, without a device or a database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import Submission
from fieldpost.users import OFFLINE, User
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_client.outbox.chain import Chain, Counters
from fieldpost_client.outbox.outbox import Entries, Entry, Outbox
from fieldpost_client.replica.device_state import DeviceState
from fieldpost_client.replica.server_keys import ServerKeys
from fieldpost_client.saving.record_keys import RecordKeys
from fieldpost_client.saving.remapped_keys import RemappedKeys
from fieldpost_client.sync_status import (
    IDENTITY_CHANGED,
    SIGNED_OUT,
    TROUBLE,
    UNVERIFIED,
    WORKING,
    SyncStatus,
)
from fieldpost_client.sync_status import (
    OFFLINE as NO_CONNECTION,
)
from inspections.app import app

ANN = User("ann", "Ann", frozenset({OFFLINE}))
MOMENT = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def entry(number: int, outcome: Outcome | None = None) -> Entry:
    """Return an entry that adds a firm, answered or not."""
    operation = Operation("insert", "contractor", (-number,), {"name": f"Firm {number}"})
    chain = Chain("d-1", app.name, "v", Counters(number, "x"), {})
    envelope = chain.next(Submission("contractor", (operation,)), ANN, f"e-{number}", MOMENT)
    made = Entry(envelope, envelope.to_text(), page="Contractors", record=(-number,))
    if outcome is None:
        return made
    return made.with_receipt(Receipt(envelope.id, "d-1", number, envelope.digest, outcome))


def status(*entries: Entry, **parts: Any) -> SyncStatus:
    outbox = Outbox()
    outbox.entries = Entries({e.number: e for e in entries})
    records = RecordKeys(RemappedKeys(app, {}, ""), {("contractor", -2): 8}, {})
    made = SyncStatus(DeviceState("d-1", ANN), outbox, records, {})
    return replace(made, **parts)


@pytest.mark.parametrize(
    ("entries", "state", "words"),
    [
        ([], "clean", "Nothing waits"),
        ([entry(1)], "waiting", "1 waiting"),
        ([entry(1, Outcome.ACCEPTED)], "clean", "Nothing waits"),
        ([entry(1, Outcome.CONFLICT)], "attention", "1 needs attention"),
        (
            [entry(1, Outcome.CONFLICT), entry(2, Outcome.INVALID), entry(3)],
            "attention",
            "2 need attention, 1 waiting",
        ),
    ],
)
def test_the_button_says_how_envelopes_stand(entries: list[Entry], state: str, words: str) -> None:
    """What waits and what needs attention is counted and said (R24)."""
    found = status(*entries).button("")

    assert (state, words) == (found["state"], found["words"])


@pytest.mark.parametrize(
    ("activity", "state", "words"),
    [
        (WORKING, "working", "Synchronising…"),
        (NO_CONNECTION, "offline", "No connection, 1 waiting"),
        (SIGNED_OUT, "attention", "Sign in to synchronise, 1 waiting"),
        (TROUBLE, "attention", "Sync did not work, 1 waiting"),
        (UNVERIFIED, "attention", "Answers could not be verified, 1 waiting"),
        (
            IDENTITY_CHANGED,
            "attention",
            "The office's identity has changed: sign in again, 1 waiting",
        ),
    ],
)
def test_the_button_says_what_a_sync_came_to(activity: str, state: str, words: str) -> None:
    """Whatever a sync stopped for, what waits is said with it (R24)."""
    found = status(entry(1)).button(activity)

    assert (state, words, 1) == (found["state"], found["words"], found["waiting"])


def test_a_doubt_about_the_server_outlasts_a_restart() -> None:
    """Where no sync has been since, the stored doubt speaks (R33)."""
    doubtful = DeviceState("d-1", ANN, server_keys=ServerKeys(changed=True))
    found = status(state=doubtful).button("")

    assert "The office's identity has changed: sign in again" == found["words"]


def test_what_needs_attention_comes_first() -> None:
    """Then what waits, the newest first, with the address that the record has by now (R25)."""
    overview = status(entry(1), entry(2), entry(3, Outcome.CONFLICT)).overview()

    assert [
        ("e-3", "/pages/contractor/records/-3"),
        ("e-2", "/pages/contractor/records/8"),
        ("e-1", "/pages/contractor/records/-1"),
    ] == [(each.envelope, each.url) for each in overview.entries]


def test_what_does_not_fit_the_present_data_is_said() -> None:
    """An envelope that could not be replayed here is safe, and says so with its reasons."""
    fault = problem(Code.REPLAY_FAILED, cause="ValueError")
    found = status(entry(1), failures={"e-1": (fault,)}).story("e-1").entry

    assert found.words.startswith("Saved on this device. It does not fit the present data")
    assert (fault.message,) == found.problems


def test_an_unknown_envelope_has_no_story() -> None:
    """What is neither waiting nor in the history is not known here."""
    with pytest.raises(NotFound):
        status(entry(1)).story("e-2")
