"""Outcomes in words: what became of an envelope, as lists, pages and trails say it."""

from dataclasses import dataclass

from fieldpost.wire.receipts import SUPERSEDED, Settled


@dataclass(frozen=True, slots=True)
class InWords:
    """One way in which an envelope can stand.

    Attributes:
        name: what it is called.
        state: as what it is shown: 'done', 'attention', 'waiting' or 'settled'.
        words: a sentence for those who look at it at the office.
    """

    name: str
    state: str
    words: str


OUTCOMES = {
    "accepted": InWords("Applied", "done", "It was applied."),
    "merged": InWords(
        "Applied with others' changes",
        "done",
        "It was applied, together with changes that others had made meanwhile.",
    ),
    "duplicate": InWords("Applied", "done", "It was applied."),
    "conflict": InWords(
        "Conflict",
        "attention",
        "Others had changed the same record meanwhile. Nothing of it was applied.",
    ),
    "invalid": InWords(
        "Not accepted",
        "attention",
        "It could not be accepted as it is. Nothing of it was applied.",
    ),
    "forbidden": InWords(
        "Not allowed", "attention", "Its user may not do that. Nothing of it was applied."
    ),
    "mismatch": InWords(
        "Does not fit",
        "attention",
        "It does not fit what arrived from the device before. Nothing of it was applied.",
    ),
    "waiting": InWords("Waits", "waiting", "It has arrived, and waits for what it depends on."),
    "retry": InWords(
        "Sent again", "waiting", "The server had trouble of its own; the device sends it again."
    ),
    "superseded": InWords("Repaired", "done", "A repaired entry took its place."),
    "discarded": InWords("Discarded", "settled", "It was discarded. Nothing of it was applied."),
    "void": InWords("Discards another", "settled", "It discards another entry."),
    "": InWords("Not sent yet", "waiting", "It is on its device only."),
}
"""By the receipt's outcome; by how it was settled; ``void`` for what discards another; empty before
there is a receipt."""


def settled_words(settled: Settled | None) -> str:
    """Return who repaired or discarded an envelope; empty where nobody did."""
    if settled is None:
        return ""
    done = "Repaired" if settled.how == SUPERSEDED else "Discarded"
    return f"{done} by {settled.user}"
