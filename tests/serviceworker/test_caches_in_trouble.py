"""The service worker while the browser's caches are in trouble: the network is there (R22)."""

import subprocess

import pytest

SCRIPT, PAGE = ("/assets/1/shell/shell.js", "cors"), ("/sync", "navigate")
KEEPS_NOTHING = ("match fails", "match never answers", "match throws")
DAMAGED = ("the bytes are gone", "the bytes never come")
UNTOLD = ("keys fail", "keys never come", "opening fails")
CASES = [
    *(("none", asked, "kept") for asked in (SCRIPT, PAGE)),
    *((trouble, asked, "network") for trouble in KEEPS_NOTHING for asked in (SCRIPT, PAGE)),
    *((trouble, SCRIPT, "network") for trouble in DAMAGED),
    # without the manifest nobody can say that what is kept is damaged
    *((trouble, SCRIPT, "kept") for trouble in UNTOLD),
]


@pytest.mark.long
@pytest.mark.parametrize(("trouble", "asked", "expected"), CASES)
def test_caches_in_trouble_hold_up_no_file_and_no_page(
    trouble: str, asked: tuple[str, str], expected: str
) -> None:
    """What the caches do not give comes from the network, within seconds (R22)."""
    command = ["node", "tests/serviceworker/run.mjs", trouble, *asked]
    answered = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

    assert expected == answered.stdout.strip(), answered.stderr
