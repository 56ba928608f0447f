"""An app is loaded as a device would before it is served, and once for each state of it (R61)."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpost.errors import Code, DefinitionError
from fieldpost_server.authoring import device_load
from fieldpost_server.authoring.device_load import loading_as_a_device
from fieldpost_server.delivery import wheels
from fieldpost_server.packing.archives import make_wheel

Start = Callable[[], int]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module of an app, which is not imported here."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "carried.py"
    module.write_text("app = 1\n", "utf-8")
    yield module
    sys.modules.pop("carried", None)


@pytest.fixture
def start(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a server, as far as the app is loaded; returns how often a device's Python ran."""
    assert package.exists()
    runs: list[tuple[Any, ...]] = []

    def asked(*question: Any) -> dict[str, Any]:
        runs.append(question)
        wrong = "import readline" in package.read_text("utf-8")
        return {"cause": "ModuleNotFoundError", "file": "carried.py", "line": 1} if wrong else {}

    def run() -> int:
        before = len(runs)
        with loading_as_a_device("carried:app", tmp_path / "data") as loaded:
            loaded()
        return len(runs) - before

    monkeypatch.setattr(device_load, "_asked", asked)
    return run


def test_what_was_loaded_is_not_loaded_again(start: Start) -> None:
    """A second start with the same files waits for nothing."""
    assert [1, 0, 0] == [start(), start(), start()]


def test_whatever_changes_is_loaded_again(
    start: Start, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's files, a package of devices, and Python itself each decide what can be loaded."""
    start()
    package.write_text("app = 2\n", "utf-8")
    own = start()

    real = wheels.installed_wheel
    other = make_wheel("jinja2", "0", {"jinja2/__init__.py": b""})
    monkeypatch.setattr(
        wheels, "installed_wheel", lambda name, *_: other if name == "jinja2" else real(name, *_)
    )
    packages = start()
    monkeypatch.setattr(sys, "version", "4.0")
    python = start()

    assert [1, 1, 1, 0] == [own, packages, python, start()]


def test_what_cannot_be_loaded_is_refused_at_every_start(start: Start, package: Path) -> None:
    """Only a good end is remembered."""
    start()
    package.write_text("import readline\n", "utf-8")

    for _ in range(2):
        with pytest.raises(DefinitionError) as caught:
            start()
        assert [Code.APP_NOT_ON_DEVICES] == [p.code for p in caught.value.problems]


@pytest.mark.passes("device-load-unnoted")
@pytest.mark.parametrize("content", [b"", b"0123", b"\xff\xfe"])
def test_a_damaged_note_is_none(start: Start, tmp_path: Path, content: bytes) -> None:
    """What was half written when a process died is not believed."""
    start()
    (tmp_path / "data" / "loaded-as-a-device").write_bytes(content)

    assert [1, 0] == [start(), start()]


def test_a_folder_that_takes_no_note_stops_nothing(start: Start, tmp_path: Path) -> None:
    """Where nothing can be noted the app is loaded at every start."""
    (tmp_path / "data").write_text("a file where the folder should be", "utf-8")

    assert [1, 1] == [start(), start()]


@pytest.mark.usefixtures("start")
def test_another_fault_of_the_start_is_said_first(package: Path, tmp_path: Path) -> None:
    """What stops the start beside it is not hidden behind the app's own fault."""
    package.write_text("import readline\n", "utf-8")

    with (
        pytest.raises(ZeroDivisionError),
        loading_as_a_device("carried:app", tmp_path / "elsewhere"),
    ):
        raise ZeroDivisionError
