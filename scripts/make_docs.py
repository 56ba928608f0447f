"""Write what the documentation takes from the code: ``python scripts/make_docs.py``.

docs/errors.md is the catalogue of errors, docs/api.md what authors import, and docs/fault-points.md
what is true wherever a process may die. In docs/requirements.md the line below each promise names
the tests whose docstrings cite its number; docs/architecture.md shows the floors of
`tests/test_imports.py`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from api_page import api_page
from fieldpost.errors import SPEAKERS
from floors import with_floors

ROOT = Path(__file__).parent.parent
API = ROOT / "docs" / "api.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ERRORS = ROOT / "docs" / "errors.md"
FAULT_POINTS = ROOT / "docs" / "fault-points.md"
REQUIREMENTS = ROOT / "docs" / "requirements.md"
MOST_NAMES = 3
"""Tests of one file that are named; the others are counted."""

INTRODUCTION = """# Errors

Every code of the catalogue (`fieldpost.errors`) with its words. A code stays what it is: clients
and logs may depend on it. The words in braces are filled in; the words themselves may change.

This page is written by `scripts/make_docs.py`.
"""

FAULTS = """# Fault points

A fault point is a place that orders durable writes, holds a lock or relies on isolation.
A comment in the code names it, and says what is true if the process dies right there.
The moment is after the statement above the comment and before the one below it.
Crash tests find the places by these names (`tests/fault_points.py`).
`tests/test_fault_points.py` finds durable writes without one.

This page is written by `scripts/make_docs.py`.
"""

Citations = dict[int, dict[str, list[str]]]
"""Requirement to file (from the root) to names of tests; no name means the whole file."""


def errors_page() -> str:
    """Return the text of docs/errors.md."""
    lines = [INTRODUCTION.rstrip()]
    for speaker, spoken in SPEAKERS.items():
        lines += ["", f"## {speaker}", "", "| code | words |", "|---|---|"]
        lines += [f"| `{code}` | {words} |" for code, words in spoken.items()]
    return "\n".join(lines) + "\n"


def fault_points_page() -> str:
    """Return the text of docs/fault-points.md."""
    # not at the top: a script finds the tests' modules only when it is told where they are
    sys.path.append(str(ROOT / "tests"))
    from fault_points import PACKAGES, fault_points

    lines, points = [FAULTS.rstrip()], fault_points()
    for package, title in PACKAGES.items():
        lines += [
            "",
            f"## {title} (`{package}`)",
            "",
            "| name | file | if the process dies there |",
        ]
        lines.append("|---|---|---|")
        for point in (p for p in points if p.package == package):
            place = point.path.removeprefix(f"{package}/")
            lines.append(f"| `{point.name}` | [{place}](../{point.path}) | {point.words} |")
    return "\n".join(lines) + "\n"


def requirements_page(text: str) -> str:
    """Return the text of docs/requirements.md with what shows each promise brought up to date."""
    cited = citations(ROOT / "tests")
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("   - Shown by: "):
            continue
        lines.append(line)
        if (found := re.match(r"(\d+)\. ", line)) is not None:
            lines.append(f"   - Shown by: {_shown_by(cited.get(int(found[1]), {}))}.")
    return "\n".join(lines) + "\n"


def citations(tests: Path) -> Citations:
    """Return which requirements the docstrings of all tests cite."""
    cited: Citations = {}
    for path in sorted(tests.rglob("test_*.py")):
        place = path.relative_to(tests.parent).as_posix()
        for name, number in _cited_in(path.read_text("utf-8")):
            names = cited.setdefault(number, {}).setdefault(place, [])
            if name:
                names.append(name)
    return cited


def _cited_in(source: str) -> Iterator[tuple[str, int]]:
    module = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tests = [n for n in ast.walk(module) if isinstance(n, functions) and n.name.startswith("test")]
    named = [("", ast.get_docstring(module)), *((t.name, ast.get_docstring(t)) for t in tests)]
    for name, words in named:
        for number in re.findall(r"\bR(\d{1,2})\b", words or ""):
            yield name, int(number)


def _shown_by(files: dict[str, list[str]]) -> str:
    return "; ".join(_link(place, names) for place, names in files.items()) or "not yet"


def _link(place: str, names: list[str]) -> str:
    link = f"[{place}](../{place})"
    if not names:
        return link
    some = ", ".join(f"`{name}`" for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{link}: {some}" + (f" and {more} more" if more > 0 else "")


def main() -> None:
    """Write all pages."""
    API.write_text(api_page(), "utf-8")
    ARCHITECTURE.write_text(with_floors(ARCHITECTURE.read_text("utf-8")), "utf-8")
    ERRORS.write_text(errors_page(), "utf-8")
    FAULT_POINTS.write_text(fault_points_page(), "utf-8")
    REQUIREMENTS.write_text(requirements_page(REQUIREMENTS.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
