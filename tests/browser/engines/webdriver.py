"""WebDriver, as far as the main job needs it: the same commands for every engine.

Selenium would need a driver for Firefox that Debian does not have; the wire to each engine is so
short that both are spoken here.
"""

import base64
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The name under which a reference to an element travels, in all drivers."""

PATIENCE_SECONDS = 60.0
SCRIPT_SECONDS = 60
# what a page does to somebody who is quicker than the page: she looks again
PASSING = {
    "stale element reference",
    "element click intercepted",
    "element not interactable",
    "no such element",
    "javascript error",
    "unknown error",
}

Element = dict[str, str]
T = TypeVar("T")


class WebDriverError(Exception):
    """A driver's refusal, by the code that the standard gives it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Wire(Protocol):
    """The way to one engine's driver."""

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command and return its value; raises WebDriverError and OSError."""

    def hang_up(self) -> None:
        """Let go of the driver, which may be dead."""


class Window:
    """A browser's window under a driver."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        timeouts = {"script": SCRIPT_SECONDS * 1000, "pageLoad": SCRIPT_SECONDS * 1000}
        wire.ask("set timeouts", timeouts)

    def navigate(self, url: str) -> None:
        """Open an address as in the address bar."""
        self.wire.ask("navigate", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what the body of an async function of JavaScript returns."""
        whole = f"""const done = arguments[arguments.length - 1];
          (async (...given) => {{ {script} }})(...[...arguments].slice(0, -1)).then(
            (value) => done({{ value: value ?? null }}),
            (error) => done({{ error: String(error) }}));"""
        found = self.wire.ask("run", {"script": whole, "args": list(arguments)})
        if "error" in found:
            raise WebDriverError("javascript error", found["error"])
        return found["value"]

    def click(self, element: Element) -> None:
        """Click in the middle of an element, where nothing may lie upon it."""
        self.run("given[0].scrollIntoView({ block: 'center' })", element)
        self.wire.ask("click", {"id": element[ELEMENT]})

    def type(self, element: Element, text: str) -> None:
        """Press keys in a field; a file is chosen by typing its path."""
        self.wire.ask("type", {"id": element[ELEMENT], "text": text})

    def clear(self, element: Element) -> None:
        """Empty a field."""
        self.wire.ask("clear", {"id": element[ELEMENT]})

    def drag(self, points: list[tuple[int, int]]) -> None:
        """Press the mouse's button at the first point, move along the others, let go."""
        (x, y), *others = points
        moves = [_move(x, y, 0), {"type": "pointerDown", "button": 0}]
        moves += [_move(right, down, 30) for right, down in others]
        moves.append({"type": "pointerUp", "button": 0})
        kind = {"pointerType": "mouse"}
        mouse = {"type": "pointer", "id": "mouse", "parameters": kind, "actions": moves}
        self.wire.ask("act", {"actions": [mouse]})

    def picture(self) -> bytes:
        """Return what the window shows as a PNG."""
        return base64.b64decode(self.wire.ask("picture", {"full": False}))


def _move(x: int, y: int, milliseconds: int) -> dict[str, Any]:
    where = {"x": x, "y": y, "origin": "viewport"}
    return {"type": "pointerMove", "duration": milliseconds, **where}


def until(work: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Do something until it gives what is true; a page that changes is looked at again."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            if found := work():
                return found
        except WebDriverError as error:
            if error.code not in PASSING:
                raise
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {what} ({last})")
        time.sleep(0.1)
