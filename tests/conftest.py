"""Fixtures of all tests. The shared suite runs inside Pyodide too: nothing heavy is imported."""

import gc
import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import evidence as evidence_of

if TYPE_CHECKING:
    from postgresql import Cluster
    from templates import Templates

ROOT = Path(__file__).parent.parent
# quick ones first: a mistake shows early
ORDER = ("shared", "client", "server", "convergence", "parity", "chaos", "browser")
_numbers = count(1)
WITHOUT = "FIELDPOST_WITHOUT"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("results", "the folder for what failing tests leave", default="test-results")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") and config.pluginmanager.has_plugin("hypothesispytest"):
        _leave_failures_long()
    # a memory image takes half a minute: tests that want one make it, or share one
    os.environ.setdefault("FIELDPOST_NODE", "no")


def _leave_failures_long() -> None:
    """Let CI name what fails at once: to shorten it takes minutes each, and is done at a desk."""
    from hypothesis import Phase, settings  # not inside Pyodide

    usual = settings.get_profile("ci")
    phases = [phase for phase in usual.phases if phase not in (Phase.shrink, Phase.explain)]
    settings.register_profile("ci-unshortened", usual, phases=phases, print_blob=True)
    settings.load_profile("ci-unshortened")


def pytest_runtest_setup(item: pytest.Item) -> None:
    evidence_of.begin(item, _results(item.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    # before fixtures end: a window that shows the failure is still open
    report = yield
    if report.failed:
        evidence_of.keep(item, call, report)
    return report


def _results(config: pytest.Config) -> Path:
    return config.rootpath / str(config.getini("results"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # among several workers the long files come first, or one worker ends long after the others
    items.sort(key=_place, reverse=hasattr(config, "workerinput"))


def pytest_collection_finish() -> None:
    # thousands of tests that were collected stay to the end: a fifth of the time went into looking
    # through them for garbage
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return ORDER.index(folder) if folder in ORDER else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        results = _results(terminalreporter.config)
        terminalreporter.write_line(f"what failing tests left, a folder each: {results}")
    skipped = terminalreporter.stats.get("skipped", ())
    if any(WITHOUT in str(report.longrepr) for report in skipped):
        parts = os.environ[WITHOUT]
        terminalreporter.write_line(f"NOT TESTED with {parts}: left out by {WITHOUT}")


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> evidence_of.Evidence:
    """Return what collects the traces that this test leaves if it fails."""
    kept: evidence_of.Evidence = request.node.stash[evidence_of.KEY]
    return kept


def _find(part: str) -> Path:
    """Return where a part of this machine lies; skip only where the user has said so."""
    scripts = ROOT / "scripts"
    without = subprocess.run([scripts / "without", part], capture_output=True, check=False)
    if without.returncode == 0:
        pytest.skip(f"{WITHOUT}={os.environ[WITHOUT]}")
    found = subprocess.run(
        [scripts / f"ensure-{part}", "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        pytest.fail(f"{part} is missing here: run scripts/ensure-{part}", pytrace=False)
    return Path(found.stdout.strip())


@pytest.fixture(scope="session")
def find_part() -> Callable[[str], Path]:
    """Return what finds a part of this machine that not every test needs."""
    return _find


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Return the Chromium of this machine; Playwright's own is never downloaded."""
    return _find("chromium")


@pytest.fixture(scope="session")
def postgres() -> Iterator["Cluster"]:
    """Run a temporary PostgreSQL cluster for the whole session."""
    programs = _find("postgres")
    import postgresql  # not inside Pyodide

    with postgresql.running(programs) as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: "Cluster") -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of this test's own."""
    name = f"test_{next(_numbers)}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> "Templates":
    """Return what keeps databases that many tests begin with."""
    from templates import Templates  # not inside Pyodide

    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of an empty SQLite database of this test's own."""
    return f"sqlite:///{tmp_path / 'test.sqlite'}"


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database: the test runs once on each kind."""
    kind = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(kind)
    return url
