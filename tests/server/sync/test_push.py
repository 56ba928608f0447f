"""What a push may hold: refusals, bad input, trouble of the server (R27, R31, R34, R37, R66)."""

import json
import threading
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Patient, Visit
from apps.fakes import ADA, ANNA, BERTS
from fieldpost.home import Submission
from fieldpost.wire.envelope import Operation
from fieldpost_server.storage import tables

VISITS = sa.select(Visit.id, Visit.score).where(Visit.nurse == "anna").order_by(Visit.id)


def outcomes(receipts: list[dict[str, Any]]) -> list[str]:
    return [receipt["outcome"] for receipt in receipts]


def codes(receipt: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in receipt["problems"]]


def score(value: Any, was: Any = 50) -> Operation:
    return Operation("update", "visit", (1,), {"score": value}, {"score": was})


def test_a_later_envelope_finds_keys_of_an_earlier_one(office: Any, visit: Any) -> None:
    """Temporary keys resolve across envelopes and syncs (R31)."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit(-1)))
    later = Operation("insert", "order", (-2,), {"visit_id": -1, "group": "late"})

    (receipt,) = device.push(device.envelope(later))

    assert receipt["outcome"] == "accepted"


def test_a_conflict_is_kept_and_overwrites_nothing(office: Any) -> None:
    """A field that both sides changed stays as it is, and the envelope is kept (R37)."""
    device = office.device("anna", download=False)
    office.run(sa.update(Visit).where(Visit.id == 1).values(score=90))
    sent = device.envelope(score(75))

    (receipt,) = device.push(sent)

    assert (receipt["outcome"], codes(receipt)) == ("conflict", ["changed_by_others"])
    assert receipt["problems"][0]["path"] == "score"
    assert office.rows(VISITS) == [(1, 90)]
    kept = office.rows(sa.select(tables.envelope.c.outcome, tables.envelope.c.content))
    assert kept == [("conflict", sent.to_text())]
    assert device.push(sent) == [receipt]


def test_rules_stop_an_envelope_with_all_their_words(office: Any, visit: Any) -> None:
    """Everything that is wrong comes at once, each at its place; nothing is applied (R16)."""
    device = office.device("anna", download=False)
    order = Operation(
        "insert", "order", (-2,), {"visit_id": -1, "group": "x", "share": 200}, at="orders[0]"
    )

    (receipt,) = device.push(device.envelope(visit(urgent=True, summary=None), order))

    assert receipt["outcome"] == "invalid"
    assert [p["path"] for p in receipt["problems"]] == ["summary", "orders[0].share"]
    assert len(office.rows(VISITS)) == 1


@pytest.mark.parametrize(
    ("operation", "page", "code"),
    [
        (
            Operation("update", "visit", (2,), {"score": 5}, {"score": None}),
            "visit",
            "row_forbidden",
        ),
        (Operation("delete", "visit", (2,)), "visit", "row_forbidden"),
        (
            Operation("update", "patient", (str(BERTS),), {"name": "Mine"}, {"name": "Berts Own"}),
            "patient",
            "row_forbidden",
        ),
        (
            Operation("update", "patient", (str(ADA),), {"secret": "x"}, {"secret": "?"}),
            "patient",
            "field_forbidden",
        ),
        (
            Operation("update", "patient", (str(ADA),), {"nonsense": 1}, {"nonsense": 2}),
            "patient",
            "unknown_field",
        ),
        (Operation("delete", "ward", ("B",)), "ward", "operation_forbidden"),
        (
            Operation("insert", "ward", ("C",), {"code": "C", "name": "New"}),
            "visit",
            "unknown_model",
        ),
        (
            Operation("insert", "Drug %s list", (-1,), {"name": "Aspirin"}),
            "drugs",
            "page_forbidden",
        ),
        (
            Operation(
                "insert",
                "visit",
                (-1,),
                {
                    "patient_id": str(ADA),
                    "visited_on": "2026-11-23",
                    "kind": "first",
                    "nurse": "bert",
                },
            ),
            "visit",
            "row_forbidden",
        ),
    ],
)
def test_what_a_user_may_not_write_is_refused_whole(
    office: Any, operation: Operation, page: str, code: str
) -> None:
    """Writes outside of fields, roles or scope are refused, named and kept (R34)."""
    device = office.device("anna", download=False)

    (receipt,) = device.push(
        device.envelope(score(75), operation, page=page)
        if page == "visit"
        else device.envelope(operation, page=page)
    )

    assert receipt["outcome"] == "forbidden"
    assert code in codes(receipt)
    assert office.rows(VISITS) == [(1, 50)]
    assert office.rows(sa.select(Patient.secret).where(Patient.id == ADA)) == [("never tell",)]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"device": f"d-{uuid.UUID(int=9)}"}, "wrong_device"),
        ({"user": "bert"}, "wrong_user"),
        ({"app": "other"}, "wrong_app"),
        ({"page": "nowhere"}, "unknown_page"),
    ],
)
def test_envelopes_of_others_are_refused(
    office: Any, visit: Any, parts: dict[str, str], code: str
) -> None:
    """Device, user, app and page must be the sender's."""
    device = office.device("anna", download=False)

    (receipt,) = device.push(device.envelope(visit(), **parts))

    assert (receipt["outcome"], codes(receipt)) == ("forbidden", [code])


def test_one_bad_line_stops_no_other(office: Any, visit: Any) -> None:
    """Unreadable lines get a receipt with their line number; the rest goes on (R27, R66)."""
    device = office.device("anna", download=False)
    good = device.envelope(visit(-1))
    broken = good.to_text().replace('"anna"', '"berta"', 1)
    deep = '{"a":' * 10_000 + "1" + "}" * 10_000
    large = json.dumps({"format": 1, "x": "y" * (10 << 20)})
    bad: list[str | bytes] = [
        "{",
        "[]",
        "null",
        b"\xff\xfe",
        broken,
        deep,
        large,
        "\x00",
        '{"format": 99}',
    ]

    receipts = device.push(*bad, good)

    assert outcomes(receipts) == ["invalid"] * len(bad) + ["accepted"]
    assert [r.get("line") for r in receipts] == [*range(1, len(bad) + 1), None]
    assert codes(receipts[4]) == ["wrong_digest"]
    assert codes(receipts[5]) == ["too_deep"]
    assert codes(receipts[6]) == ["too_big"]
    assert codes(receipts[8]) == ["unknown_format"]
    assert len(office.rows(VISITS)) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"score": 10**30},
        {"visited_on": "2026-02-30"},
        {"patient_id": "no id"},
        {"summary": "\0"},
        {"kind": "third"},
        {"weight": "1e500"},
        {"temperature": "hot"},
    ],
)
def test_values_that_no_column_takes_are_invalid(
    office: Any, visit: Any, values: dict[str, Any]
) -> None:
    """Broken types and limits are the envelope's fault, said at the field, for good (R66)."""
    device = office.device("anna", download=False)

    (receipt,) = device.push(device.envelope(visit(**values)))

    assert receipt["outcome"] == "invalid"
    assert {p["path"] for p in receipt["problems"]} == {
        "patient" if name == "patient_id" else name for name in values
    }


def test_keys_beyond_the_database_are_invalid(office: Any) -> None:
    """A key that no database can hold finds nothing, and stops nothing."""
    device = office.device("anna", download=False)
    update = Operation("update", "visit", (2**62,), {"score": 5}, {"score": 0})

    (receipt,) = device.push(device.envelope(update))

    assert receipt["outcome"] in ("conflict", "invalid")


def test_trouble_of_the_server_is_said_as_such(
    office: Any, visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An author's error keeps nothing and loses nothing: the device tries again."""
    device = office.device("anna", download=False)
    page = office.home.app.page("visit")
    first, second = device.envelope(visit(-1)), device.envelope(visit(-2))

    def broken(_: object) -> Any:
        raise RuntimeError("the author's mistake")

    with monkeypatch.context() as patch:
        patch.setattr(page, "scope", broken)
        receipts = device.push(first, second)

    assert outcomes(receipts) == ["retry", "retry"]
    assert office.rows(sa.select(tables.envelope.c.id)) == []
    assert outcomes(device.push(first, second)) == ["accepted", "accepted"]


def test_people_who_save_at_the_same_time_overwrite_nothing(office: Any) -> None:
    """Two who change one field: one is saved, the others are told; no change is lost (R37)."""
    found: list[str] = []

    def save(value: int) -> None:
        receipt = office.home.commit(ANNA, Submission("visit", (score(value),)))
        found.append(str(receipt.outcome))

    threads = [threading.Thread(target=save, args=(n * 5,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == ["accepted", "conflict", "conflict", "conflict"]


def test_an_unknown_protocol_is_named(office: Any) -> None:
    """A device of another edition is told to update."""
    device = office.device("anna", download=False)
    headers = {**device.headers, "Fieldpost-Protocol": "99"}

    answer = device.client.post("/sync/push", content="", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_protocol")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"device": 3}',
        b'{"device": "x"}',
        b'{"device": "d-\\u0000"}',
        b"\xff",
        b"{" * 9999,
    ],
)
def test_registering_wants_a_device_id(office: Any, body: bytes) -> None:
    """Whatever comes instead is refused in the one shape (R66)."""
    answer = office.client("anna").post("/sync/device", content=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


def test_an_id_is_no_path(office: Any, visit: Any) -> None:
    """An id is a UUID, and nothing else that is short."""
    device = office.device("anna", download=False)

    (receipt,) = device.push(device.envelope(visit(), id=f"../{uuid.uuid4()}'\"; DROP"))

    assert ("invalid", "malformed") == (receipt["outcome"], receipt["problems"][0]["code"])
