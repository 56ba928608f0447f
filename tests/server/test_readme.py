"""The app of README.md, as somebody tries it who has read nothing else (R61)."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.offices import office_like
from fieldpost.wire.envelope import Operation
from fieldpost_server.authoring.device_load import load_as_a_device
from fieldpost_server.cli.main import main

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PASSWORD = "correct horse"
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for line in README.splitlines()
    if line.startswith("fieldpost ")
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the README's app as `visits.py`, and its settings in the environment."""
    (text,) = (t for t in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "App(" in t)
    (tmp_path / "visits.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FIELDPOST_APP", "visits:app")
    monkeypatch.setenv("FIELDPOST_DATA", str(tmp_path / "visits-data"))
    monkeypatch.delenv("FIELDPOST_DATABASE", raising=False)
    yield tmp_path
    sys.modules.pop("visits", None)


def test_the_readmes_app_is_installed_by_its_commands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that it names works, in its order; nothing is missing at the end."""
    assert (folder / "visits.py").is_file()
    for command in COMMANDS:
        if command == ["serve"]:
            continue
        more = ["--password", PASSWORD] if command[:2] == ["user", "add"] else []
        assert 0 == main([*command, *more]), capsys.readouterr().err

    assert '"ok": true' in capsys.readouterr().out
    assert ["serve"] == COMMANDS[-1]


def test_a_first_visit_comes_from_a_device_to_the_office(folder: Path, office: Any) -> None:
    """The office adds a site, a worker visits it, and the office and the admin see the visit."""
    for command in COMMANDS:
        if command[0] in ("db", "user"):
            more = ["--password", PASSWORD] if command[0] == "user" else []
            assert 0 == main([*command, *more])
    with office_like(office, app="visits:app", data=folder / "visits-data", database="") as served:
        added = served.client("olga").post("/pages/site/new", data={"name": "Dam", "town": "Ems"})
        device = served.device("wim")
        new = {"site_id": 1, "visited_on": "2026-11-23", "status": "open"}
        (receipt,) = device.push(device.envelope(Operation("insert", "visit", (-1,), new)))
        lists = {who: served.client(who).get("/pages/visit").text for who in ("olga", "ada")}

    assert 303 == added.status_code
    assert "accepted" == receipt["outcome"], receipt
    assert all("Dam" in text for text in lists.values())


def test_the_readmes_app_is_loaded_as_a_device_would(folder: Path) -> None:
    """It imports nothing that devices do not have."""
    assert (folder / "visits.py").is_file()

    load_as_a_device("visits:app")
