"""Pushing forms against inserting the same rows by hand, in one run and on one machine."""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from jobs.app import Base, Line, Visit, app
from sqlalchemy.orm import Session

from browser.office import Office
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost_server.accounts.users import add_user
from fieldpost_server.feed.triggers import install
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

FORMS = 600
ROUNDS = 6
"""The first one warms up; the others count."""
CHILDREN = 20
PASSWORD = "measured in one run"
DEVICE = f"d-{uuid.UUID(int=1)}"


def measure(database_url: str | None, plain_url: str | None = None) -> dict[str, float]:
    """Return seconds and their ratio for one database; None means SQLite in a file.

    Both sides are warm, and take turns in small rounds: a machine that is slow for a while is
    slow for both.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        settings = Settings(app="jobs.app:app", data=data, database=database_url or "", seats=10)
        pushed = stack.enter_context(_opened(settings.database_url))
        install(pushed.engine, [m.table for m in app.models.values()])
        bare = stack.enter_context(_opened(plain_url or f"sqlite:///{folder}/plain.sqlite"))
        push = stack.enter_context(_server(settings, pushed))
        plain, triggered, took = [0.0], [0.0], [0.0]
        for lines in batched(envelopes(), FORMS // ROUNDS):
            plain.append(_plain(bare, len(lines)))
            took.append(push(lines))
            triggered.append(_plain(pushed, len(lines)))
    # the first round warms up: it is made, and not counted
    sums = [sum(times[2:]) for times in (plain, triggered, took)]
    return {
        "forms": FORMS - FORMS // ROUNDS,
        "plain_s": round(sums[0], 3),
        "plain_with_triggers_s": round(sums[1], 3),
        "push_s": round(sums[2], 3),
        "ratio": round(sums[2] / sums[0], 2),
        "ratio_with_triggers": round(sums[2] / sums[1], 2),
    }


def batched(entries: list[str], size: int) -> Iterator[list[str]]:
    """Yield the entries in lists of this size."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


def _plain(database: Database, forms: int) -> float:
    began = time.perf_counter()
    for number in range(forms):
        with Session(database.engine) as session:
            lines = [Line(note=f"line {i}", severity=1 + i % 5) for i in range(CHILDREN)]
            session.add(Visit(name=f"visit {number}", score=number % 100, lines=lines))
            session.commit()
    return time.perf_counter() - began


def envelopes() -> list[str]:
    """Return the forms as a device has them in its outbox."""
    made, previous = [], ""
    for number in range(1, FORMS + 1):
        top = -number * 100
        visit = {"name": f"visit {number}", "score": number % 100, "signature": None}
        operations = [Operation("insert", "visit", (top,), visit)]
        operations += [
            Operation(
                "insert",
                "line",
                (top - 1 - i,),
                {"note": f"line {i}", "severity": 1 + i % 5, "visit_id": top},
                at=f"lines[{i}]",
            )
            for i in range(CHILDREN)
        ]
        envelope = Envelope(
            id=str(uuid.uuid4()),
            device=DEVICE,
            number=number,
            previous=previous,
            app=app.name,
            app_version="bench",
            page="visit",
            user="bench",
            saved_at="2026-11-23T08:15:04.112+01:00",
            base="",
            operations=tuple(operations),
        ).sealed()
        made.append(envelope.to_text())
        previous = envelope.digest
    return made


@contextmanager
def _server(settings: Settings, database: Database) -> Iterator[Callable[[list[str]], float]]:
    """Give a call that pushes to a real server, and says how long the last receipt took."""
    database.write(
        lambda session: add_user(
            session, "bench", PASSWORD, roles=["Offline"], known_roles=app.roles, seats=10
        )
    )
    variables = {"FIELDPOST_DATABASE": settings.database} if settings.database else {}
    office = Office(settings.data, variables, ("--app", "jobs.app:app", "serve"))
    office.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{office.port}", timeout=300) as client:
            client.post("/sign-in", data={"name": "bench", "password": PASSWORD})
            client.post("/sync/device", json={"device": DEVICE})
            yield lambda lines: _pushed(client, lines)
    finally:
        office.stop()


def _pushed(client: httpx.Client, lines: list[str]) -> float:
    body = "\n".join(lines).encode()
    began = time.perf_counter()
    answer = client.post("/sync/push", content=body, headers={"Fieldpost-Device": DEVICE})
    took = time.perf_counter() - began
    receipts: list[dict[str, Any]] = [json.loads(line) for line in answer.text.splitlines()]
    outcomes = {receipt.get("outcome") for receipt in receipts}
    if outcomes != {"accepted"} or len(receipts) != len(lines):
        raise RuntimeError(f"not all forms were accepted: {len(receipts)} receipts, {outcomes}")
    return took
