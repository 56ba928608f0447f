"""The state of the outbox in words: for the Sync button and the sync page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import Story, SyncEntry, SyncOverview
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.pages import Page
from fieldpost.web.display.envelope_contents import done_words
from fieldpost.web.display.values import moment_words, record_url
from fieldpost.wire.receipts import DISCARDED, SUPERSEDED, Outcome, Receipt, Settled
from fieldpost_client.outbox.dependencies import open_entries, replacements
from fieldpost_client.outbox.outbox import (
    ATTENTION,
    CONFIRMED,
    PENDING,
    SETTLED,
    Entry,
    Outbox,
    entry_from_json,
)
from fieldpost_client.replica.device_state import DeviceState
from fieldpost_client.saving.failed_envelopes import Failures, problems_of
from fieldpost_client.saving.record_keys import RecordKeys

SHOWN_HISTORY = 50
SYNC_PAGE = "/sync"

OFFLINE = "offline"
BUSY = "busy"
"""The office has no place for this just now: no error, and nothing that anybody must do."""
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
_OTHER_FILES = "The office has it, but will never get one of its files. Nothing was applied."
_IN_DOUBT = "It may be about another record by now. Nothing was overwritten."
_SAVED = "Saved on this device; it is sent with the next sync."
_UNFIT = "Saved on this device. It does not fit the present data; the office will tell."
_STATES = {PENDING: "waiting", ATTENTION: "attention", SETTLED: "settled"}


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Says in words how a device and its envelopes stand.

    Attributes:
        state: of the device.
        outbox: its envelopes.
        records: what they are about.
        failures: why some could not be replayed here.
    """

    state: DeviceState
    outbox: Outbox
    records: RecordKeys
    failures: Failures

    def button(self, activity: str) -> dict[str, Any]:
        """Return ``{state, waiting, attention, words, last_sync, broken, to}``.

        `to` is where what needs attention is to be seen; empty where a sync is the next step.

        Args:
            activity: of the sync: `WORKING`, what it stopped for, or empty.
        """
        entries = self.outbox.entries
        replaced = replacements(entries)
        open_now = [e for e in entries.values() if e.envelope.id not in replaced]
        waiting = sum(e.state == PENDING for e in open_now)
        attention = sum(e.state == ATTENTION for e in open_now) + len(self.outbox.broken)
        doubt = IDENTITY_CHANGED if self.state.server_keys.changed else ""
        hindrance = activity or doubt
        state, words = _state(hindrance, waiting, attention, self.state.last_sync or "")
        return {
            "state": state,
            "waiting": waiting,
            "attention": attention,
            "words": words,
            "last_sync": self.state.last_sync,
            "broken": len(self.outbox.broken),
            "to": SYNC_PAGE if attention and hindrance in ("", OFFLINE, BUSY) else "",
        }

    def overview(self) -> SyncOverview:
        """Return the envelopes, those that need attention first, then the newest; and facts."""
        outbox = [e for _, e in sorted(self.outbox.entries.items(), reverse=True)]
        history = list(self.outbox.history.values())[::-1][:SHOWN_HISTORY]
        listed = [self.entry(entry) for entry in (*outbox, *history)]
        order = {"attention": 0, "waiting": 1}
        listed.sort(key=lambda e: order.get(e.state, 2))
        return SyncOverview(listed, _facts(self.state, self.outbox))

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:
        """Return the open envelopes of a page by their records; see `fieldpost.home.Home`."""
        found: dict[tuple[Any, ...], SyncEntry] = {}
        for each in open_entries(self.outbox.entries):
            if self.records.of(each)[0] != page.spec.name:
                continue
            entry = self.entry(each)
            for key in self.records.all_of(each):
                if key not in found or (entry.can_repair and not found[key].can_repair):
                    found[key] = entry
        return found

    def story(self, identity: str) -> Story:
        """Return all that the device knows of an envelope; raises `NotFound`."""
        everything = (*self.outbox.entries.values(), *self.outbox.history.values())
        for entry in everything:
            told = _told(entry)
            if identity in (entry.envelope.id, told.envelope.id):
                now = self.records.remapped.envelope(told.envelope)
                return Story(now, self.entry(entry), told.receipt)
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])

    def entry(self, stored: Entry) -> SyncEntry:
        """Return what the sync page says of an entry."""
        entry = _told(stored)
        by = replacements(self.outbox.entries).get(entry.envelope.id)
        state = "settled" if by else _STATES.get(entry.state, "done")
        is_open = state in ("waiting", "attention")
        problems = problems_of(entry, self.failures) if is_open else ()
        return SyncEntry(
            envelope=entry.envelope.id,
            page=entry.page,
            title=entry.title,
            url=self._url(entry),
            saved_at=entry.envelope.saved_at,
            state=state,
            words=self._words(stored, entry),
            problems=tuple(p.message for p in problems),
            receipt=stored.signed,
            can_repair=state == "attention",
            can_discard=is_open,
            waits_for=self._waits_for(entry) if state == "waiting" else (),
            settled=_settled(entry, by),
            done=done_words(entry.envelope.operations, self.records.of(entry)[0]),
            is_shown=entry.envelope.id not in self.failures,
        )

    def _url(self, entry: Entry) -> str:
        """Return where the envelope's record is; empty where it is known not to be here."""
        _, key = self.records.of(entry)
        faults = {fault.code for fault in self.failures.get(entry.envelope.id, ())}
        was_never_here = bool(faults) and any(is_temporary(part) for part in key)
        if not key or was_never_here or Code.DELETED_BY_OTHERS in faults:
            return ""
        return record_url(entry.envelope.page, key)

    def _waits_for(self, entry: Entry) -> tuple[tuple[str, str], ...]:
        """Return the open envelopes of this device that it builds on, if the office knows it."""
        if entry.receipt is None:
            return ()
        return tuple(
            (other.envelope.id, f"{other.page}: {other.title}")
            for other in open_entries(self.outbox.entries)
            if other.number in entry.envelope.after
        )

    def _waits_for_attention(self, entry: Entry) -> bool:
        return any(
            other.state == ATTENTION
            for other in open_entries(self.outbox.entries)
            if other.number in entry.envelope.after
        )

    def _words(self, stored: Entry, entry: Entry) -> str:
        if stored.is_void:
            told = stored.state == CONFIRMED
            return "It was discarded on this device." + (
                "" if told else " The office is told next."
            )
        outcome = entry.receipt.outcome if entry.receipt else None
        codes = [p.code for p in entry.receipt.problems] if entry.receipt else []
        if entry.is_open and entry.needs_other_files:
            return _OTHER_FILES
        if Code.PREDECESSOR_OPEN in codes and not self._waits_for_attention(entry):
            codes = [Code.PREDECESSOR_MISSING]
        if outcome is Outcome.WAITING and entry.state == PENDING:
            return next((_WAITING[code] for code in codes if code in _WAITING), WORDS[outcome])
        if outcome is Outcome.CONFLICT and Code.MADE_SINCE in codes:
            return _IN_DOUBT
        if outcome is not None:
            return WORDS[outcome]
        return _UNFIT if entry.envelope.id in self.failures else _SAVED


def _state(activity: str, waiting: int, attention: int, last_sync: str) -> tuple[str, str]:
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
    if activity == BUSY:
        return "waiting", _joined("The office is busy", waits)
    if activity == OFFLINE:
        return "offline", _joined("No connection", waits)
    return ("waiting", waits) if waiting else ("clean", _clean_words(last_sync))


def _clean_words(last_sync: str) -> str:
    """Say since when: nobody knows what the office has got since."""
    if not last_sync:
        return "Nothing waits"
    return f"Everything synchronised on {moment_words(last_sync)}"


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


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


def _settled(entry: Entry, by: Entry | None) -> str:
    if by is not None:
        return f"Repaired by {by.envelope.user}, {moment_words(by.envelope.saved_at)}"
    settled = entry.receipt.settled if entry.receipt else None
    if settled is None:
        return ""
    done = "Repaired" if settled.how == SUPERSEDED else "Discarded"
    return f"{done} by {settled.user}, {moment_words(settled.at)}"


def _range_words(numbers: Sequence[int]) -> str:
    first, last = numbers
    return f"number {first}" if first == last else f"numbers {first} to {last}"


def _facts(state: DeviceState, outbox: Outbox) -> list[tuple[str, str]]:
    report, last = state.report, state.last_sync
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
    if state.server_keys.believed:
        facts.append(("Key of the office", list(state.server_keys.believed)[-1]))
    if outbox.broken:
        facts.append(("Unreadable on this device", str(len(outbox.broken))))
    return facts
