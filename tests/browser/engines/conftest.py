"""Fixtures of the tests in other engines: each test runs in each of them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from browser.engines.engine import Engine
from browser.engines.firefox import Firefox
from browser.engines.person import Person
from browser.engines.webkit import WebKit
from browser.proxy import FaultProxy
from evidence import Evidence

ENGINES: dict[str, type[Engine]] = {each.name: each for each in (Firefox, WebKit)}


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """Run a screen that nobody sees, and return its name: WebKitGTK needs one."""
    ours, its = os.pipe()
    command = ["Xvfb", "-displayfd", str(its), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=[its], stdout=nowhere, stderr=nowhere) as process:
        os.close(its)
        with os.fdopen(ours) as said:
            number = said.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
        process.terminate()


@pytest.fixture(params=sorted(ENGINES))
def engine_of(
    request: pytest.FixtureRequest, find_part: Callable[[str], Path]
) -> Callable[..., Engine]:
    """Return what makes browsers of one engine, on profiles of their own."""
    name: str = request.param
    program = find_part(name)
    screen = request.getfixturevalue("screen") if name == WebKit.name else ""

    def make(profile: Path, *, is_private: bool = False) -> Engine:
        return ENGINES[name](program, profile, is_private=is_private, screen=screen)

    return make


@pytest.fixture
def new_person(
    engine_of: Callable[..., Engine], proxy: FaultProxy, tmp_path: Path, evidence: Evidence
) -> Iterator[Callable[..., Person]]:
    """Return what seats somebody at a new browser; afterwards none of its pages may have faults."""
    made: list[Engine] = []

    def begin(*, is_private: bool = False) -> Person:
        engine = engine_of(tmp_path / f"profile{len(made)}", is_private=is_private)
        made.append(engine)
        evidence.add(engine.keep)
        engine.open()
        return Person(engine, proxy.origin)

    yield begin
    faults = [fault for engine in made for fault in engine.faults()]
    if faults:
        evidence.write()  # the last moment to see them
    for engine in made:
        engine.kill()
    assert not faults
