"""A pull of ten changes against the number of rows in scope, and against counting all of them."""

import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from jobs.app import Base, Job, Line, Visit, app

from browser.office import Office
from fieldpost.users import User
from fieldpost_server.accounts.users import add_user
from fieldpost_server.feed.triggers import install
from fieldpost_server.proofs.checksums import count
from fieldpost_server.scope.replication_plan import plan_for
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

SIZES = (10_000, 100_000)
BIG = 1_000_000
"""Measured where it is asked for: filling and counting take minutes."""
ROUNDS = 9
"""The first two warm up: the server counts once, and compiles what it asks."""
CHILDREN = 20
CHUNK = 5_000
PASSWORD = "measured in one run"
DEVICE = f"d-{uuid.UUID(int=2)}"


def measure(database_url: str | None, *, big: bool = False) -> dict[str, Any]:
    """Return milliseconds by rows in scope for one database; None means SQLite in a file.

    Half of the rows stand alone, half are records with their child rows. `counted_ms` is what the
    proof of such a pull costs where every row is counted, in the same database at the same time.
    """
    sizes = (*SIZES, BIG) if big else SIZES
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        settings = Settings(app="jobs.app:app", data=data, database=database_url or "", seats=10)
        database = Database(settings.database_url)
        Base.metadata.create_all(database.engine)
        install(database.engine, [m.table for m in app.models.values()])
        there = 0
        for rows in sizes:
            _fill(database, there, rows)
            there = rows
            found[str(rows)] = _measured(settings, database)
        database.close()
    first, last = found[str(sizes[0])], found[str(sizes[-1])]
    found["growth"] = round(last["pull_ms"] / first["pull_ms"], 2)
    found["growth_of_rows"] = sizes[-1] // sizes[0]
    return found


def _measured(settings: Settings, database: Database) -> dict[str, Any]:
    pulls, counts = [], []
    with _device(settings, database) as (client, first):
        cursor = first
        for turn in range(ROUNDS):
            _ten_changes(database, turn)
            began = time.perf_counter()
            answer = client.get("/sync/pull", params={"cursor": cursor}).raise_for_status().json()
            pulls.append(time.perf_counter() - began)
            cursor = answer["cursor"]
            if answer["replace"] or sum(map(len, answer["put"].values())) > 60:
                raise RuntimeError("the pull has brought more than what changed")
            if turn % 4 == 0:
                counts.append(_counted(database))
    pull, counted = (1000 * statistics.median(times) for times in (pulls[2:], counts))
    return {
        "pull_ms": round(pull, 1),
        "first_pull_ms": round(1000 * pulls[0], 1),
        "counted_ms": round(counted, 1),
        "ratio": round(pull / counted, 4),
    }


def _counted(database: Database) -> float:
    plan = plan_for(app, User("bench", "bench", frozenset({"Offline"})), app.pages.values())
    began = time.perf_counter()
    with database.read_session() as session:
        for entry in plan.values():
            count(session, entry)
    return time.perf_counter() - began


def _ten_changes(database: Database, turn: int) -> None:
    """Change as other programs do: rows far apart, one new, one gone."""
    with database.engine.begin() as connection:
        jobs = connection.scalar(sa.select(sa.func.max(Job.id))) or 0
        for n in range(5):
            where = Job.id == 1 + (jobs * n // 5 + turn) % jobs
            connection.execute(sa.update(Job).where(where).values(amount=Job.amount + 1))
        lines = connection.scalar(sa.select(sa.func.max(Line.id))) or 0
        for n in range(2):
            where = Line.id == 1 + (lines * n // 2 + turn) % lines
            connection.execute(sa.update(Line).where(where).values(note=f"turn {turn}"))
        connection.execute(sa.update(Visit).where(Visit.id == 3 + turn).values(score=turn))
        connection.execute(sa.delete(Line).where(Line.id == lines // 3 + turn))
        connection.execute(sa.insert(Line).values(visit_id=1, note=f"new {turn}", severity=1))


def _fill(database: Database, there: int, rows: int) -> None:
    """Add rows, so that there are so many."""
    jobs = range(there // 2 + 1, rows // 2 + 1)
    each = 2 * (CHILDREN + 1)
    visits = range(there // each + 1, rows // each + 1)
    with database.engine.begin() as connection:
        for chunk in _chunks(jobs):
            values = [{"id": n, "name": f"job {n}", "amount": n / 7, "note": None} for n in chunk]
            connection.execute(sa.insert(Job), values)
        for chunk in _chunks(visits):
            heads = [{"id": n, "name": f"visit {n}", "score": n % 100} for n in chunk]
            connection.execute(sa.insert(Visit), heads)
            lines = [
                {"visit_id": n, "note": f"line {i}", "severity": 1 + i % 5}
                for n in chunk
                for i in range(CHILDREN)
            ]
            connection.execute(sa.insert(Line), lines)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _chunks(numbers: range) -> Iterator[range]:
    for at in range(0, len(numbers), CHUNK):
        yield numbers[at : at + CHUNK]


@contextmanager
def _device(settings: Settings, database: Database) -> Iterator[tuple[httpx.Client, str]]:
    """Give a device of a real server, that has everything."""
    with database.read_session() as session:
        is_known = session.scalar(sa.text("SELECT count(*) FROM fieldpost_user"))
    if not is_known:
        database.write(
            lambda session: add_user(
                session, "bench", PASSWORD, roles=["Offline"], known_roles=app.roles, seats=10
            )
        )
    variables = {"FIELDPOST_DATABASE": settings.database} if settings.database else {}
    office = Office(settings.data, variables, ("--app", "jobs.app:app", "serve"))
    office.start()
    try:
        headers = {"Fieldpost-Device": DEVICE}
        address = f"http://127.0.0.1:{office.port}"
        with httpx.Client(base_url=address, timeout=600, headers=headers) as client:
            client.post("/sign-in", data={"name": "bench", "password": PASSWORD})
            client.post("/sync/device", json={"device": DEVICE}).raise_for_status()
            with client.stream("GET", "/sync/image") as image:
                image.raise_for_status()
                cursor = image.headers["Fieldpost-Cursor"]
                for _ in image.iter_raw():
                    pass
            yield client, cursor
    finally:
        office.stop()
