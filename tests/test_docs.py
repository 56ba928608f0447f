"""The documentation says what the code does, and leads nowhere that is not there."""

import argparse
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fault_points import fault_points
from fieldpost.errors import SPEAKERS, Code
from fieldpost.rules import broken_rules
from fieldpost.wire import protocol
from fieldpost_server.cli.main import _parser
from fieldpost_server.settings import Settings
from fieldpost_server.sync.calls import Sync

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_ROOTS = ("shared", "server", "pwa/py", "pwa", "tests", "examples/inspections")
PLACES = [ROOT, *(ROOT / place for place in _ROOTS)]
"""What the names of files and modules in the documentation begin at."""
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/*.md")])

NAMING = [page for page in PAGES if page.is_relative_to(DOCS) or page.name == "CONTRIBUTING.md"]


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # as an import does: models find their own module there
    pytest.MonkeyPatch().setitem(__import__("sys").modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def make_docs() -> ModuleType:
    return load(ROOT / "scripts" / "make_docs.py", "make_docs")


def test_every_error_is_documented(make_docs: Any) -> None:
    """docs/errors.md holds the whole catalogue in its present words."""
    written = (DOCS / "errors.md").read_text("utf-8")

    assert make_docs.errors_page() == written, "run scripts/make_docs.py"


def test_every_fault_point_is_documented(make_docs: Any) -> None:
    """docs/fault-points.md holds all fault points in their present words, each name once."""
    written = (DOCS / "fault-points.md").read_text("utf-8")

    assert make_docs.fault_points_page() == written, "run scripts/make_docs.py"
    assert [p.name for p in fault_points()] == re.findall(
        r"^\| `([^`]+)` \|", written, re.MULTILINE
    )


def test_every_code_has_its_words() -> None:
    """Each code has words, in one group of the catalogue, in the order of the codes."""
    assert list(Code) == [code for spoken in SPEAKERS.values() for code in spoken]


def test_the_picture_of_the_house_is_true(make_docs: Any) -> None:
    """docs/architecture.md shows the floors as the tests hold them, each room with its one job."""
    text = (DOCS / "architecture.md").read_text("utf-8")

    assert make_docs.with_floors(text) == text, "run scripts/make_docs.py"


@pytest.mark.parametrize("page", NAMING, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_that_are_named_are_there(page: Path) -> None:
    """Each file of Python or JavaScript that the documentation names exists."""
    named = set(re.findall(r"`([\w.-][\w./-]*\.(?:py|js))`", page.read_text("utf-8")))

    assert [] == sorted(name for name in named if not _is_file(name))


@pytest.mark.parametrize("page", NAMING, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_modules_that_are_named_are_there(page: Path) -> None:
    """Each module of Fieldpost that the documentation names, and what it names inside, exists."""
    named = set(re.findall(r"`(fieldpost(?:_\w+)?(?:\.\w+)+)(?:\(|`)", page.read_text("utf-8")))

    assert [] == sorted(name for name in named if not _is_defined(name))


def _is_file(name: str) -> bool:
    if "/" in name:
        return any((place / name).is_file() for place in PLACES)
    return any(path.name == name for place in PLACES[1:] for path in place.rglob("*.[pj][ys]"))


def _is_defined(name: str) -> bool:
    """Say whether a dotted name leads to a module, or to what one defines at its top."""
    *packages, last = name.split(".")
    defines = re.compile(rf"^(async def |def |class )?{last}\b", re.MULTILINE)
    for place in PLACES:
        at = place.joinpath(*packages)
        if (at / last).is_dir() or (at / f"{last}.py").is_file():
            return True
        if (module := at.with_suffix(".py")).is_file():
            return defines.search(module.read_text("utf-8")) is not None
    return False


def test_every_promise_is_listed() -> None:
    """docs/requirements.md holds the promises 1 to 67, each once."""
    text = (DOCS / "requirements.md").read_text("utf-8")

    assert list(range(1, 68)) == [int(n) for n in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]


def test_promises_name_the_tests_that_cite_them(make_docs: Any) -> None:
    """docs/requirements.md names tests that exist, and all files with tests that cite a number."""
    text = (DOCS / "requirements.md").read_text("utf-8")

    assert make_docs.requirements_page(text) == text, "run scripts/make_docs.py"


def commands(parser: argparse.ArgumentParser, before: str) -> Iterator[str]:
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        yield before
    for group in groups:
        for name, below in group.choices.items():
            yield from commands(below, f"{before} {name}")


def test_every_command_is_documented() -> None:
    """docs/commands.md names each command of the command line."""
    text = (DOCS / "commands.md").read_text("utf-8")

    assert [] == [c for c in commands(_parser(), "fieldpost") if f"`{c}" not in text]


def test_every_setting_is_documented() -> None:
    """docs/commands.md names each setting, and no other."""
    text = (DOCS / "commands.md").read_text("utf-8").partition("## Variables")[0]
    settings = {"PORT" if n == "port" else f"FIELDPOST_{n.upper()}" for n in Settings.__slots__}

    assert settings == set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))


def test_every_call_of_a_device_is_documented() -> None:
    """docs/protocol.md names the address of each call."""
    text = (DOCS / "protocol.md").read_text("utf-8")
    nothing: Any = None
    routes = Sync(nothing, nothing, "", nothing, nothing).routes()

    assert [] == [r.path for r in routes if f"{r.path}`" not in text]


def test_every_limit_is_documented() -> None:
    """docs/protocol.md names each limit of the protocol that is in use."""
    text = (DOCS / "protocol.md").read_text("utf-8")
    limits = {name for name in vars(protocol) if name.startswith("MAX_")}

    assert set() == {name for name in limits if f"`{name}`" not in text}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link leads to a file that is there."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    places = {link.partition("#")[0] for link in links if "://" not in link}

    assert [] == [p for p in sorted(places) if p and not (page.parent / p).exists()]


def test_the_app_of_the_readme_works(tmp_path: Path) -> None:
    """The example of the README is a whole app, and its rule speaks."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    source = tmp_path / "visits.py"
    source.write_text(found[1], "utf-8")

    visits: Any = load(source, "readme_visits")

    assert ["visit", "site"] == list(visits.app.pages)
    unsigned = visits.Visit(status=visits.Status.closed)
    assert ["signature"] == [problem.path for problem in broken_rules(unsigned)]
