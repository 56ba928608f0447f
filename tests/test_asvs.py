"""docs/security.md answers every item of OWASP ASVS 5.0, levels 1 and 2, with tests that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")

STANDARD = """
    1.1:22 1.2:1111122223 1.3:112222222223 1.4:222 1.5:123 2.1:122 2.2:112 2.3:12223 2.4:23 3.1:3
    3.2:113 3.3:12223 3.4:11222233 3.5:11122333 3.6:3 3.7:22333 4.1:12233 4.2:23333 4.3:22 4.4:1222
    5.1:2 5.2:112333 5.3:113 5.4:222 6.1:122 6.2:111111112222 6.3:11223333 6.4:112233 6.5:22222333
    6.6:2223 6.7:33 6.8:2222 7.1:222 7.2:1111 7.3:22 7.4:11222 7.5:223 7.6:22 8.1:1233 8.2:1123
    8.3:133 8.4:23 9.1:111 9.2:1222 10.1:22 10.2:223 10.3:22223 10.4:1111122222233333 10.5:22222
    10.6:22 10.7:222 11.1:2233 11.2:22233 11.3:11233 11.4:1222 11.5:23 11.6:23 11.7:33 12.1:12233
    12.2:11 12.3:22223 13.1:2333 13.2:222223 13.3:2233 13.4:1222233 14.1:22 14.2:12223333 14.3:122
    15.1:12233 15.2:12233 15.3:1222222 15.4:3333 16.1:2 16.2:22222 16.3:2222 16.4:222 16.5:2223
    17.1:23 17.2:22223333 17.3:22
"""
"""By section of the standard: the levels of its items, in their order."""

REASONS = ("Not yet: ", "Not done: ", "Not shown by a test: ", "The operator: ", "By nature: ")
WORDS = ("This page: [", "Written down: ")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([123]) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LEFT_OUT = re.compile(r"^\| (\d+\.\d+\.\d+(?:, \d+\.\d+\.\d+)*) \| ([^|]+) \|$", re.MULTILINE)


def items() -> Iterator[tuple[str, str]]:
    """Yield number and level of each item of the standard."""
    for section in STANDARD.split():
        name, _, levels = section.partition(":")
        for number, level in enumerate(levels, 1):
            yield f"{name}.{number}", level


LEVELS = dict(items())
ROWS = {number: (level, what, shown) for number, level, what, shown in ROW.findall(PAGE)}
NOT_APPLYING = {
    number: why for numbers, why in LEFT_OUT.findall(PAGE) for number in numbers.split(", ")
}


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_numbers_are_those_of_the_standard() -> None:
    """5.0.0 has 345 items: 70 of level 1, 183 of level 2, 92 of level 3."""
    assert [70, 183, 92] == [list(LEVELS.values()).count(level) for level in "123"]


def test_every_item_is_answered_once() -> None:
    """It is in the table, or among those that do not apply, and in one of them only."""
    asked = {number for number, level in LEVELS.items() if level in "12"}

    assert len(ROW.findall(PAGE)) == len(ROWS)
    assert set() == ROWS.keys() & NOT_APPLYING.keys()
    assert asked == ROWS.keys() | NOT_APPLYING.keys()
    assert {} == {n: level for n, (level, _, _) in ROWS.items() if level != LEVELS[n]}
    assert all(len(why.split()) >= 2 for why in NOT_APPLYING.values())


@pytest.mark.parametrize("number", ROWS)
def test_what_is_said_can_be_looked_up(number: str) -> None:
    """Each answer is a test that is there, a place in the documentation, or a reason in words."""
    _, what, shown = ROWS[number]
    named = TEST.findall(shown)

    assert shown.count("::") == len(named)
    assert [] == [f"{file}::{name}" for file, name in named if name not in functions_of(file)]
    reason = next((each for each in REASONS if shown.startswith(each)), "")
    is_reason = reason and len(shown) - len(reason) > 20
    is_written = shown.startswith(WORDS) and ("](" in shown or named)
    assert named or is_reason or is_written, what


@pytest.mark.parametrize("place", re.findall(r"\(#([a-z-]+)\)", PAGE))
def test_places_on_the_page_are_there(place: str) -> None:
    """Whoever follows a link within the page finds what is meant."""
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)

    assert place in {re.sub(r"[^a-z0-9 -]", "", t.lower()).replace(" ", "-") for t in titles}


def test_the_doctor_speaks_of_items_of_the_standard() -> None:
    """Each number that `fieldpost doctor` tells is one of the standard, and in the table."""
    source = ROOT / "server" / "fieldpost_server" / "operations" / "deployment.py"
    told = set(re.findall(r'"(\d+\.\d+\.\d+)"', source.read_text("utf-8")))

    assert len(told) > 5
    assert told <= ROWS.keys()


def test_a_lost_test_is_found() -> None:
    """These tests can fail."""
    assert "test_that_is_nowhere" not in functions_of("tests/test_asvs.py")
    assert [("tests/a.py", "test_b")] == TEST.findall("`tests/a.py::test_b`, no more")
    assert ROW.match("| 1.2.3 | 1 | x | `y` |")
    assert not ROW.match("| 1.2.3 | 1 | x | |")
