"""The rule against waits without an end finds them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENDLESS = (
    'export const a = await fetch("/x");',
    "export const b = await navigator.serviceWorker.ready;",
    "export const c = await caches.keys();",
    'await navigator.locks.request("a", () => {});',
    "export const d = await navigator.serviceWorker.getRegistrations();",
)
LIMITED = (
    'export const e = await fetch("/x", { signal: AbortSignal.timeout(1) });',
    'export const f = await within(1, navigator.serviceWorker.ready, "x");',
    'export const g = await within(1, caches.keys(), "x");',
)


def found(line: str) -> bool:
    """Say whether the linter calls a line an endless wait."""
    eslint = ROOT / "node_modules" / ".bin" / "eslint"
    command = [str(eslint), "--stdin", "--stdin-filename", "pwa/shell/page/made-up.js"]
    source = f'import {{ within }} from "../../limits.js";\n{line}\nvoid within;\n'
    done = subprocess.run(
        command, input=source, capture_output=True, text=True, cwd=ROOT, check=False
    )
    return "No wait without an end" in done.stdout


@pytest.mark.long
def test_a_wait_without_an_end_is_found_and_a_limited_one_is_not() -> None:
    """Whoever waits for the browser says for how long."""
    assert list(ENDLESS) == [line for line in (*ENDLESS, *LIMITED) if found(line)]
