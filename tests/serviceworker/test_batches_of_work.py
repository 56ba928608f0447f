"""A file of saved work of any size can be handed in (R49, R50)."""

import json
import subprocess

import pytest

from fieldpost.wire.protocol import MAX_ENVELOPE_BYTES, MAX_PUSH_LINES
from fieldpost_server.settings import Settings

MODULE = "./pwa/shell/work/batches.js"


@pytest.mark.parametrize(
    "sizes", [[], [1], [700] * 30_000, [MAX_ENVELOPE_BYTES] * 20, [1, MAX_ENVELOPE_BYTES, 1, 1]]
)
def test_no_request_is_larger_than_the_office_takes(sizes: list[int]) -> None:
    """All entries go, in their order, whatever the device had saved before it was emptied."""
    entries = [{"size": size, "at": at} for at, size in enumerate(sizes)]
    script = (
        f"import {{ batches }} from '{MODULE}'; import {{ readFileSync }} from 'node:fs';"
        "console.log(JSON.stringify(batches(JSON.parse(readFileSync(0, 'utf8')))));"
    )
    command = ["node", "--input-type=module", "-e", script]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, input=json.dumps(entries)
    )
    found = json.loads(done.stdout)

    assert entries == [entry for batch in found for entry in batch]
    assert all(0 < len(batch) < MAX_PUSH_LINES for batch in found)
    most = Settings().max_body_bytes
    assert all(sum(entry["size"] + 1 for entry in batch) <= most for batch in found)
