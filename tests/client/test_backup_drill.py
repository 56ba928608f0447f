"""The drill: an office under load is destroyed, restored elsewhere from its last backup, and whole.

Two devices save, send and upload, somebody saves online, and backups are taken meanwhile, all as
processes of their own. At a moment that the seed chooses the server is killed and everything that
it had is deleted. ``FIELDPOST_DRILLS=20`` drills with 20 other seeds.

R21, R26, R43.
"""

import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from client_forms import FormReader, posted
from fault_points import ROOT
from fieldpost_client.platform.base import Unreachable
from fieldpost_server import application
from fieldpost_server.cli.main import main
from fieldpost_server.inbox.dependencies import missing_numbers

pytestmark = pytest.mark.long

DRILLS = int(os.environ.get("FIELDPOST_DRILLS", "1"))
FIRST = 0 if "FIELDPOST_DRILLS" not in os.environ else 1_000
NEW = "/pages/inspection/new"
VERSION = "sha256:test"


class Line:
    """The network between devices and the office that there is at the moment."""

    def __init__(self) -> None:
        self.address = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        headers = [h for h in scope["headers"] if h[0] not in (b"host", b"content-length")]
        path = scope["raw_path"].decode() if scope.get("raw_path") else scope["path"]
        query = scope["query_string"].decode()
        address = f"{self.address}{path}{'?' + query if query else ''}"
        try:
            async with httpx.AsyncClient(timeout=60) as client:
                asked = scope["method"], address
                answer = await client.request(*asked, headers=headers, content=message["body"])
        except httpx.TransportError as error:
            raise Unreachable(str(error)) from error
        told = [
            (name, value)
            for name, value in answer.headers.raw
            if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
        ]
        start = {"type": "http.response.start", "status": answer.status_code, "headers": told}
        await send(start)
        await send({"type": "http.response.body", "body": answer.content})


@contextmanager
def serving(settings: Any, line: Line) -> Iterator["subprocess.Popen[bytes]"]:
    """Serve an office until it is killed."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = settings.data.parent / f"log-{port}"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "drilled_office.py"), VERSION],
            env={**environment(settings), "PORT": str(port)},
            stderr=errors,
            stdout=errors,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                httpx.get(f"{address}/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        line.address = address
        yield process
    finally:
        process.kill()
        process.wait()


def environment(settings: Any) -> dict[str, str]:
    paths = [ROOT / "tests", *(ROOT / part for part in ("shared", "server", "pwa/py", "examples"))]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "FIELDPOST_APP": settings.app,
        "FIELDPOST_DATA": str(settings.data),
        "FIELDPOST_DATABASE": settings.database,
        "FIELDPOST_POSTGRES_BIN": settings.postgres_bin,
    }


def run(settings: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of `fieldpost`."""
    code = "import sys; from fieldpost_server.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Load:
    """What everybody does until it is stopped, and what each was told.

    Attributes:
        told: by device, the remarks of what it said is saved.
        online: remarks that the office said are saved, with the moment of its answer.
        pictures: digests of files, by remark.
        synced: how often each device had something confirmed.
    """

    line: Line
    seed: int
    desks: list[Any]
    told: dict[int, list[str]] = field(default_factory=dict)
    online: list[tuple[datetime, str]] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    synced: dict[int, int] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    acts: int = 0
    stopped: bool = False
    happened: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def going_on(self, cookie: str) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._goes_on, args=(self._device, number))
            for number in range(len(self.desks))
        ]
        threads.append(threading.Thread(target=self._goes_on, args=(self._save_online, cookie)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped = True
            for thread in threads:
                thread.join()
        assert [] == self.failures

    def wait(self, more: int, until: Callable[[], bool] = lambda: True) -> None:
        """Wait until so much more was done."""
        with self.happened:
            wanted = self.acts + more
            done = lambda: bool(self.failures) or (self.acts >= wanted and until())  # noqa: E731 - one line, used once
            assert self.happened.wait_for(done, timeout=120)
        assert [] == self.failures

    def have_synced_since(self, before: dict[int, int]) -> bool:
        """Say whether each device has had something confirmed since then."""
        numbers = range(len(self.desks))
        return all(self.synced.get(n, 0) > before.get(n, 0) for n in numbers)

    def _goes_on(self, act: Any, whose: Any) -> None:
        rng = random.Random(f"{self.seed} {whose if isinstance(whose, int) else 'online'}")
        number = 0
        try:
            while not self.stopped:
                number += 1
                act(whose, number, rng)
                with self.happened:
                    self.acts += 1
                    self.happened.notify_all()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            with self.happened:
                self.failures.append(error)
                self.happened.notify_all()

    def _device(self, whose: int, number: int, rng: random.Random) -> None:
        desk = self.desks[whose]
        if rng.random() < 0.4:
            report = desk.sync()
            self.synced[whose] = self.synced.get(whose, 0) + report.get("accepted", 0)
            return
        remarks = f"Device {whose} form {number}"
        fields = {**desk.form(NEW), "site": "1", "inspected_on": "2026-11-23", "remarks": remarks}
        fields |= {"findings[0]._key": "", "findings[0].severity": "3", "findings[0].note": remarks}
        if rng.random() < 0.5:
            content = b"\xff\xd8\xff" + remarks.encode() * rng.randint(1, 2_000)
            sha256 = desk.store.stage(content, "image/jpeg")
            signature = {"sha256": sha256, "size": len(content), "type": "image/jpeg", "name": "p"}
            fields["signature"] = json.dumps(signature)
            self.pictures[remarks] = sha256
        answer = asyncio.run(desk.client.request(posted(NEW, fields)))
        assert 303 == answer["status"], answer
        self.told.setdefault(whose, []).append(remarks)

    def _save_online(self, cookie: str, number: int, _: random.Random) -> None:
        remarks = f"Online {number}"
        address = f"{self.line.address}{NEW}"
        headers = {"cookie": cookie}
        try:
            page = httpx.get(address, headers=headers, timeout=60)
            assert 200 == page.status_code, page.text
            fields = {**FormReader(page.text).fields, "site": "2", "inspected_on": "2026-11-23"}
            data = {**fields, "remarks": remarks, "assignee": "bob", "_action": "save"}
            answer = httpx.post(address, headers=headers, data=data, timeout=60)
        except httpx.TransportError:
            self.happened.acquire()
            self.happened.wait(0.05)
            self.happened.release()
            return
        assert 303 == answer.status_code, answer.text
        self.online.append((datetime.now(UTC), remarks))


@pytest.fixture
def office_url(database_url: str) -> str:
    """The office of the drill, once on each kind of database."""
    return database_url


@pytest.fixture
def elsewhere(office: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return what destroys the office, and says where it is to be put back."""

    def destroy() -> Any:
        shutil.rmtree(office.settings.attachments)
        url = sa.make_url(office.settings.database_url)
        new = tmp_path / "elsewhere" / "data"
        if url.get_backend_name() == "sqlite":
            for file in Path(str(url.database)).parent.glob("test.sqlite*"):
                file.unlink()
            return replace(office.settings, data=new, database=f"sqlite:///{new / 'new.sqlite'}")
        cluster = request.getfixturevalue("postgres")
        cluster.drop(url.database)
        name = f"{url.database}_restored"
        request.addfinalizer(lambda: cluster.drop(name))
        return replace(office.settings, data=new, database=cluster.create(name))

    return destroy


@pytest.mark.parametrize("seed", range(FIRST, FIRST + DRILLS))
def test_the_office_burns_down(
    office: Any,
    make_desk: Callable[..., Any],
    elsewhere: Callable[[], Any],
    find_part: Callable[[str], Path],
    tmp_path: Path,
    seed: int,
) -> None:
    """Nothing that anybody was told is saved is missing anywhere, but what was saved online since.

    What the backup lacks comes from the devices.
    """
    if office.database.dialect == "postgresql":
        office.settings = replace(office.settings, postgres_bin=str(find_part("postgres")))
        # the rows of the tests have keys that nobody has counted
        count = "SELECT setval(pg_get_serial_sequence('inspection', 'id'), 100)"
        office.write(lambda session: session.execute(sa.text(count)))
    desks = [make_desk("ann"), make_desk("bob")]
    load, place = Load(Line(), seed, desks), tmp_path / "backups"
    begun = burn(office, load, place)
    settings = elsewhere()

    restored = run(settings, "restore", str(place))
    assert 0 == restored.returncode, restored.stderr
    office.settings, office.server = settings, application.make_application(settings)
    of_the_backup = {row.remarks for row in office.rows()}
    for desk in desks:
        desk.platform.headers["cookie"] = office.cookie(desk.home.user.name)
    with serving(settings, load.line):
        for _ in range(2):
            reports = [desk.sync() for desk in desks]

    assert ["done", "done"] == [report["outcome"] for report in reports], reports
    told = {remarks for each in load.told.values() for remarks in each}
    assert told - of_the_backup, "the drill has destroyed nothing"
    found = [row.remarks for row in office.rows()]
    acknowledged = told | {remarks for moment, remarks in load.online if moment < begun}
    assert set() == acknowledged - {*found}
    assert len(found) == len({*found})
    for desk in desks:
        assert_in_step(office, desk)
    assert_pictures(office, load)
    options = ["--app", settings.app, "--data", str(settings.data)]
    assert 0 == main([*options, "--database", settings.database, "envelopes", "verify"])
    assert 0 == run(settings, "restore", str(place), "--verify").returncode


def burn(office: Any, load: Load, place: Path) -> datetime:
    """Let everybody work while backups are taken, then kill the server; return the last's begin."""
    rng = random.Random(load.seed)
    office.add_user("olga")
    cookie = office.cookie("olga")
    for desk in load.desks:
        desk.platform.server = load.line
    with serving(office.settings, load.line) as server:
        office.database.close()
        for desk in load.desks:
            assert "done" == desk.download()["outcome"]
        with load.going_on(cookie):
            load.wait(rng.randint(5, 15))
            for _ in range(2):
                begun = datetime.now(UTC)
                taken = run(office.settings, "backup", str(place))
                assert 0 == taken.returncode, taken.stderr
                load.wait(rng.randint(3, 10))
            before = dict(load.synced)
            load.wait(rng.randint(1, 10), lambda: load.have_synced_since(before))
            server.send_signal(signal.SIGKILL)
            server.wait()
            load.wait(rng.randint(2, 6))
    return begun


def assert_in_step(office: Any, desk: Any) -> None:
    """Office and device hold the same, and neither waits for anything of the other."""
    name = desk.home.user.name
    own = sorted((r.id, r.remarks) for r in office.rows() if r.assignee == name)
    assert own == sorted((r.id, r.remarks) for r in desk.rows())
    assert {} == desk.home.outbox.entries
    with office.database.read_session() as session:
        assert [] == missing_numbers(session, desk.home.state.device)


def assert_pictures(office: Any, load: Load) -> None:
    """Every picture that was saved is at the office, byte by byte."""
    signed = {r.remarks: r.signature.sha256 for r in office.rows() if r.remarks in load.pictures}
    assert load.pictures == signed
    store = office.server.state.home.store
    for sha256 in signed.values():
        assert sha256 == hashlib.sha256(store.path(sha256).read_bytes()).hexdigest()
