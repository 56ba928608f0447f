"""Ten thousand cases come to the same on the device's Python and on the server's (R10, R16)."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from parity import packages
from parity.cases import all_cases
from parity.outcomes import judge
from parity.test_parity import ROOT

SPREAD = {
    "accepted": 300,
    "merged": 30,
    "conflict": 100,
    "forbidden": 300,
    "invalid": 300,
    "waiting": 30,
    "problems": 500,
    "malformed": 500,
    "nothing": 50,
}
"""Of how many cases at least each thing must come: cases that all end alike would prove nothing."""


def kind_of(outcome: dict[str, object]) -> str:
    """Return in one word what a case came to."""
    match outcome:
        case {"raised": str()}:
            return "raised"
        case {"refused": [{"code": code}, *_]}:
            return str(code)
        case {"receipt": {"outcome": found}} | {"outcome": found}:
            return str(found)
        case {"receipt": None, "problems": []}:
            return "nothing"
        case {"receipt": None}:
            return "problems"
    return "value"


def difference(case: str, here: str, there: str) -> str:
    """Return a case and both outcomes, parts that are the same left out."""
    ours, theirs = json.loads(here), json.loads(there)
    parts = [p for p in {**ours, **theirs} if ours.get(p) != theirs.get(p)]
    lines = [f"case:    {case}"]
    for part in parts:
        lines.append(f"CPython: {part} = {json.dumps(ours.get(part))[:2000]}")
        lines.append(f"Pyodide: {part} = {json.dumps(theirs.get(part))[:2000]}")
    return "\n".join(lines)


@pytest.mark.parity
def test_both_pythons_judge_ten_thousand_cases_alike(tmp_path: Path) -> None:
    """Verdicts, words, envelopes byte for byte, and rows after replay are the same (R16, R36)."""
    packages.lay_out(packages.device_assets(), tmp_path / "device")
    packages.lay_out_tools(tmp_path / "tools")
    cases = list(all_cases())
    (tmp_path / "cases.ndjson").write_text("\n".join(cases) + "\n", "ascii")

    command: list[str | Path] = ["node", "tests/parity/judge.mjs", tmp_path, tmp_path]
    with subprocess.Popen(command, cwd=ROOT) as pyodide:
        judge(tmp_path / "cases.ndjson", tmp_path / "here.ndjson")
        assert 0 == pyodide.wait(timeout=280)

    here = (tmp_path / "here.ndjson").read_text("ascii").splitlines()
    there = (tmp_path / "outcomes.ndjson").read_text("ascii").splitlines()
    assert 10_000 == len(set(cases)) == len(here) == len(there)
    found = [entry for entry in zip(cases, here, there, strict=True) if entry[1] != entry[2]]
    assert not found, f"{len(found)} cases differ\n" + "\n\n".join(
        difference(*entry) for entry in found[:5]
    )
    counted = Counter(kind_of(json.loads(outcome)) for outcome in here)
    # text that has no bytes has no digest; nothing else is an exception
    raised = {case for case, outcome, _ in zip(cases, here, there, strict=True)
              if '"raised"' in outcome and '"canonical"' not in case}  # fmt: skip
    assert set() == raised
    assert {} == {kind: counted[kind] for kind, least in SPREAD.items() if counted[kind] < least}
