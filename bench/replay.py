"""Pushing forms against inserting the same rows by hand, in one run and on one machine."""

import json
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from jobs.app import Base, Line, Visit, app
from sqlalchemy.orm import Session

from browser.office import Office
from fieldpost.envelope import Envelope, Operation
from fieldpost_server.database import Database
from fieldpost_server.people import add_user
from fieldpost_server.settings import Settings
from fieldpost_server.triggers import install

FORMS = 500
CHILDREN = 20
DEVICE = "d-bench"


def measure(database_url: str | None) -> dict[str, float]:
    """Return seconds and their ratio for one database; None means SQLite in a file."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        settings = Settings(app="jobs.app:app", data=data, database=database_url or "", seats=10)
        database = Database(settings.database_url)
        Base.metadata.create_all(database.engine)
        plain_before = _plain(database)
        install(database.engine, [m.table for m in app.models.values()])
        triggered = _plain(database)
        pushed = _pushed(settings, database)
        database.close()
    return {
        "forms": FORMS,
        "plain_s": round(plain_before, 3),
        "plain_with_triggers_s": round(triggered, 3),
        "push_s": round(pushed, 3),
        "ratio": round(pushed / plain_before, 2),
        "ratio_with_triggers": round(pushed / triggered, 2),
    }


def _plain(database: Database) -> float:
    began = time.perf_counter()
    for number in range(FORMS):
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


def _pushed(settings: Settings, database: Database) -> float:
    """Return how long a real server takes from the first byte sent to the last receipt."""
    database.write(
        lambda session: add_user(
            session, "bench", "bench-bench", roles=["Offline"], known_roles=app.roles, seats=10
        )
    )
    body = "\n".join(envelopes()).encode()
    variables = {"FIELDPOST_DATABASE": settings.database} if settings.database else {}
    office = Office(settings.data, variables, ("--app", "jobs.app:app", "serve"))
    office.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{office.port}", timeout=300) as client:
            client.post("/sign-in", data={"name": "bench", "password": "bench-bench"})
            client.post("/sync/device", json={"device": DEVICE})
            began = time.perf_counter()
            answer = client.post("/sync/push", content=body, headers={"Fieldpost-Device": DEVICE})
            took = time.perf_counter() - began
    finally:
        office.stop()
    receipts: list[dict[str, Any]] = [json.loads(line) for line in answer.text.splitlines()]
    outcomes = {receipt.get("outcome") for receipt in receipts}
    if outcomes != {"accepted"} or len(receipts) != FORMS:
        raise RuntimeError(f"not all forms were accepted: {len(receipts)} receipts, {outcomes}")
    return took
