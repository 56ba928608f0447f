"""Every envelope is applied exactly once, or kept with what is wrong (R26, R27, R30-R34, R37)."""

import gzip
import json
import threading
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Patient, Visit
from apps.fakes import ADA, ANNA, BERTS
from fieldpost.envelope import Operation
from fieldpost.home import Submission
from fieldpost_server import tables

VISITS = sa.select(Visit.id, Visit.score).where(Visit.nurse == "anna").order_by(Visit.id)


def outcomes(receipts: list[dict[str, Any]]) -> list[str]:
    return [receipt["outcome"] for receipt in receipts]


def codes(receipt: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in receipt["problems"]]


def score(value: Any, was: Any = 50) -> Operation:
    return Operation("update", "visit", (1,), {"score": value}, {"score": was})


def test_a_record_with_children_is_applied_whole(office: Any, visit: Any) -> None:
    """Temporary keys become real ones, in foreign keys too, and the receipt says which (R31)."""
    device = office.device("anna", download=False)
    orders = [
        Operation("insert", "order", (-n,), {"visit_id": -1, "group": "x"}, at=f"orders[{n - 2}]")
        for n in (2, 3)
    ]

    (receipt,) = device.push(device.envelope(visit(-1), *orders))

    assert receipt["outcome"] == "accepted"
    real = {(k["model"], k["temporary"]): k["real"] for k in receipt["keys"]}
    assert set(real) == {("visit", -1), ("order", -2), ("order", -3)}
    found = office.rows(sa.select(Order.id, Order.visit_id).where(Order.id > 2))
    assert set(found) == {(real["order", n], real["visit", -1]) for n in (-2, -3)}
    assert receipt["record"] == [real["visit", -1]]


def test_the_same_envelope_twice_is_applied_once(office: Any, visit: Any) -> None:
    """The second answer is the first receipt, named a duplicate (R32)."""
    device = office.device("anna", download=False)
    sent = device.envelope(visit())

    first, second = device.push(sent, sent)
    (third,) = device.push(sent)

    assert outcomes([first, second, third]) == ["accepted", "duplicate", "duplicate"]
    assert first["keys"] == second["keys"] == third["keys"]
    assert len(office.rows(VISITS)) == 2


def test_the_same_envelope_at_the_same_time_is_applied_once(office: Any, visit: Any) -> None:
    """A tap on Sync twice: two pushes side by side do the work of one (R26)."""
    device = office.device("anna", download=False)
    texts = [device.envelope(visit(-n)).to_text() for n in range(1, 6)]
    answers: list[list[str]] = []

    def push() -> None:
        found = [office.home.inbox.receive(text, ANNA, device.id) for text in texts]
        answers.append([str(receipt.outcome) for receipt in found])

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(office.rows(VISITS)) == 1 + len(texts)
    for same in zip(*answers, strict=True):
        assert sorted(same) == ["accepted", "duplicate", "duplicate"]


def test_the_same_id_with_other_content_is_refused_by_name(office: Any, visit: Any) -> None:
    """An id stands for one content for ever (R32)."""
    device = office.device("anna", download=False)
    first = device.envelope(visit())
    device.push(first)
    other = device.envelope(visit(-9), id=first.id, number=1, previous="")

    (receipt,) = device.push(other)

    assert (receipt["outcome"], codes(receipt)) == ("mismatch", ["other_content"])
    assert len(office.rows(VISITS)) == 2


def test_a_number_is_used_once(office: Any, visit: Any) -> None:
    """Another envelope with a number that was used is a mismatch; so is a broken chain."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit(-1)))

    (taken,) = device.push(device.envelope(visit(-2), number=1, previous=""))
    (broken,) = device.push(device.envelope(visit(-3), number=2, previous="sha256:" + "0" * 64))

    assert codes(taken) == ["number_taken"]
    assert codes(broken) == ["broken_chain"]
    assert len(office.rows(VISITS)) == 2


def test_a_later_envelope_finds_keys_of_an_earlier_one(office: Any, visit: Any) -> None:
    """Temporary keys resolve across envelopes and syncs (R31)."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit(-1)))
    later = Operation("insert", "order", (-2,), {"visit_id": -1, "group": "late"})

    (receipt,) = device.push(device.envelope(later))

    assert receipt["outcome"] == "accepted"


def test_an_envelope_that_arrives_first_waits_and_is_applied_then(office: Any, visit: Any) -> None:
    """Order of arrival does not matter; what waited is answered when its predecessor came (R27)."""
    device = office.device("anna", download=False)
    first = device.envelope(visit(-1))
    second = device.envelope(Operation("insert", "order", (-2,), {"visit_id": -1, "group": "x"}))

    (waiting,) = device.push(second)
    receipts = device.push(first)

    assert (waiting["outcome"], codes(waiting)) == ("waiting", ["predecessor_missing"])
    assert outcomes(receipts) == ["accepted", "accepted"]
    assert [r["envelope"] for r in receipts] == [first.id, second.id]
    assert outcomes(device.push(first, second)) == ["duplicate", "duplicate"]


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


def test_disjoint_changes_are_merged(office: Any) -> None:
    """Fields that only one side changed are taken (R37)."""
    device = office.device("anna", download=False)
    office.run(sa.update(Visit).where(Visit.id == 1).values(summary="by the office"))
    change = Operation("update", "visit", (1,), {"score": 75}, {"score": 50, "summary": None})

    (receipt,) = device.push(device.envelope(change))

    assert receipt["outcome"] == "merged"
    assert office.rows(sa.select(Visit.score, Visit.summary).where(Visit.id == 1)) == [
        (75, "by the office")
    ]


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
        ({"device": "d-other"}, "wrong_device"),
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


def test_push_takes_gzip(office: Any, visit: Any) -> None:
    """A compressed body is unpacked within the limit."""
    device = office.device("anna", download=False)
    body = device.envelope(visit()).to_text().encode()
    headers = {**device.headers, "Content-Encoding": "gzip"}

    answer = device.client.post("/sync/push", content=gzip.compress(body), headers=headers)
    assert json.loads(answer.text)["outcome"] == "accepted"

    bomb = gzip.compress(b"\n" * (office.settings.max_push_bytes + 1))
    answer = device.client.post("/sync/push", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_big")

    answer = device.client.post("/sync/push", content=b"no gzip", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


def test_a_device_belongs_to_one_user(office: Any) -> None:
    """Nobody can use, or take over, somebody else's device."""
    device, bert = office.device("anna", download=False), office.client("bert")

    for answer in (
        bert.post("/sync/device", json={"device": device.id}),
        bert.post("/sync/push", content="{}", headers=device.headers),
        bert.get("/sync/pull", params={"cursor": "x"}, headers=device.headers),
    ):
        assert answer.status_code in (400, 403)
    assert bert.post("/sync/device", json={"device": device.id}).json()["error"]["code"] == (
        "device_of_another"
    )


def test_a_revoked_device_is_refused(office: Any) -> None:
    """Revoking a device takes effect at its next contact (R46)."""
    device = office.device("anna", download=False)
    office.run(sa.update(tables.device).values(revoked=True))

    answer = device.client.post("/sync/push", content="{}", headers=device.headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "device_revoked")


def test_the_server_tells_a_device_where_its_sequence_stands(office: Any, visit: Any) -> None:
    """A device that lost its store goes on after the newest number that the server has."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit(-1)), device.envelope(visit(-2)))

    about = device.register()

    assert (about["number"], about["last_digest"]) == (2, device.last_digest)


def test_people_online_go_through_the_same_inbox(office: Any, visit: Any) -> None:
    """What is saved on the server is an envelope, too, and what is refused leaves nothing (R2)."""
    submission = Submission("visit", (visit(-1),))
    accepted = office.home.commit(ANNA, submission)
    refused = office.home.commit(ANNA, Submission("visit", (visit(-2, score=3),)))

    assert str(accepted.outcome) == "accepted"
    assert str(refused.outcome) == "invalid"
    assert office.rows(sa.select(tables.envelope.c.device, tables.envelope.c.number)) == [
        ("web-anna", 1)
    ]


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
    "body", [b"", b"[]", b'{"device": 3}', b'{"device": "x"}', b"\xff", b"{" * 9999]
)
def test_registering_wants_a_device_id(office: Any, body: bytes) -> None:
    """Whatever comes instead is refused in the one shape (R66)."""
    answer = office.client("anna").post("/sync/device", content=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


def test_a_void_id_is_no_path(office: Any, visit: Any) -> None:
    """Ids and texts of an envelope may hold anything short; they are only compared."""
    device = office.device("anna", download=False)

    (receipt,) = device.push(device.envelope(visit(), id=f"../{uuid.uuid4()}'\"; DROP"))

    assert receipt["outcome"] == "accepted"
