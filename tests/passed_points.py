"""Notes which fault points a process comes by: the line after each is really reached."""

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from fault_points import ROOT, FaultPoint, fault_points

Trace = Any
"""What Python calls for each line; its type is recursive."""


@cache
def _by_file() -> dict[str, list[FaultPoint]]:
    found: dict[str, list[FaultPoint]] = {}
    for point in fault_points():
        if point.path.endswith(".py"):
            found.setdefault(str(ROOT / point.path), []).append(point)
    return found


@cache
def _lines_of(code: CodeType) -> dict[int, list[str]]:
    """Return by line the fault points that are passed when a function reaches it.

    That is the first line after the comment; at the end of a function the last one before it. Of a
    statement that is made once, for all, it is where a function uses it.
    """
    if code.co_name == "<module>":
        return {}
    lines = sorted({line for _, _, line in code.co_lines() if line})
    found: dict[int, list[str]] = {}
    for line in lines:
        if names := _used_at(code.co_filename).get(line):
            found[line] = list(names)
    for point in _by_file().get(code.co_filename, ()):
        if not lines or not lines[0] <= point.line <= lines[-1] + _words_of(point):
            continue
        after = next((line for line in lines if line > point.line), lines[-1])
        found.setdefault(after, []).append(point.name)
    return found


@cache
def _used_at(path: str) -> dict[int, list[str]]:
    """Return by line the fault points of a module's own statements that functions use there."""
    source = Path(path).read_text("utf-8")
    tree, lines = ast.parse(source), source.splitlines()
    found: dict[int, list[str]] = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            continue
        names = {each.id for each in statement.targets if isinstance(each, ast.Name)}
        for point in _by_file().get(path, ()):
            last = statement.end_lineno or statement.lineno
            above = lines[point.line - 1 : statement.lineno - 1]
            if point.line > last or not all(each.startswith("#") for each in above):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and node.id in names and node.lineno > last:
                    found.setdefault(node.lineno, []).append(point.name)
    return found


def _words_of(point: FaultPoint) -> int:
    """Return how many lines the comment may have."""
    return len(point.words) // 60 + 1


@contextmanager
def passed_points() -> Iterator[set[str]]:
    """Note the names of the fault points that are passed, in new threads as well."""
    passed = set[str]()

    def on_line(frame: FrameType, event: str, _: Any) -> Trace:
        if event == "line":
            passed.update(_lines_of(frame.f_code).get(frame.f_lineno, ()))
        return on_line

    def on_call(frame: FrameType, _event: str, _: Any) -> Trace:
        code = frame.f_code
        if code.co_filename not in _by_file() or not _lines_of(code):
            return None
        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    threading.settrace(on_call)
    try:
        yield passed
    finally:
        sys.settrace(before)
        threading.settrace(None)


def points_named_by(item: pytest.Item) -> set[str]:
    """Return the fault points that a test says it comes by."""
    marks = list(item.iter_markers("passes"))
    # what one database needs, the other may do in another way
    other = "sqlite" if item.get_closest_marker("postgresql") else "postgresql"
    marks = [mark for mark in marks if mark.kwargs.get("on") != other]
    return {str(name) for mark in marks for name in mark.args}


def points_named_in(source: str) -> set[str]:
    """Return the fault points that tests of one file say they come by."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.passes":
            found |= {str(ast.literal_eval(each)) for each in node.args}
    return found
