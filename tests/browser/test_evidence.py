"""A browser test that fails leaves what is needed to understand it, in one folder."""

from pathlib import Path

import pytest

from evidence import run_failing

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the tests that fail on purpose, and return the folder that they have left."""
    results = tmp_path_factory.mktemp("results")
    run_failing("tests/browser/failing.py", results)
    return results


@pytest.mark.parametrize(
    ("test", "report", "words"),
    [
        ("test_that_misses_something", "call.txt", "what no page says"),
        ("test_whose_page_complains", "teardown.txt", "a complaint of the page"),
    ],
)
def test_a_failing_test_leaves_its_traces(left: Path, test: str, report: str, words: str) -> None:
    """Report, server's log, requests, console and picture are there, also when it ends badly."""
    folder = left / f"browser-failing-{test}"
    found = {file.name for file in folder.iterdir()}

    wanted = {report, "server.log", "requests.txt", "window0.console.txt", "window0.png"}
    assert wanted == found
    assert words in (folder / report).read_text("utf-8")
    assert "POST /sign-in" in (folder / "requests.txt").read_text("utf-8")
    assert "/sign-in" in (folder / "server.log").read_text("utf-8")
    assert (folder / "window0.png").read_bytes().startswith(b"\x89PNG")
    if test == "test_whose_page_complains":
        assert words in (folder / "window0.console.txt").read_text("utf-8")
