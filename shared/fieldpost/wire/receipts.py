"""Receipts: the typed outcome of one envelope."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fieldpost.errors import Problem, problem_from_json


class Outcome(StrEnum):
    """What became of an envelope."""

    ACCEPTED = "accepted"
    MERGED = "merged"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    WAITING = "waiting"
    MISMATCH = "mismatch"
    RETRY = "retry"


APPLIED = frozenset({Outcome.ACCEPTED, Outcome.MERGED, Outcome.DUPLICATE})
"""The envelope's effect is in the database."""

NEEDS_ATTENTION = frozenset(
    {Outcome.CONFLICT, Outcome.INVALID, Outcome.FORBIDDEN, Outcome.MISMATCH}
)
"""Somebody must repair or discard the envelope."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """The real key that a temporary one became."""

    model: str
    temporary: int
    real: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"model": self.model, "temporary": self.temporary, "real": self.real}


SUPERSEDED = "superseded"
DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Settled:
    """How an envelope that could not be applied found its end.

    Attributes:
        how: `SUPERSEDED` by a repair that was applied, or `DISCARDED`.
        by: id of the envelope that did it: the repair, or the void.
        user: who saved that one.
        at: ISO 8601 moment by the server's clock.
    """

    how: str
    by: str
    user: str
    at: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"how": self.how, "by": self.by, "user": self.user, "at": self.at}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one envelope.

    Attributes:
        envelope, device, number, digest: the envelope's own.
        outcome: what became of it.
        problems: all that stands in its way.
        keys: real keys of the rows that it inserted.
        received_at: ISO 8601 moment by the server's clock.
        record: key of its top record after the replay, as JSON data.
        notes: of an envelope that was applied, what others should know: values of theirs that it
            overwrote where the page lets the last save win.
        settled: of an envelope that was not applied, how that ended; None while it is open.
        is_kept: whether the envelope is in the server's ledger, as this says.
        signed: the receipt's canonical text with the server's signature in it; empty before that.
            Whatever is made from a receipt has to be signed anew.
    """

    envelope: str
    device: str
    number: int
    digest: str
    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    keys: tuple[NewKey, ...] = ()
    received_at: str = ""
    record: tuple[Any, ...] = ()
    notes: tuple[Problem, ...] = ()
    settled: Settled | None = None
    is_kept: bool = False
    signed: str = ""

    @property
    def is_applied(self) -> bool:
        """Say whether the envelope's effect is in the database."""
        return self.outcome in APPLIED

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as plain data, without a signature."""
        return {
            "envelope": self.envelope,
            "device": self.device,
            "number": self.number,
            "digest": self.digest,
            "outcome": str(self.outcome),
            "problems": [p.to_json() for p in self.problems],
            "keys": [k.to_json() for k in self.keys],
            "received_at": self.received_at,
            "record": list(self.record),
            "notes": [p.to_json() for p in self.notes],
            "settled": self.settled and self.settled.to_json(),
        }


def receipt_from_json(data: Mapping[str, Any]) -> Receipt:
    """Read back what `Receipt.to_json` wrote, or what protocol 1 did.

    A signature stays behind: it is of the text that it came with, and of nothing made from it.

    Raises:
        KeyError, ValueError, TypeError: it is none.
    """
    settled = data.get("settled")
    return Receipt(
        data["envelope"],
        data["device"],
        data["number"],
        data["digest"],
        Outcome(data["outcome"]),
        tuple(problem_from_json(p) for p in data["problems"]),
        tuple(NewKey(k["model"], k["temporary"], k["real"]) for k in data["keys"]),
        data["received_at"],
        tuple(data["record"]),
        tuple(problem_from_json(p) for p in data.get("notes", ())),
        Settled(*(settled[name] for name in ("how", "by", "user", "at"))) if settled else None,
    )
