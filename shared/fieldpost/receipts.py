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

    @property
    def is_applied(self) -> bool:
        """Say whether the envelope's effect is in the database."""
        return self.outcome in APPLIED

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as plain data."""
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
        }


def receipt_from_json(data: Mapping[str, Any]) -> Receipt:
    """Read back what `Receipt.to_json` wrote; raises KeyError or ValueError where it is none."""
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
    )
