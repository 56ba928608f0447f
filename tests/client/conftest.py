"""A device on the desk and its office: the real client and the real server in one process."""

import asyncio
import itertools
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps.offices import NoAssets, add_without_password
from client_forms import FormReader, posted
from ed25519 import verified
from fieldpost.users import User
from fieldpost_client.main import Client
from fieldpost_client.platform.host import HostPlatform
from fieldpost_client.platform.memory import HostStore
from fieldpost_server import application
from fieldpost_server.accounts.sessions import COOKIE, start_session
from fieldpost_server.feed.triggers import install
from fieldpost_server.restore import restore_notices
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from inspections.app import app as inspections
from inspections.models import Inspection, Site, SiteKind
from templates import Templates

VERSION = "sha256:test"


@dataclass
class Office:
    """The server with its database."""

    server: Any
    settings: Settings

    @property
    def database(self) -> Any:
        return self.server.state.home.database

    def write(self, work: Callable[[Session], Any]) -> Any:
        return self.database.write(work)

    def add_user(self, name: str, *roles: str) -> None:
        self.write(lambda session: add_without_password(session, inspections, name, *roles))

    def cookie(self, name: str) -> str:
        token = self.write(lambda session: start_session(session, User(name)))
        return f"{COOKIE}={token}"

    def change(self, key: int, **values: Any) -> None:
        self.write(
            lambda session: session.execute(
                sa.update(Inspection).where(Inspection.id == key).values(**values)
            )
        )

    def rows(self, model: Any = Inspection) -> list[Any]:
        with self.database.read_session() as session:
            return list(session.scalars(sa.select(model).order_by(model.id)).all())

    def envelopes(self) -> list[Any]:
        with self.database.read_session() as session:
            table = tables.envelope
            return list(session.execute(sa.select(table).order_by(table.c.number)).all())


@dataclass
class Desk:
    """A device: everything it knows is in `store`."""

    platform: HostPlatform
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def store(self) -> HostStore:
        return self.platform.store

    @property
    def home(self) -> Any:
        return self.client.home

    def restart(self) -> dict[str, Any]:
        """Begin anew from what is in the store, as after a power cut."""
        self.client = Client(inspections, self.platform, VERSION)
        return asyncio.run(self.client.start())

    def download(self) -> dict[str, Any]:
        return asyncio.run(self.client.download())

    def sync(self) -> dict[str, Any]:
        return asyncio.run(self.client.sync.sync())

    def get(self, path: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"method": "GET", "path": path, "headers": {}, "body": None}
        return asyncio.run(self.client.request(asked))

    def form(self, path: str) -> dict[str, str]:
        answer = self.get(path)
        assert answer["status"] == 200, answer
        return FormReader(answer["body"]).fields

    def post(self, path: str, fields: dict[str, str]) -> dict[str, Any]:
        return asyncio.run(self.client.request(posted(path, fields)))

    def save(self, path: str, **fields: str) -> dict[str, Any]:
        """Open a form, fill in fields, save it; returns the answer."""
        answer = self.post(path, {**self.form(path), **fields})
        assert answer["status"] == 303, answer["body"]
        return answer

    def add(self, remarks: str = "New", **more: str) -> dict[str, Any]:
        return self.save(
            "/pages/inspection/new", site="1", inspected_on="2026-11-23", remarks=remarks, **more
        )

    def rows(self, model: Any = Inspection) -> list[Any]:
        with self.home.session() as session:
            return list(session.scalars(sa.select(model).order_by(model.id)).all())

    def remarks(self) -> list[str]:
        return [row.remarks for row in self.rows()]


class Backup:
    """A copy of the office's database, and how the office is put back to it."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.file = folder / "office.sqlite"
        self.copy = folder / "backup.sqlite"
        with sqlite3.connect(self.file) as source, sqlite3.connect(self.copy) as target:
            source.backup(target)
            # what is forgotten comes later than the backup, and changes are told by seconds
            target.execute("UPDATE fieldpost_change SET at = at - 60")

    def restore(self, *desks: Any) -> None:
        """Begin anew from the copy, with a new process; the workers sign in again."""
        self.office.database.close()
        for each in self.file.parent.glob("office.sqlite*"):
            each.unlink()
        with sqlite3.connect(self.copy) as source, sqlite3.connect(self.file) as target:
            source.backup(target)
        self.office.server = application.make_application(self.office.settings)
        for desk in desks:
            desk.platform.server = self.office.server
            desk.platform.headers["cookie"] = self.office.cookie(desk.home.user.name)


@pytest.fixture
def office_url(tmp_path: Path) -> str:
    """Return the URL of the office's database."""
    return f"sqlite:///{tmp_path / 'office.sqlite'}"


@pytest.fixture
def office(
    tmp_path: Path, office_url: str, monkeypatch: pytest.MonkeyPatch, templates: Templates
) -> Iterator[Office]:
    """An office with two sites, one inspection of each of two workers, and their accounts."""
    monkeypatch.setattr(application, "make_assets", lambda *_: NoAssets(VERSION))
    settings = Settings(app="inspections.app:app", data=tmp_path, database=office_url)
    is_copy = templates.copy("inspections", settings.database)
    server = application.make_application(settings)
    made = Office(server, settings)
    if not is_copy:
        _fill(made)
        templates.keep("inspections", settings.database)
    yield made
    made.database.close()


def _fill(made: Office) -> None:
    inspections.base.metadata.create_all(made.database.engine)
    tables.metadata.create_all(made.database.engine)
    install(made.database.engine, captured_tables(inspections))
    for name in ("ann", "bob"):
        made.add_user(name, "Offline")
    made.write(_seed)
    made.database.engine.dispose()


def _seed(session: Session) -> None:
    from datetime import date

    for key, name in ((1, "North bridge"), (2, "South school")):
        session.add(
            Site(id=key, name=name, kind=SiteKind.school, street="Long road 1", town="Delft")
        )
    session.flush()
    for key, worker in ((1, "ann"), (2, "bob")):
        session.add(
            Inspection(
                id=key,
                site_id=key,
                inspected_on=date(2026, 11, 1),
                remarks=f"Of {worker}",
                assignee=worker,
            )
        )


@pytest.fixture
def make_desk(office: Office) -> Callable[..., Desk]:
    """Return a maker of devices that are signed in."""
    numbers = itertools.count(1)

    def make(name: str = "ann") -> Desk:
        # ids that tell devices apart and are the same in every run
        number = next(numbers)
        ids = (str(uuid.UUID(int=(number << 64) + n)) for n in itertools.count(1))
        platform = HostPlatform(
            office.server,
            headers={"cookie": office.cookie(name)},
            ids=lambda: next(ids),
            verifier=verified,
        )
        return Desk(platform)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """Ann's device after its first download."""
    made = make_desk()
    assert made.download()["outcome"] == "done"
    return made


@pytest.fixture
def back_up(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Backup]:
    """Return what makes a backup; between two restores lie days."""
    monkeypatch.setattr(restore_notices, "ONE_IN", timedelta(0))
    return lambda: Backup(office, tmp_path)
