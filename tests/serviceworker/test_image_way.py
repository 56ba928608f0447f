"""A first start takes the memory image or the packages, whichever is quicker (R9)."""

import json
import subprocess
from typing import Any

import pytest

MODULE = "./pwa/shell/image/way.js"
MB = 1_000_000
DESK = {"image": 12 * MB, "packages": 2 * MB, "rate": 100 * MB / 8, "speed": 1, "savesData": False}
PHONE = DESK | {"rate": 9 * MB / 8, "speed": 1 / 6}
CASES = {
    "a desk on a quick line": (DESK, True),
    "a phone on a usual line": (PHONE, True),
    "a phone on a line that nobody knows": (PHONE | {"rate": None}, True),
    "a desk on a slow line": (DESK | {"rate": 1 * MB / 8}, False),
    "a phone on a very slow line": (PHONE | {"rate": 64_000 / 8}, False),
    "a person who saves data": (PHONE | {"savesData": True}, False),
    "to save data is to take what is smaller": (DESK | {"savesData": True, "image": 0}, True),
}


@pytest.mark.parametrize("name", CASES)
def test_the_quicker_way_is_taken(name: str) -> None:
    """Bytes against the work of a processor: each device decides by what it has seen (R9)."""
    seen, expected = CASES[name]

    assert expected == asked(f"isImageQuicker({json.dumps(seen)})")


def test_a_moment_says_how_quick_a_processor_is() -> None:
    """It is measured in a few milliseconds, and is a number that can be worked with."""
    assert 0.01 < asked("processorSpeed()") < 100
    assert 500 > asked(
        "(() => { const t = performance.now(); processorSpeed(); return performance.now() - t })()"
    )


def asked(words: str) -> Any:
    """Return what a call of the module gives."""
    script = (
        f"import {{ isImageQuicker, processorSpeed }} from '{MODULE}';"
        f"console.log(JSON.stringify({words}));"
    )
    command = ["node", "--input-type=module", "-e", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)
