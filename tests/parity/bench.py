"""A home whose ids and keys are given and whose database goes back after every case."""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from apps import fakes
from apps.clinic import Dose, Kind, Order, Reading, Visit, app
from fieldpost.home import Submission
from fieldpost.odp.replay.replay import replay
from fieldpost.odp.replay.result import Result
from fieldpost.replication.rows import row_to_wire
from fieldpost.types import Attachment
from fieldpost.users import User, acting_as
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.limits import Limits
from fieldpost.wire.receipts import APPLIED, Receipt

FULL = 3
"""Key of a visit of Anna's in which every field holds something."""

PICTURE = Attachment("a" * 64, 8123, "image/png", "Skizze ü.png")


def full_visit() -> Visit:
    reading = Reading(id=uuid.UUID(int=70), value=7)
    dose = Dose(number=1, amount=Decimal("2.50"), readings=[reading])
    return Visit(
        id=FULL,
        patient_id=fakes.ERIC,
        visited_on=date(2024, 2, 29),
        starts_at=datetime(2026, 3, 29, 1, 30, 15, 250, tzinfo=UTC),
        rang_at=time(23, 59, 59, 999999),
        kind=Kind.follow_up,
        urgent=True,
        weight=Decimal("0.10"),
        temperature=36.6,
        score=100,
        summary="Zeile 1\nZeile 2 𝄞",
        signature=PICTURE,
        sketch=PICTURE,
        photos=[PICTURE],
        nurse="anna",
        orders=[Order(id=3, group="blood", share=None, doses=[dose]), Order(id=4, group="x")],
    )


class Bench(fakes.FakeHome):
    """A `FakeHome` in which nothing is random and every case begins with the same rows."""

    def __init__(self) -> None:
        super().__init__()
        _let_savepoints_work(self.engine)
        self.add(*fakes.rows())
        self.add(full_visit())
        self.connection = self.engine.connect()

    @contextmanager
    def case(self) -> Iterator[None]:
        """Run one case; what it wrote is undone."""
        self.keys = fakes.Book()
        self.envelopes = []
        self._counter = itertools.count(1)
        with self.connection.begin() as whole:
            yield
            whole.rollback()

    def session(self) -> AbstractContextManager[Session]:
        return self._session()

    def _session(self) -> Session:
        return Session(
            self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )

    @property
    def limits(self) -> Limits:
        return Limits()

    def first_receipt(self, user: User, envelope: str) -> Receipt | None:  # noqa: ARG002
        return None

    def temporary_key(self) -> int:
        return -next(self._counter)

    def new_id(self) -> str:
        return str(uuid.UUID(int=1000 + next(self._counter)))

    def replay(self, sealed: Envelope, user: User = fakes.ANNA) -> Result:
        with self._session() as session:
            result = replay(read_envelope(sealed.to_text()), session, self.app, user, self.keys)
            if result.outcome in APPLIED:
                session.commit()
            return result

    def commit(self, user: User, submission: Submission) -> Receipt:
        sealed = fakes.envelope(
            *submission.operations,
            id=self.new_id(),
            page=submission.page,
            user=user.name,
            attachments=submission.attachments,
        )
        self.envelopes.append(sealed)
        found = self.replay(sealed, user)
        head = sealed.id, sealed.device, sealed.number, sealed.digest
        return Receipt(*head, found.outcome, found.problems, found.keys, "", found.record)

    def change(self, attributes: dict[str, Any], key: int) -> None:
        """Let somebody else change a visit meanwhile: attribute to JSON data."""
        if not attributes:
            return
        model = app.models["visit"]
        values = {a: model.by_attribute[a].codec.decode(data) for a, data in attributes.items()}
        with acting_as(fakes.BERT):
            self.connection.execute(sa.update(Visit).where(Visit.id == key).values(values))

    def rows(self, tables: set[str]) -> dict[str, Any]:
        """Return the rows of these tables as they travel, with their private columns."""
        found: dict[str, Any] = {}
        every = app.base.metadata.tables
        # what links rows has no model: it is always looked at
        for name in sorted((tables & every.keys()) | (every.keys() - app.models.keys())):
            table = every[name]
            query = sa.select(table).order_by(*table.primary_key.columns)
            rows = self.connection.execute(query).mappings()
            found[name] = [row_to_wire(table, dict(row)) for row in rows]
        return found


def _let_savepoints_work(engine: sa.Engine) -> None:
    # sqlite3 opens transactions by itself, and too late for a savepoint
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.isolation_level = None

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")
