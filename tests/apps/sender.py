"""Chains of envelopes, as devices make them."""

import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from apps import clinic
from fieldpost.app import App
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Receipt

ANNA = User("anna", "", frozenset({"Offline"}))
NewVisit = Callable[..., Operation]


class Chain:
    """The envelopes of one device: each is numbered and names the one before."""

    def __init__(self, device: str, user: str, app: App) -> None:
        self.device = device
        self.user = user
        self.app = app
        self.begin()

    def begin(self) -> None:
        """Forget what was made; the next envelope is the first."""
        self.number = 0
        self.last = ""

    def next(self, *operations: Operation, **parts: Any) -> Envelope:
        """Return the next envelope; parts replace what it would have."""
        standard: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "device": self.device,
            "number": self.number + 1,
            "previous": self.last,
            "app": self.app.name,
            "app_version": "1",
            "page": next(iter(self.app.pages)),
            "user": self.user,
            "saved_at": "2026-11-23T08:15:04.112+01:00",
            "base": "",
            "attachments": (),
        }
        made = Envelope(**{**standard, **parts}, operations=operations).sealed()
        self.number, self.last = made.number, made.digest
        return made


class Sender(Chain):
    """A device reduced to its chain, which reaches the inbox of the clinic in any order."""

    def __init__(self, office: Any) -> None:
        super().__init__(f"d-{uuid.uuid4()}", ANNA.name, clinic.app)
        self.office = office

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
