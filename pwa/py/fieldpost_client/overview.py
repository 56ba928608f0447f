"""The state of the outbox in words: for the Sync button and the sync page."""

from typing import TYPE_CHECKING, Any

from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import Story, SyncEntry, SyncOverview
from fieldpost.receipts import Outcome
from fieldpost.web.display import moment_words, record_url
from fieldpost_client.outbox import ATTENTION, CONFIRMED, PENDING, Entry

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome

SHOWN_HISTORY = 50

OFFLINE = "offline"
SIGNED_OUT = "signed_out"
TROUBLE = "trouble"
WORKING = "working"

_ATTENTION_WORDS = {
    Outcome.CONFLICT: "Somebody else changed the same record meanwhile. Nothing was overwritten.",
    Outcome.INVALID: "The office could not accept it. Nothing of it was applied.",
    Outcome.FORBIDDEN: "You may not do this any more. Nothing of it was applied.",
    Outcome.MISMATCH: "The office has something else in its place. Export it and ask your office.",
}


def make_status(home: "DeviceHome") -> dict[str, Any]:
    """Return ``{state, waiting, attention, words, last_sync}``."""
    waiting = len(home.outbox.of_state(PENDING))
    attention = len(home.outbox.of_state(ATTENTION)) + len(home.outbox.broken)
    state, words = _state(home.activity, waiting, attention)
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
    """Return the envelopes, newest first, and facts on the last sync."""
    outbox = [e for _, e in sorted(home.outbox.entries.items(), reverse=True)]
    history = list(home.outbox.history.values())[::-1][:SHOWN_HISTORY]
    return SyncOverview([_entry(home, entry) for entry in (*outbox, *history)], _facts(home))


def story_of(home: "DeviceHome", identity: str) -> Story:
    """Return all that the device knows of an envelope; raises `NotFound`."""
    entry = home.outbox.by_id(identity) or home.outbox.history.get(identity)
    if entry is None:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    return Story(entry.envelope, _entry(home, entry), entry.receipt)


def _entry(home: "DeviceHome", entry: Entry) -> SyncEntry:
    problems = entry.receipt.problems if entry.receipt and entry.state != CONFIRMED else ()
    if entry.state == PENDING and home.working is not None:
        problems = problems or home.working.troubles.get(entry.envelope.id, ())
    _, key = home.record_of(entry)
    return SyncEntry(
        envelope=entry.envelope.id,
        page=entry.page,
        title=entry.title,
        url=record_url(entry.envelope.page, key) if key else "",
        saved_at=entry.envelope.saved_at,
        state={PENDING: "waiting", ATTENTION: "attention"}.get(entry.state, "done"),
        words=_words(home, entry),
        problems=tuple(p.message for p in problems),
    )


def _words(home: "DeviceHome", entry: Entry) -> str:
    outcome = entry.receipt.outcome if entry.receipt else None
    if entry.state == CONFIRMED:
        if outcome is Outcome.MERGED:
            return "Applied at the office, together with somebody else's changes."
        return "Applied at the office."
    if entry.state == ATTENTION and outcome is not None:
        return _ATTENTION_WORDS.get(outcome, "It needs attention.")
    if outcome is Outcome.RETRY:
        return "The office had trouble of its own. It is sent again with the next sync."
    if outcome is Outcome.WAITING:
        return "It has arrived and waits for what it depends on."
    if home.working is not None and entry.envelope.id in home.working.troubles:
        return "Saved on this device. It does not fit the present data; the office will tell."
    return "Saved on this device; it is sent with the next sync."


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
    if home.outbox.broken:
        facts.append(("Unreadable on this device", str(len(home.outbox.broken))))
    return facts
