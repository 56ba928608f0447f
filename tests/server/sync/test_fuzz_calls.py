"""Whatever fits the description of the calls, or just does not, is answered as described (R66)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps import clinic
from described import DESCRIPTION
from fieldpost.text.canonical import digest
from fieldpost_server.storage import tables
from fieldpost_server.sync.openapi import LINES

pytestmark = pytest.mark.long

OFTEN, SELDOM = 25, 5
"""How many calls of each kind are made, on SQLite and on PostgreSQL."""
APPLIED = {"accepted", "merged", "duplicate"}
PLAIN_NAMES = {"content-type", "content-encoding"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer(LINES)
def written_lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    entries = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


@schemathesis.deserializer(LINES)
def read_lines(_: schemathesis.DeserializationContext, response: Any) -> Any:
    return receipts(response)


def receipts(answer: Any) -> list[Any]:
    return [json.loads(line) for line in answer.content.splitlines()]


SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)


def calls() -> Iterator[Any]:
    """Yield each described call, as it should be and as it should not."""
    for found in SCHEMA.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            yield pytest.param(operation, mode, id=f"{operation.label} {mode.value}")


def dump(office: Any) -> list[list[Any]]:
    """Return every row of the app, and what an envelope writes beside the inbox."""
    every = [*clinic.Base.metadata.sorted_tables, tables.key, tables.settlement, tables.change]
    return [office.rows(sa.select(table).order_by(*table.primary_key)) for table in every]


def sealed(line: dict[str, Any], device: Any) -> None:
    """Make a sound line an envelope of this device, with what only the words ask of it."""
    own = {"device": device.id, "user": "anna", "app": "clinic", "page": "visit"}
    line |= {**own, "saved_at": "2026-11-23T08:15Z"}
    if line.get("after"):
        line["after"] = sorted(n for n in line["after"] if n < line["number"])
    for operation in line["operations"]:
        operation["model"] = "visit"
        if operation["do"] == "update" and operation["set"]:
            operation["was"] = {**operation["set"], **operation.get("was", {})}
    line["digest"] = digest({k: v for k, v in line.items() if k != "digest"})


def send(client: Any, case: Any, headers: dict[str, str]) -> Any:
    """Send a call that was made up; cookies are the client's."""
    how = case.as_transport_kwargs(base_url="http://office")
    kept = {n: v for n, v in how["headers"].items() if n.lower() in PLAIN_NAMES}
    own = {n: v for n, v in (case.headers or {}).items() if n.lower() not in PLAIN_NAMES}
    every = {**own, **kept, **headers}
    latin = [
        (n.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for n, v in every.items()
    ]
    body = {"json": how["json"]} if "json" in how else {"content": how.get("data") or b""}
    return client.request(
        how["method"], how["url"], params=how.get("params"), headers=latin, **body
    )


@pytest.mark.parametrize(("operation", "mode"), list(calls()))
def test_every_call_is_answered_as_described(
    office: Any, operation: Any, mode: GenerationMode
) -> None:
    """No call ends in an error of the server or in half an effect, and all answers fit."""
    device, stranger = office.device("anna", download=False), office.client()
    is_sqlite = office.database.engine.dialect.name == "sqlite"

    @settings(
        max_examples=OFTEN if is_sqlite else SELDOM,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.integers(0, 9))
    def call(case: Any, how: int) -> None:
        before = dump(office)
        known = {"fieldpost-device": device.id, "fieldpost-protocol": "2"} if how != 8 else {}
        if case.path == "/sync/push" and mode is GenerationMode.POSITIVE:
            for line in case.body:
                sealed(line, device)
        answer = send(stranger if how == 9 else device.client, case, known)
        case.validate_response(answer, checks=CHECKS)

        assert how != 9 or answer.status_code in (401, 404)
        is_applied = case.path == "/sync/push" and answer.status_code == 200
        if not (is_applied and any(r["outcome"] in APPLIED for r in receipts(answer))):
            assert before == dump(office)

    call()
