"""Runs commands that die at a fault point: each in a process of its own, which is really gone.

A line on standard input is ``{"point": name, "hit": number, "words": [...]}``; the answer is a line
``{"status": …, "passed": [names]}``. Without a point the command runs to its end.
"""

import json
import os
import sys
from types import FrameType
from typing import Any

from fieldpost_server.cli.main import main
from passed_points import _by_file, _lines_of, passed_points

DEAD = 99


def _dying(point: str, hit: int) -> Any:
    hits = 0

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal hits
        if event == "line" and point in _lines_of(frame.f_code).get(frame.f_lineno, ()):
            hits += 1
            if hits == hit:
                os._exit(DEAD)
        return on_line

    def on_call(frame: FrameType, _event: str, _: Any) -> Any:
        code = frame.f_code
        return on_line if code.co_filename in _by_file() and _lines_of(code) else None

    return on_call


def _run(words: list[str], point: str, hit: int, answer: int) -> None:
    """Run a command in a process that was forked for it."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if point:
        sys.settrace(_dying(point, hit))
        os._exit(main(words))
    with passed_points() as passed:
        status = main(words)
    os.write(answer, json.dumps(sorted(passed)).encode())
    os._exit(status)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            _run(asked["words"], asked.get("point", ""), asked.get("hit", 1), write)
        finally:
            os._exit(70)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        passed = told.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "passed": json.loads(passed or b"[]")}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)
