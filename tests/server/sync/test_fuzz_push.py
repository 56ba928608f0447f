"""Whatever is pushed: every line is answered, nothing breaks, only sound envelopes count (R66)."""

import gzip
import itertools
import json
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import garbage
from apps import clinic
from apps.fakes import ADA, envelope
from fieldpost.wire.envelope import Operation
from fieldpost_server.storage import tables

pytestmark = pytest.mark.long

APPLIED = {"accepted", "merged"}
WAITING = tables.envelope.delete().where(tables.envelope.c.outcome == "waiting")
OFTEN, SELDOM = 150, 25
"""How many bodies are sent, on SQLite and on PostgreSQL."""


def fuzzed(count: int) -> settings:
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def dump(office: Any) -> dict[str, list[Any]]:
    """Return every row of the app's tables."""
    found = {}
    for table in clinic.Base.metadata.sorted_tables:
        rows = office.rows(sa.select(table).order_by(*table.primary_key.columns))
        found[table.name] = rows
    return found


@pytest.fixture
def examples(office: Any) -> settings:
    is_sqlite = office.database.engine.dialect.name == "sqlite"
    return fuzzed(OFTEN if is_sqlite else SELDOM)


DEVICE = f"d-{uuid.UUID(int=1)}"
ID = str(uuid.UUID(int=1 << 100))
SOUND = envelope(
    Operation("insert", "visit", (-1,), {"patient_id": str(ADA), "visited_on": "2026-11-23"}),
    Operation("insert", "order", (-2,), {"visit_id": -1, "group": "x"}, at="orders[0]"),
    Operation("update", "visit", (1,), {"score": 5}, {"score": 50, "weight": "70.50"}),
    id=ID,
    device=DEVICE,
    number=1_000,
    previous="sha256:" + "0" * 64,
).to_text()
"""An envelope far above the device's sequence: nothing else has its number."""


def answers(device: Any, body: bytes, **more: str) -> list[dict[str, Any]]:
    answer = device.client.post("/sync/push", content=body, headers={**device.headers, **more})
    assert 200 == answer.status_code, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_line_is_answered_and_only_sound_ones_count(
    office: Any, visit: Any, examples: settings
) -> None:
    """Garbage gets a receipt and leaves no row; what is sound among it is applied (R27, R66)."""
    device = office.device("anna", download=False)
    device.id = device.chain.device = DEVICE
    device.register()
    turns = itertools.count(1)

    @examples
    @given(st.lists(garbage.spoiled(SOUND) | garbage.lines, max_size=4), st.integers(0, 4))
    def send(spoiled: list[garbage.Spoiled | bytes], place: int) -> None:
        turn = next(turns)
        lines = [
            line
            for index, each in enumerate(spoiled)
            if not takes_a_low_number(line := line_of(each, turn * 10 + index))
        ]
        good = device.envelope(visit(-3 * turn))
        sent = [*lines[:place], good.to_text().encode(), *lines[place:]]
        office.run(WAITING)
        before = dump(office)

        receipts = answers(device, b"\n".join(sent))

        check(sent, receipts, good.id)
        if APPLIED.isdisjoint(r["outcome"] for r in receipts if r["envelope"] != good.id):
            (own,) = [r for r in receipts if r["envelope"] == good.id]
            after = dump(office)
            after["visit"] = [row for row in after["visit"] if row[0] != own["record"][0]]
            assert before == after

    send()
    assert next(turns) > 10


def line_of(each: garbage.Spoiled | bytes, number: int) -> bytes:
    if isinstance(each, bytes):
        return each
    return each.line(id=(ID, str(uuid.UUID(int=1 << 100 | number))), number=(1_000, 1_000 + number))


def takes_a_low_number(line: bytes) -> bool:
    """Say whether a line could take the number of a sound envelope of the sequence."""
    try:
        number = json.loads(line)["number"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return isinstance(number, int) and 0 < number < 1_000


def check(sent: list[bytes], receipts: list[dict[str, Any]], good: str) -> None:
    filled = [number for number, line in enumerate(sent, 1) if line.strip()]
    assert len(receipts) >= len(filled)
    for number, receipt in zip(filled, receipts, strict=False):
        assert receipt["outcome"] != "retry", (sent[number - 1][:3000], receipt)
        if receipt["envelope"] is None:
            assert ("invalid", number) == (receipt["outcome"], receipt["line"])
        else:
            assert receipt["envelope"] == json.loads(sent[number - 1])["id"]
        assert bool(receipt["problems"]) is (receipt["outcome"] not in {*APPLIED, "duplicate"})
    assert ["accepted"] == [r["outcome"] for r in receipts if r["envelope"] == good]


def test_no_damaged_packing_is_half_applied(office: Any, visit: Any, examples: settings) -> None:
    """A body that is not the whole of a gzip file is refused, and nothing of it counts (R66)."""
    device = office.device("anna", download=False)
    body = b"\n".join(device.envelope(visit(-n)).to_text().encode() for n in range(1, 4))
    before = dump(office)

    @examples
    @given(garbage.packed(body).filter(lambda packed: not is_whole(packed)))
    def send(packed: bytes) -> None:
        headers = {**device.headers, "Content-Encoding": "gzip"}
        answer = device.client.post("/sync/push", content=packed, headers=headers)
        assert (400, "malformed") == (answer.status_code, answer.json()["error"]["code"])

    send()
    assert before == dump(office)
    assert [] == office.rows(sa.select(tables.envelope.c.id))
    receipts = answers(device, gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert ["accepted"] * 3 == [r["outcome"] for r in receipts]


def is_whole(packed: bytes) -> bool:
    try:
        gzip.decompress(packed)
    except (OSError, EOFError, ValueError):
        return False
    except Exception:  # noqa: BLE001 - zlib's own error class
        return False
    return bool(packed)


def test_a_body_packed_in_several_pieces_is_read_whole(office: Any, visit: Any) -> None:
    """A gzip file may have several members, and each of their lines is answered (R66)."""
    device = office.device("anna", download=False)
    parts = [device.envelope(visit(-n)).to_text().encode() + b"\n" for n in range(1, 4)]
    body = b"".join(gzip.compress(part) for part in parts)

    receipts = answers(device, body, **{"Content-Encoding": "gzip"})

    assert ["accepted"] * 3 == [r["outcome"] for r in receipts]


def test_a_push_of_too_many_lines_is_refused(office: Any) -> None:
    """A small body cannot ask for millions of answers (R66)."""
    device = office.device("anna", download=False)
    for body in (b"1\n" * 20_000, b"\n" * 20_000):
        answer = device.client.post("/sync/push", content=body, headers=device.headers)
        assert (413, "too_big") == (answer.status_code, answer.json()["error"]["code"])


def test_an_envelope_of_many_faults_gets_a_short_receipt(office: Any) -> None:
    """What is wrong is told up to a bound: no answer is many times as large as the question."""
    device = office.device("anna", download=False)
    line = json.dumps({f"part {number}": 1 for number in range(100_000)}).encode()
    (receipt,) = answers(device, line)

    assert "invalid" == receipt["outcome"]
    assert len(json.dumps(receipt)) < 10_000
