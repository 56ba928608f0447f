"""A device reduced to its chain of envelopes, which reach the inbox in any order."""

import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Receipt

ANNA = User("anna", "", frozenset({"Offline"}))
NewVisit = Callable[..., Operation]


class Sender:
    """Makes a chain of envelopes, and hands them to the inbox in any order."""

    def __init__(self, office: Any) -> None:
        self.office = office
        self.device = f"d-{uuid.uuid4()}"
        self.number = 0
        self.last = ""

    def next(self, *operations: Operation, **parts: Any) -> Envelope:
        standard: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "device": self.device,
            "number": self.number + 1,
            "previous": self.last,
            "app": "clinic",
            "app_version": "1",
            "page": "visit",
            "user": "anna",
            "saved_at": "2026-11-23T08:15:04.112+01:00",
            "base": "",
        }
        made = Envelope(**{**standard, **parts}, operations=operations).sealed()
        self.number, self.last = made.number, made.digest
        return made

    def send(self, envelope: Envelope, user: User = ANNA) -> Receipt:
        receipt: Receipt = self.office.home.inbox.receive(envelope.to_text(), user, self.device)
        return receipt


def count(office: Any, cls: Any, *where: Any) -> int:
    found: list[tuple[int]] = office.rows(sa.select(sa.func.count()).select_from(cls).where(*where))
    return found[0][0]


def edit(key: int, score: int | None, was: int | None) -> Operation:
    return Operation("update", "visit", (key,), {"score": score}, {"score": was})


def codes(receipt: Receipt) -> list[str]:
    return [str(p.code) for p in receipt.problems]
