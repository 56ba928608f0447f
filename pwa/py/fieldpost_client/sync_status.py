"""The state of the outbox in words: for the Sync button and the sync page."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fieldpost.errors import Code, NotFound, Problem, problem
from fieldpost.home import Story, SyncEntry, SyncOverview
from fieldpost.web.display.values import moment_words, record_url
from fieldpost.wire.receipts import DISCARDED, SUPERSEDED, Outcome, Receipt, Settled
from fieldpost_client.outbox.dependencies import open_entries, replacements
from fieldpost_client.outbox.outbox import (
    ATTENTION,
    CONFIRMED,
    PENDING,
    SETTLED,
    Entry,
    entry_from_json,
)
from fieldpost_client.saving.remapped_keys import envelope_now

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome

SHOWN_HISTORY = 50

OFFLINE = "offline"
SIGNED_OUT = "signed_out"
TROUBLE = "trouble"
WORKING = "working"
IDENTITY_CHANGED = "identity_changed"
UNVERIFIED = "unverified"

WORDS = {
    Outcome.ACCEPTED: "Applied at the office.",
    Outcome.MERGED: "Applied at the office, together with somebody else's changes.",
    Outcome.DUPLICATE: "Applied at the office; it had arrived before.",
    Outcome.CONFLICT: "Somebody else changed the same record meanwhile. Nothing was overwritten.",
    Outcome.INVALID: "The office could not accept it. Nothing of it was applied.",
    Outcome.FORBIDDEN: "You may not do this any more. Nothing of it was applied.",
    Outcome.WAITING: "It has arrived and waits for what it depends on.",
    Outcome.MISMATCH: "The office has something else in its place. Export it and ask your office.",
    Outcome.RETRY: "The office had trouble of its own. It is sent again with the next sync.",
}
_WAITING = {
    Code.PREDECESSOR_OPEN: "It has arrived and waits for an entry that needs attention.",
    Code.PREDECESSOR_MISSING: "It has arrived and waits for an earlier entry.",
    Code.ATTACHMENT_MISSING: "It has arrived and waits for its pictures or files.",
}
_IN_DOUBT = "It may be about another record by now. Nothing was overwritten."
_SAVED = "Saved on this device; it is sent with the next sync."
_UNFIT = "Saved on this device. It does not fit the present data; the office will tell."
_STATES = {PENDING: "waiting", ATTENTION: "attention", SETTLED: "settled"}


def make_status(home: "DeviceHome") -> dict[str, Any]:
    """Return ``{state, waiting, attention, words, last_sync}``."""
    entries = home.outbox.entries
    replaced = replacements(entries)
    open_now = [e for e in entries.values() if e.envelope.id not in replaced]
    waiting = sum(e.state == PENDING for e in open_now)
    attention = sum(e.state == ATTENTION for e in open_now) + len(home.outbox.broken)
    activity = home.activity or (IDENTITY_CHANGED if home.state.server_keys.changed else "")
    state, words = _state(activity, waiting, attention)
    return {
        "state": state,
        "waiting": waiting,
        "attention": attention,
        "words": words,
        "last_sync": home.state.last_sync,
    }


def _state(activity: str, waiting: int, attention: int) -> tuple[str, str]:
    waits = f"{waiting} waiting" if waiting else ""
    if activity == WORKING:
        return "working", "Synchronising…"
    if activity == SIGNED_OUT:
        return "attention", _joined("Sign in to synchronise", waits)
    if activity == IDENTITY_CHANGED:
        return "attention", _joined("The office's identity has changed: sign in again", waits)
    if activity == UNVERIFIED:
        return "attention", _joined("Answers could not be verified", waits)
    if activity == TROUBLE:
        return "attention", _joined("Sync did not work", waits)
    if attention:
        needs = "needs" if attention == 1 else "need"
        return "attention", _joined(f"{attention} {needs} attention", waits)
    if activity == OFFLINE:
        return "offline", _joined("No connection", waits)
    return ("waiting", waits) if waiting else ("clean", "Everything synchronised")


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


def make_overview(home: "DeviceHome") -> SyncOverview:
    """Return the envelopes, those that need attention first, then the newest; and some facts."""
    outbox = [e for _, e in sorted(home.outbox.entries.items(), reverse=True)]
    history = list(home.outbox.history.values())[::-1][:SHOWN_HISTORY]
    listed = [entry_in_words(home, entry) for entry in (*outbox, *history)]
    order = {"attention": 0, "waiting": 1}
    return SyncOverview(sorted(listed, key=lambda e: order.get(e.state, 2)), _facts(home))


def story_of(home: "DeviceHome", identity: str) -> Story:
    """Return all that the device knows of an envelope; raises `NotFound`."""
    everything = (*home.outbox.entries.values(), *home.outbox.history.values())
    for entry in everything:
        told = _told(entry)
        if identity in (entry.envelope.id, told.envelope.id):
            now = envelope_now(home, told.envelope)
            return Story(now, entry_in_words(home, entry), told.receipt)
    raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])


def _told(entry: Entry) -> Entry:
    """Return what is told of an entry: of a void it is what that discards."""
    if entry.discarded is None:
        return entry
    told, by = entry_from_json(entry.discarded), entry.envelope
    settled = Settled(DISCARDED, by.id, by.user, by.saved_at)
    before = told.receipt or Receipt(
        told.envelope.id, by.device, by.number, told.envelope.digest, Outcome.WAITING
    )
    return replace(told, state=SETTLED, receipt=replace(before, settled=settled))


def entry_in_words(home: "DeviceHome", stored: Entry) -> SyncEntry:
    """Return what the sync page says of an entry."""
    entry = _told(stored)
    by = replacements(home.outbox.entries).get(entry.envelope.id)
    state = "settled" if by else _STATES.get(entry.state, "done")
    is_open = state in ("waiting", "attention")
    _, key = home.record_of(entry)
    return SyncEntry(
        envelope=entry.envelope.id,
        page=entry.page,
        title=entry.title,
        url=record_url(entry.envelope.page, key) if key else "",
        saved_at=entry.envelope.saved_at,
        state=state,
        words=_words(home, stored, entry),
        problems=tuple(p.message for p in _problems(home, entry)) if is_open else (),
        receipt=stored.signed,
        can_repair=state == "attention",
        can_discard=is_open,
        waits_for=_waits_for(home, entry) if state == "waiting" else (),
        settled=_settled(entry, by),
    )


def _problems(home: "DeviceHome", entry: Entry) -> Sequence[Problem]:
    if entry.receipt is not None and entry.receipt.problems:
        return entry.receipt.problems
    return () if home.working is None else home.working.troubles.get(entry.envelope.id, ())


def _waits_for(home: "DeviceHome", entry: Entry) -> tuple[tuple[str, str], ...]:
    """Return the open envelopes of this device that it builds on, where the office knows it."""
    if entry.receipt is None:
        return ()
    return tuple(
        (other.envelope.id, f"{other.page}: {other.title}")
        for other in open_entries(home.outbox.entries)
        if other.number in entry.envelope.after
    )


def _settled(entry: Entry, by: Entry | None) -> str:
    if by is not None:
        return f"Repaired by {by.envelope.user}, {moment_words(by.envelope.saved_at)}"
    settled = entry.receipt.settled if entry.receipt else None
    if settled is None:
        return ""
    done = "Repaired" if settled.how == SUPERSEDED else "Discarded"
    return f"{done} by {settled.user}, {moment_words(settled.at)}"


def _words(home: "DeviceHome", stored: Entry, entry: Entry) -> str:
    if stored.is_void:
        told = stored.state == CONFIRMED
        return "It was discarded on this device." + ("" if told else " The office is told next.")
    outcome = entry.receipt.outcome if entry.receipt else None
    codes = [p.code for p in entry.receipt.problems] if entry.receipt else []
    if outcome is Outcome.WAITING and entry.state == PENDING:
        return next((_WAITING[code] for code in codes if code in _WAITING), WORDS[outcome])
    if outcome is Outcome.CONFLICT and Code.MADE_SINCE in codes:
        return _IN_DOUBT
    if outcome is not None:
        return WORDS[outcome]
    is_unfit = home.working is not None and entry.envelope.id in home.working.troubles
    return _UNFIT if is_unfit else _SAVED


def _range_words(numbers: Sequence[int]) -> str:
    first, last = numbers
    return f"number {first}" if first == last else f"numbers {first} to {last}"


def _facts(home: "DeviceHome") -> list[tuple[str, str]]:
    report = home.state.report
    last = home.state.last_sync
    facts = [("Last sync", moment_words(last) if last else "Not yet")]
    if report:
        facts += [
            ("Sent", f"{report.get('sent', 0)}"),
            ("Rows received", f"{report.get('pulled', 0)}"),
            ("Took", f"{report.get('seconds', 0)} s"),
        ]
        if repaired := report.get("repaired"):
            facts.append(("Put right", ", ".join(repaired)))
        if unproven := report.get("unproven"):
            facts.append(("Differs from the office", ", ".join(unproven)))
        if lacking := report.get("lacking"):
            facts.append(("Never arrived at the office", ", ".join(map(_range_words, lacking))))
    if home.state.server_keys.believed:
        facts.append(("Key of the office", list(home.state.server_keys.believed)[-1]))
    if home.outbox.broken:
        facts.append(("Unreadable on this device", str(len(home.outbox.broken))))
    return facts
