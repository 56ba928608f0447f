"""What a failing test leaves: one folder with all that is needed to understand it."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MOST_LETTERS = 120

Keep = Callable[[Path], None]
"""Writes a file or several into the folder."""


class Evidence:
    """Collects, while a test runs, what is to be kept if it fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: list[Keep] = []
        self._is_written = False

    def add(self, keep: Keep) -> None:
        """Keep something of this test's own, such as a server's log."""
        self._kept.append(keep)

    def write(self) -> None:
        """Write everything, once; what cannot be had is named and stops nothing else."""
        if self._is_written:
            return  # a test that has failed may end badly too: what it showed first counts
        self._is_written = True
        self.folder.mkdir(parents=True, exist_ok=True)
        for keep in self._kept:
            try:
                keep(self.folder)
            except Exception as error:  # noqa: BLE001 - the test's own failure is what counts
                with (self.folder / "missing.txt").open("a", encoding="utf-8") as missing:
                    missing.write(f"{getattr(keep, '__qualname__', keep)}: {error}\n")


KEY = pytest.StashKey[Evidence]()


def folder_of(nodeid: str) -> str:
    """Return the name of a test's folder: its id, in letters that every file system takes."""
    plain = nodeid.removeprefix("tests/").replace(".py::", "-")
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-")
    if len(name) <= MOST_LETTERS and plain.isascii():
        return name
    mark = hashlib.sha256(nodeid.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{name[:MOST_LETTERS]}-{mark}"


def begin(item: pytest.Item, results: Path) -> None:
    """Forget what the test left when it ran last."""
    folder = results / folder_of(item.nodeid)
    shutil.rmtree(folder, ignore_errors=True)
    item.stash[KEY] = Evidence(folder)


def keep(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Write down a failure: its report, a story's script, and what the fixtures have added."""
    evidence = item.stash.get(KEY, None)
    if evidence is None:
        return
    evidence.write()
    words = [f"{item.nodeid}: {report.when} failed", report.longreprtext]
    words += [f"== {title} ==\n{text}" for title, text in report.sections]
    _write(evidence.folder / f"{report.when}.txt", words)
    notes = getattr(call.excinfo.value, "__notes__", []) if call.excinfo else []
    if notes:
        _write(evidence.folder / "story.txt", notes)


def _write(file: Path, words: list[str]) -> None:
    file.write_text("\n\n".join(words) + "\n", "utf-8", errors="backslashreplace")


def run_failing(file: str, results: Path) -> None:
    """Run a file of tests that fail on purpose, and check that it says where their traces are."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, "-o", f"results={results}", file],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == ran.returncode, ran.stdout
    assert f"what failing tests left, a folder each: {results}" in ran.stdout
