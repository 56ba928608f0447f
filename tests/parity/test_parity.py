"""The device's Python and the server's give the same answers (R10, R16)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parity import packages

ROOT = Path(__file__).parent.parent.parent


def collected() -> set[str]:
    """Return the tests of the shared suite as CPython finds them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not postgresql"]
    found = subprocess.run(
        [*command, "tests/shared"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {line for line in found.stdout.splitlines() if "::" in line}


@pytest.mark.parity
def test_the_shared_suite_passes_inside_pyodide(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every test of the shared suite that CPython knows passes on the device's Python too."""
    packages.lay_out(packages.device_assets(), tmp_path / "device")
    packages.lay_out_tools(tmp_path / "tools")
    results = tmp_path / "results.json"

    with capfd.disabled():
        print("\nThe shared suite inside Pyodide:")
        run = subprocess.run(
            ["node", "tests/parity/run.mjs", tmp_path, results, "-q"],
            cwd=ROOT,
            check=False,
        )

    assert 0 == run.returncode
    outcomes = json.loads(results.read_text())["outcomes"]
    assert collected() == {test for test, outcome in outcomes.items() if outcome == "passed"}
