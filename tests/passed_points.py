"""Notes which fault points a process comes by: the line after each is really reached."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType
from typing import Any

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

    That is the first line after the comment; at the end of a function the last one before it.
    """
    lines = sorted({line for _, _, line in code.co_lines() if line})
    found: dict[int, list[str]] = {}
    for point in _by_file().get(code.co_filename, ()):
        if not lines or not lines[0] <= point.line <= lines[-1] + _words_of(point):
            continue
        after = next((line for line in lines if line > point.line), lines[-1])
        found.setdefault(after, []).append(point.name)
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
