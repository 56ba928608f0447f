"""Health, housekeeping, installation, and the demo as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from fieldpost_server.authoring.model_fit import misfits
from fieldpost_server.cli import main
from fieldpost_server.feed import horizon, triggers
from fieldpost_server.operations import health
from fieldpost_server.operations.housekeeping import tidy
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def test_health_says_that_all_is_well(office: Any) -> None:
    """Anybody may ask, and is told whether it is so; every check is named to administrators."""
    answer = office.client().get("/health")

    assert answer.status_code == 200
    assert {"ok": True} == answer.json()
    assert set(office.health()["checks"].values()) == {"ok"}


def test_health_names_lost_triggers(office: Any) -> None:
    """A table that was rebuilt is reported with what to do."""
    with office.database.engine.begin() as connection:
        for table in ("reading", "dose"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        office.home.app.base.metadata.create_all(connection)

    answer = office.client().get("/health")

    assert answer.status_code == 503
    assert "missing on" in office.health()["checks"]["triggers"]
    assert "fieldpost db install" in office.health()["checks"]["triggers"]


def test_health_compares_the_models_seldom(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks each second does not have the schema read each second; its age is said."""
    compared: list[int] = []

    def compare(connection: Any, tables: Any) -> Any:
        compared.append(1)
        return misfits(connection, tables)

    monkeypatch.setattr(health, "misfits", compare)
    looks = health.Health(office.home, office.settings)
    answers = [looks.check() for _ in range(3)]

    assert [1] == compared
    assert {"models", "rows"} == answers[-1]["ages_s"].keys()
    assert 0 == answers[0]["ages_s"]["models"]


def test_a_check_that_is_asked_for_compares_anew(office: Any) -> None:
    """What a migration broke is seen by `fieldpost check` at once, however long a server runs."""
    assert office.client().get("/health").json()["ok"]
    with office.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE dose DROP COLUMN amount")

    found = health.Health(office.home, office.settings).check()

    assert "The table 'dose' has no column 'amount'." in found["checks"]["models"]
    assert not found["ok"]


def test_health_names_a_folder_that_cannot_be_written(office: Any) -> None:
    """The attachments store is tried, not assumed."""
    folder = office.settings.attachments
    folder.rename(folder.with_name("gone"))

    assert "cannot be written" in office.health()["checks"]["attachments"]


def test_housekeeping_deletes_what_has_ended(office: Any) -> None:
    """Old sessions and changes go; what is young stays."""
    office.client("dora")
    old = utc_now() - timedelta(days=400)
    office.run(sa.update(tables.change).values(at=int(old.timestamp())))
    young = dict.fromkeys(("uses", "events", "sessions", "changes", "uploads"), 0)
    assert young == tidy(office.home, office.settings)

    office.run(sa.update(tables.session).values(created_at=old))
    assert tidy(office.home, office.settings)["sessions"] == 1


def test_people_are_kept_by_command(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users are added, listed, given and denied roles; faults are said and end with 1."""
    arguments = ["--app", "apps.clinic:app", "--data", str(tmp_path), "--database", database_url]
    main.main([*arguments, "db", "install"])
    add = [*arguments, "user", "add"]

    assert main.main([*add, "zoe", "--password", "correct horse", "--role", "Doctor"]) == 0
    assert main.main([*add, "ZOE", "--password", "correct horse"]) == 1
    assert main.main([*add, "max", "--password", "short"]) == 1
    assert main.main([*arguments, "user", "role", "zoe", "Offline"]) == 0
    assert main.main([*arguments, "user", "role", "zoe", "King"]) == 1
    assert main.main([*arguments, "user", "password", "zoe", "--password", "another horse"]) == 0
    capsys.readouterr()
    assert main.main([*arguments, "user", "list"]) == 0

    assert capsys.readouterr().out == "zoe\t\tDoctor, Offline\n"


def test_a_failed_installation_changes_nothing(office: Any) -> None:
    """Triggers are created in one transaction."""
    bad = sa.Table("nowhere", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    with pytest.raises(Exception, match="nowhere"):
        triggers.install(office.database.engine, [bad])

    with office.database.read_session() as session:
        models = office.home.app.models.values()
        assert triggers.uninstalled(session.connection(), [m.table for m in models]) == []
        assert horizon.current_moment(session).timeline


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The demo as a process of its own."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "FIELDPOST_DATA": str(tmp_path / "data")}
    environment.pop("FIELDPOST_DATABASE", None)
    code = "import sys; from fieldpost_server.cli.main import main; sys.exit(main(['demo']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.communicate()


def test_the_demo_starts_from_nothing_and_ends_when_asked(
    demo: tuple[str, "subprocess.Popen[str]"],
) -> None:
    """One command: data, accounts and address; its log is JSON; it ends cleanly."""
    address, process = demo
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(process.communicate()[1])
        try:
            answer = httpx.get(f"{address}/health")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    assert answer.json()["ok"], answer.text

    with httpx.Client(base_url=address, follow_redirects=True) as client:
        assert "worker1, worker2, office, lead, admin" in client.get("/sign-in").text
        page = client.post("/sign-in", data={"name": "office", "password": "demo"})
        assert "Inspections" in page.text
        assert "Page" in client.get("/pages/inspection").text
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=20)

    assert process.returncode in (0, -signal.SIGTERM)
    assert f"Open {address}/" in out
    assert "'demo'" in out
    assert all(json.loads(line)["level"] == "info" for line in log.splitlines())
