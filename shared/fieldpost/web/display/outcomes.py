"""Outcomes in words: what became of an envelope, as lists, pages and trails say it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fieldpost.errors import Code
from fieldpost.wire.receipts import SUPERSEDED, Settled


@dataclass(frozen=True, slots=True)
class InWords:
    """One way in which an envelope can stand.

    Attributes:
        name: what it is called.
        state: as what it is shown: 'done', 'attention', 'waiting' or 'settled'.
        words: a sentence for those who look at it at the office.
        own: a sentence for the worker on whose device it is.
    """

    name: str
    state: str
    words: str
    own: str


OUTCOMES = {
    "accepted": InWords("Applied", "done", "It was applied.", "Applied at the office."),
    "merged": InWords(
        "Applied with others' changes",
        "done",
        "It was applied, together with changes that others had made meanwhile.",
        "Applied at the office, together with somebody else's changes.",
    ),
    "duplicate": InWords(
        "Applied", "done", "It was applied.", "Applied at the office; it had arrived before."
    ),
    "conflict": InWords(
        "Conflict",
        "attention",
        "Others had changed the same record meanwhile. Nothing of it was applied.",
        "Somebody else changed the same record meanwhile. Nothing was overwritten.",
    ),
    "invalid": InWords(
        "Not accepted",
        "attention",
        "It could not be accepted as it is. Nothing of it was applied.",
        "The office could not accept it. Nothing of it was applied.",
    ),
    "forbidden": InWords(
        "Not allowed",
        "attention",
        "Its user may not do that. Nothing of it was applied.",
        "You may not do this any more. Nothing of it was applied.",
    ),
    "mismatch": InWords(
        "Does not fit",
        "attention",
        "It does not fit what arrived from the device before. Nothing of it was applied.",
        "The office has something else in its place. Export it and ask your office.",
    ),
    "waiting": InWords(
        "Waits",
        "waiting",
        "It has arrived, and waits for what it depends on.",
        "It has arrived and waits for what it depends on.",
    ),
    "retry": InWords(
        "Sent again",
        "waiting",
        "The server had trouble of its own; the device sends it again.",
        "The office had trouble of its own. It is sent again with the next sync.",
    ),
    "superseded": InWords(
        "Repaired",
        "done",
        "A repaired entry took its place.",
        "A repaired entry took its place.",
    ),
    "discarded": InWords(
        "Discarded",
        "settled",
        "It was discarded. Nothing of it was applied.",
        "It was discarded. Nothing of it was applied.",
    ),
    "void": InWords(
        "Discards another",
        "settled",
        "It discards another entry.",
        "It was discarded on this device.",
    ),
    "": InWords(
        "Not sent yet",
        "waiting",
        "It is on its device only.",
        "Saved on this device; it is sent with the next sync.",
    ),
}
"""By the receipt's outcome; by how it was settled; ``void`` for what discards another; empty before
there is a receipt."""

WAITS_FOR: Mapping[str, str] = {
    Code.PREDECESSOR_OPEN: "It has arrived and waits for an entry that needs attention.",
    Code.PREDECESSOR_MISSING: "It has arrived and waits for an earlier entry.",
    Code.ATTACHMENT_MISSING: "It has arrived and waits for its pictures or files.",
}
"""What the worker reads of an envelope that waits, by the code of its problem."""

IN_DOUBT = "It may be about another record by now. Nothing was overwritten."
OTHER_FILES = "The office has it, but will never get one of its files. Nothing was applied."
UNFIT = "Saved on this device. It does not fit the present data; the office will tell."
TOLD_NEXT = "The office is told next."


def settled_words(settled: Settled | None) -> str:
    """Return who repaired or discarded an envelope; empty where nobody did."""
    if settled is None:
        return ""
    done = "Repaired" if settled.how == SUPERSEDED else "Discarded"
    return f"{done} by {settled.user}"
