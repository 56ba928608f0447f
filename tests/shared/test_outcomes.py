"""Outcomes in words."""

from fieldpost.web.display.outcomes import OUTCOMES, settled_words
from fieldpost.wire.receipts import DISCARDED, SUPERSEDED, Outcome, Settled


def test_whatever_becomes_of_an_envelope_has_its_words() -> None:
    """No page can meet an outcome that it has no name for (R59)."""
    ends = {SUPERSEDED, DISCARDED, "void", ""}

    assert {str(outcome) for outcome in Outcome} | ends == set(OUTCOMES)
    assert [] == [
        n for n, found in OUTCOMES.items() if not (found.name and found.words and found.own)
    ]


def test_who_settled_an_envelope_is_said_once_and_alike() -> None:
    """A trail and a list say the same of it."""
    said = [settled_words(Settled(how, "e-1", "lea", "")) for how in (SUPERSEDED, DISCARDED)]

    assert ["Repaired by lea", "Discarded by lea"] == said
    assert settled_words(None) == ""
