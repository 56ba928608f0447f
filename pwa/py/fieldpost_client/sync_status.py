"""The state of the outbox in words: for the Sync button and the sync page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import Story, SyncEntry, SyncOverview
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.pages import Page
from fieldpost.web.display.envelope_contents import done_words
from fieldpost.web.display.outcomes import (
    IN_DOUBT,
    OTHER_FILES,
    OUTCOMES,
    TOLD_NEXT,
    UNFIT,
    WAITS_FOR,
    settled_words,
)
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

_STATES = {PENDING: "waiting", ATTENTION: "attention", SETTLED: "settled"}


class OpenNow:
    """What of an outbox is open, gone through once for all of its entries.

    Attributes:
        entries: whose end nobody knows, by number, in order.
        replaced: for each envelope that is being repaired the entry that takes its place, by id.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.entries = {e.number: e for e in open_entries(outbox.entries)}
        self.replaced = replacements(outbox.entries)

    def before(self, entry: Entry) -> list[Entry]:
        """Return the open entries that one builds on."""
        return [self.entries[n] for n in entry.envelope.after if n in self.entries]


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
        state, words = _state(hindrance, waiting, attention, _clean_words(self.state))
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
        now = OpenNow(self.outbox)
        listed = [self.entry(entry, now) for entry in (*outbox, *history)]
        order = {"attention": 0, "waiting": 1}
        listed.sort(key=lambda e: order.get(e.state, 2))
        return SyncOverview(listed, _facts(self.state, self.outbox))

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:
        """Return the open envelopes of a page by their records; see `fieldpost.home.Home`."""
        found: dict[tuple[Any, ...], SyncEntry] = {}
        now = OpenNow(self.outbox)
        for each in now.entries.values():
            if self.records.of(each)[0] != page.spec.name:
                continue
            entry = self.entry(each, now)
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
                return Story(now, self.entry(entry, OpenNow(self.outbox)), told.receipt)
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])

    def in_words(self) -> Callable[[Entry], SyncEntry]:
        """Return what says what the sync page says, of one entry after the other."""
        now = OpenNow(self.outbox)
        return lambda stored: self.entry(stored, now)

    def entry(self, stored: Entry, now: OpenNow) -> SyncEntry:
        """Return what the sync page says of an entry."""
        entry = _told(stored)
        by = now.replaced.get(entry.envelope.id)
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
            words=self._words(stored, entry, now),
            problems=tuple(p.message for p in problems),
            receipt=stored.signed,
            can_repair=state == "attention",
            can_discard=is_open,
            waits_for=_waits_for(entry, now) if state == "waiting" else (),
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

    def _words(self, stored: Entry, entry: Entry, now: OpenNow) -> str:
        if stored.is_void:
            own = OUTCOMES["void"].own
            return own if stored.state == CONFIRMED else f"{own} {TOLD_NEXT}"
        outcome = entry.receipt.outcome if entry.receipt else None
        codes = [p.code for p in entry.receipt.problems] if entry.receipt else []
        if entry.is_open and entry.needs_other_files:
            return OTHER_FILES
        before = now.before(entry)
        if Code.PREDECESSOR_OPEN in codes and all(e.state != ATTENTION for e in before):
            codes = [Code.PREDECESSOR_MISSING]
        if outcome is Outcome.CONFLICT and Code.MADE_SINCE in codes:
            return IN_DOUBT
        if outcome is None and entry.envelope.id in self.failures:
            return UNFIT
        own = OUTCOMES[str(outcome or "")].own
        if outcome is Outcome.WAITING and entry.state == PENDING:
            return next((WAITS_FOR[code] for code in codes if code in WAITS_FOR), own)
        return own


def _waits_for(entry: Entry, now: OpenNow) -> tuple[tuple[str, str], ...]:
    """Return the open envelopes of this device that one builds on, if the office knows it."""
    if entry.receipt is None:
        return ()
    return tuple((e.envelope.id, f"{e.page}: {e.title}") for e in now.before(entry))


def _state(activity: str, waiting: int, attention: int, clean: tuple[str, str]) -> tuple[str, str]:
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
    return ("waiting", waits) if waiting else clean


def _clean_words(state: DeviceState) -> tuple[str, str]:
    """Say since when, where nothing waits: nobody knows what the office has got since."""
    if not state.last_sync:
        return "clean", "Nothing waits"
    if state.report.get("failed"):
        return "attention", "Not everything could be had from the office"
    return "clean", f"Everything synchronised on {moment_words(state.last_sync)}"


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
    settled = entry.receipt.settled if entry.receipt else None
    if by is not None:
        settled = Settled(SUPERSEDED, by.envelope.id, by.envelope.user, by.envelope.saved_at)
    if settled is None:
        return ""
    return f"{settled_words(settled)}, {moment_words(settled.at)}"


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
        facts += [("Not up to date", words) for words in report.get("failed", {}).values()]
        if lacking := report.get("lacking"):
            facts.append(("Never arrived at the office", ", ".join(map(_range_words, lacking))))
    if state.server_keys.believed:
        facts.append(("Key of the office", list(state.server_keys.believed)[-1]))
    if outbox.broken:
        facts.append(("Unreadable on this device", str(len(outbox.broken))))
    return facts
