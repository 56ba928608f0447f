"""Fault points: at every durable write the code says what is true if the process dies there."""

import re
from collections import Counter
from pathlib import Path

import pytest

from durable_writes import uncovered_in_javascript, uncovered_in_python
from fault_points import ROOT, fault_points, points_in, sources
from passed_points import points_named_in

SERVER = "server/fieldpost_server"
IN_MEMORY = {
    "pwa/py/fieldpost_client/replica/working_copy.py": "a database in memory, made at each start",
    "pwa/py/fieldpost_client/replica/replica.py": "as above",
    "server/fieldpost_server/authoring/device_load.py": "a temporary folder, read and forgotten",
    "server/fieldpost_server/feed/image.py": "a database in memory, sent and forgotten",
    "shared/fieldpost/replication/replica_tables.py": "as above",
}
"""Files that write nothing durable although it looks so, each with the reason."""


def uncovered(path: Path, source: str) -> list[str]:
    points = list(points_in(path.as_posix(), source))
    if path.suffix == ".js":
        return uncovered_in_javascript(source, points)
    return uncovered_in_python(source, points)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", sources(), ids=named)
def test_every_durable_write_has_a_fault_point(path: Path) -> None:
    """Whoever writes durably, locks or relies on isolation says what a death there leaves."""
    found = uncovered(path, path.read_text("utf-8"))

    assert (named(path) in IN_MEMORY) == bool(found), found


def test_names_are_unique_and_sentences_whole() -> None:
    """A crash test finds a fault point by its name, a reader understands its sentence."""
    points = fault_points()
    counted = Counter(point.name for point in points)

    assert [] == [name for name, count in counted.items() if count > 1]
    assert [] == [p.name for p in points if not re.fullmatch(r"[a-z]+(-[a-z]+)+", p.name)]
    assert [] == [p.name for p in points if not p.words.endswith(".") or len(p.words.split()) < 6]


def test_a_test_comes_by_each_fault_point_of_the_server() -> None:
    """CI passes every place where the server may die; `passes` fails where a test does not."""
    named = set[str]()
    for path in (ROOT / "tests" / "server").rglob("*.py"):
        named |= points_named_in(path.read_text("utf-8"))
    every = {p.name for p in fault_points() if p.package in ("shared/fieldpost", SERVER)}

    assert (set(), set()) == (every - named, named - every)


PYTHON = """
def save(database, session):
    {above}
    database.write(lambda session: None)

def nested(home):
    def work():
        home.store.write([])
    # fault point: not-inside — this belongs to the outer function only.
    return work

def other(text, session):
    return text.replace("a", "b"), home.commit(session), replica.write()
"""
JAVASCRIPT = """
export async function keep(db) {
  {above}
  await write(db, [["put", "drafts", 1, {}]]);
}

function other(names) {
  names.delete("x"); // write(db) is only spoken of
}
"""


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("# fault point: saved-whole — all of it or nothing is there.", ["8: home.store.write"]),
        ("# all of it or nothing is there", ["4: database.write", "8: home.store.write"]),
    ],
)
def test_a_write_without_one_is_found_in_python(above: str, expected: list[str]) -> None:
    """The check can fail: an ordinary comment is none, and neither is one of another function."""
    assert expected == uncovered(Path("a.py"), PYTHON.replace("{above}", above))


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("// fault point: kept-whole — all of it or nothing is there.", []),
        ("// all of it or nothing is there", ["4: write("]),
    ],
)
def test_a_write_without_one_is_found_in_javascript(above: str, expected: list[str]) -> None:
    """The check can fail in JavaScript, too."""
    assert expected == uncovered(Path("a.js"), JAVASCRIPT.replace("{above}", above))


def test_a_fault_point_goes_on_over_lines_and_must_be_well_formed() -> None:
    """A sentence may need two lines; what was meant for a fault point is never passed over."""
    source = "# fault point: one-two — it is\n#   there.\n# fault point: three-four — so is this.\n"
    found = [(p.name, p.line, p.words) for p in points_in("a.py", source.replace("#   ", "# "))]

    assert [("one-two", 1, "it is there."), ("three-four", 3, "so is this.")] == found
    with pytest.raises(ValueError, match=r"a\.py:1"):
        list(points_in("a.py", "# Fault point one-two: it is there.\n"))
