"""Results: what a replay came to."""

from dataclasses import dataclass
from typing import Any

from fieldpost.errors import Problem
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import NewKey, Outcome, Receipt


@dataclass(frozen=True, slots=True)
class Result:
    """What a replay came to.

    Attributes:
        outcome: `ACCEPTED`, `MERGED`, `CONFLICT`, `INVALID`, `FORBIDDEN` or `WAITING`.
        problems: all that stands in its way.
        keys: real keys of new rows.
        record: key of the top record, as JSON data; empty where it was deleted.
        notes: what it overwrote, where the page lets the last save win.
    """

    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    keys: tuple[NewKey, ...] = ()
    record: tuple[Any, ...] = ()
    notes: tuple[Problem, ...] = ()

    def receipt(self, envelope: Envelope, received_at: str = "") -> Receipt:
        """Return the receipt that tells it; `received_at` is empty on a device."""
        return Receipt(
            envelope.id,
            envelope.device,
            envelope.number,
            envelope.digest,
            self.outcome,
            self.problems,
            self.keys,
            received_at,
            self.record,
            self.notes,
        )
