"""Fixtures of the server's tests: a server with the clinic app, on SQLite and on PostgreSQL."""

import asyncio
import gzip
import hashlib
import json
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from apps import clinic
from apps.fakes import ADA, rows
from apps.offices import NoAssets
from apps.sender import Chain
from described import check_answer
from fieldpost.app import App
from fieldpost.odp.replay.statements import _row_with_key
from fieldpost.users import User, acting_as
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost_client.replica.replica import Replica
from fieldpost_server.accounts import passwords
from fieldpost_server.accounts.users import add_user
from fieldpost_server.application import make_application
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.feed import triggers
from fieldpost_server.home import ServerHome
from fieldpost_server.operations import public_health
from fieldpost_server.operations.health import Health
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database
from passed_points import passed_points, points_named_by
from templates import Templates

PASSWORD = "correct horse"
PEOPLE = {"anna": ["Offline"], "bert": ["Offline"], "dora": ["Doctor"], "admin": ["Admin"]}


_PASSED = pytest.StashKey[tuple[ExitStack, set[str]]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    # only where a test names fault points: to watch each line costs time
    if points_named_by(item):
        _row_with_key.cache_clear()  # what is made once for all would be another test's
        watching = ExitStack()
        item.stash[_PASSED] = watching, watching.enter_context(passed_points())
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    missing = points_named_by(item) - (item.stash[_PASSED][1] if _PASSED in item.stash else set())
    if missing:
        pytest.fail(f"these fault points were not come by: {sorted(missing)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    if _PASSED in item.stash:
        item.stash[_PASSED][0].close()
    return (yield)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with the least parameters: the cost of a guess is not what these tests measure."""
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", weak)
    monkeypatch.setattr(passwords, "_NOBODY", weak.hash("nobody"))
    # what a test has changed is to be seen at once
    monkeypatch.setattr(public_health, "FRESH_S", 0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, without tables."""
    opened = Database(Settings(database=database_url).database_url)
    yield opened
    opened.close()


@pytest.fixture
def fieldpost_database(database: Database) -> Database:
    """A database with Fieldpost's own tables."""
    tables.metadata.create_all(database.engine)
    return database


class Client:
    """A browser or a program, without a network between."""

    def __init__(self, application: Any, origin: str = "") -> None:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        self.asking = httpx.AsyncClient(transport=transport, base_url=origin or "http://office")
        self.runner = asyncio.Runner()

    @property
    def cookies(self) -> httpx.Cookies:
        return self.asking.cookies

    def request(self, method: str, address: str, **how: Any) -> httpx.Response:
        answer = self.runner.run(self.asking.request(method, address, **how))
        check_answer(answer)
        return answer

    def get(self, address: str, **how: Any) -> httpx.Response:
        return self.request("GET", address, **how)

    def post(self, address: str, **how: Any) -> httpx.Response:
        return self.request("POST", address, **how)

    def close(self) -> None:
        self.runner.run(self.asking.aclose())
        self.runner.close()


@dataclass
class Device:
    """What a device keeps between its calls; as little as the protocol needs."""

    client: Client
    user: str
    app: App = clinic.app
    id: str = field(default_factory=lambda: f"d-{uuid.uuid4()}")
    cursor: str = ""
    replica: Replica | None = None
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.chain = Chain(self.id, self.user, self.app)

    @property
    def headers(self) -> dict[str, str]:
        return {"Fieldpost-Device": self.id, "Fieldpost-Protocol": "1"}

    def register(self) -> dict[str, Any]:
        answer = self.client.post("/sync/device", json={"device": self.id})
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json())

    def download(self) -> None:
        answer = self.client.get("/sync/image", headers=self.headers)
        assert answer.status_code == 200, answer.text
        self.close()
        self.cursor = answer.headers["Fieldpost-Cursor"]
        self.replica = Replica(self.app, gzip.decompress(answer.content))

    def ask(self, *, cursor: str | None = None, replace: Sequence[str] = ()) -> Any:
        wanted = {"cursor": self.cursor if cursor is None else cursor, "replace": list(replace)}
        return self.client.get("/sync/pull", params=wanted, headers=self.headers)

    def pull(self) -> dict[str, Any]:
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        data = cast(dict[str, Any], answer.json())
        assert self.replica is not None
        self.replica.apply(data)
        self.cursor = data["cursor"]
        return data

    def read(self, query: sa.Select[Any]) -> list[Any]:
        assert self.replica is not None
        with self.replica.connection.begin():
            return [tuple(row) for row in self.replica.connection.execute(query)]

    def envelope(self, *operations: Operation, **parts: Any) -> Envelope:
        """Return the next envelope of this device's chain."""
        return self.chain.next(*operations, **parts)

    def push(self, *envelopes: Envelope | str | bytes) -> list[dict[str, Any]]:
        lines = [e.to_text() if isinstance(e, Envelope) else e for e in envelopes]
        body = b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines)
        answer = self.client.post("/sync/push", content=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.content.splitlines()]

    def upload(self, content: bytes, type_: str, *, start: int = 0, end: int | None = None) -> Any:
        headers = {
            **self.headers,
            "Upload-Offset": str(start),
            "Upload-Length": str(len(content)),
            "Upload-Type": type_,
            "Content-Type": "application/offset+octet-stream",
        }
        sha256 = hashlib.sha256(content).hexdigest()
        return self.client.request(
            "PATCH", f"/sync/attachments/{sha256}", content=content[start:end], headers=headers
        )

    def close(self) -> None:
        if self.replica is not None:
            self.replica.close()


@dataclass
class Office:
    """A server with four users."""

    settings: Settings
    application: Any
    clients: list[Client] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    @property
    def home(self) -> ServerHome:
        return cast(ServerHome, self.application.state.home)

    @property
    def database(self) -> Database:
        return self.home.database

    def client(self, user: str | None = None, password: str = PASSWORD) -> Client:
        made = Client(self.application, self.settings.origin)
        self.clients.append(made)
        if user is not None:
            answer = made.post("/sign-in", data={"name": user, "password": password})
            assert answer.status_code == 303, answer.text
        return made

    def device(self, user: str, *, download: bool = True) -> Device:
        made = Device(self.client(user), user, self.home.app)
        self.devices.append(made)
        made.register()
        if download:
            made.download()
        return made

    def health(self) -> dict[str, Any]:
        return Health(self.home, self.settings).check()

    def write(self, work: Callable[[Session], Any]) -> Any:
        with acting_as(User("other program")):
            return self.database.write(work)

    def run(self, *statements: sa.Executable) -> None:
        with self.database.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        with self.database.read_session() as session:
            return [tuple(row) for row in session.execute(query)]

    def close(self) -> None:
        for device in self.devices:
            device.close()
        for client in self.clients:
            client.close()
        self.database.close()


OpenOffice = Callable[[App, Callable[[Session], None], Sequence[str]], Office]


@pytest.fixture
def open_office(database_url: str, tmp_path: Path, templates: Templates) -> Iterator[OpenOffice]:
    """Return a function that serves one of the apps with rows, and `PEOPLE` as its users.

    It takes the app, what adds the rows, and the tables whose keys are counted. What adds the
    rows is asked once a session where it is a function that says itself which rows these are.
    """
    opened: list[Office] = []

    def make(app: App, fill: Callable[[Session], None], counted: Sequence[str]) -> Office:
        settings = Settings(
            app=f"apps.{app.name}:app", data=tmp_path / "data", database=database_url
        )
        name = (app.name, fill.__module__, fill.__qualname__, *counted)
        is_new = not opened and "<" not in fill.__qualname__
        is_copy = is_new and templates.copy(name, database_url)
        made = Office(settings, make_application(settings, cast(Assets, NoAssets())))
        opened.append(made)
        if is_copy:
            return made
        app.base.metadata.create_all(made.database.engine)
        triggers.install(made.database.engine, captured_tables(app))
        made.write(fill)
        made.write(lambda session: _settle(session, app, counted))
        if is_new:
            made.database.engine.dispose()
            templates.keep(name, database_url)
        return made

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def office(open_office: OpenOffice) -> Office:
    """A server with data; `anna` and `bert` are field workers."""
    return open_office(clinic.app, _fill, ("visit", '"order"'))


def _fill(session: Session) -> None:
    session.add_all(rows())


def _settle(session: Session, app: App, counted: Sequence[str]) -> None:
    if session.connection().dialect.name == "postgresql":
        for name in counted:
            session.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 100)"))
    for name, roles in PEOPLE.items():
        given = [role for role in roles if role in app.roles]
        add_user(session, name, PASSWORD, roles=given, known_roles=app.roles, seats=100)


def new_visit(key: int = -1, **values: Any) -> Operation:
    """Return the insert of a visit of Ada's."""
    given = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}
    return Operation("insert", "visit", (key,), {**given, **values})


@pytest.fixture
def visit() -> Callable[..., Operation]:
    """Return a function that makes the insert of a visit."""
    return new_visit
