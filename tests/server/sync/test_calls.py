"""What a device sends and asks over HTTP (R26, R28, R33, R34, R66, R67)."""

import gzip
import json
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from apps.clinic import Visit
from apps.offices import office_like
from fieldpost.wire.envelope import Operation
from fieldpost_server.storage import tables

NewVisit = Callable[..., Operation]


def outcomes(receipts: list[dict[str, Any]]) -> list[tuple[Any, str]]:
    return [(r["number"], r["outcome"]) for r in receipts]


def edit(key: int, score: int, was: int | None) -> Operation:
    return Operation("update", "visit", (key,), {"score": score}, {"score": was})


def test_every_envelope_of_a_push_gets_its_receipt(office: Any, visit: NewVisit) -> None:
    """Receipts come in the order of the envelopes, with real keys (R26, R31)."""
    device = office.device("anna", download=False)
    made = [device.envelope(visit(-1)), device.envelope(edit(-1, 5, None))]
    receipts = device.push(*made)

    assert [(1, "accepted"), (2, "accepted")] == outcomes(receipts)
    assert [e.id for e in made] == [r["envelope"] for r in receipts]
    assert [e.digest for e in made] == [r["digest"] for r in receipts]
    assert [("visit", -1)] == [(k["model"], k["temporary"]) for k in receipts[0]["keys"]]
    assert [(1, "duplicate"), (2, "duplicate")] == outcomes(device.push(*made))
    assert [(5,)] == office.rows(sa.select(Visit.score).where(Visit.id > 2))


def test_a_malformed_line_does_not_stop_the_others(office: Any, visit: NewVisit) -> None:
    """Each line stands for itself; the bad one is named by its number (R27, R66)."""
    device = office.device("anna", download=False)
    first, second = device.envelope(visit(-1)), device.envelope(visit(-2))
    receipts = device.push(first, "{ this is none", "", b"\xff\xfe", second)

    assert [
        (1, "accepted", None),
        (0, "invalid", 2),
        (0, "invalid", 4),
        (2, "accepted", None),
    ] == [(r["number"], r["outcome"], r.get("line")) for r in receipts]
    assert receipts[1]["envelope"] is None
    assert "cannot be read" in receipts[1]["problems"][0]["message"]


def test_what_cannot_be_applied_does_not_stop_the_others(office: Any, visit: NewVisit) -> None:
    """A refused envelope keeps its number; the next one goes through (R27)."""
    device = office.device("anna", download=False)
    receipts = device.push(
        device.envelope(edit(1, 7, 50)),
        device.envelope(edit(2, 5, None)),
        device.envelope(edit(1, 5, 45)),
        device.envelope(visit()),
    )

    assert [(1, "invalid"), (2, "forbidden"), (3, "conflict"), (4, "accepted")] == outcomes(
        receipts
    )
    assert {"mine": 5, "theirs": 50, "was": 45} == receipts[2]["problems"][0]["detail"]


def test_envelopes_that_waited_are_answered_when_their_predecessor_comes(
    office: Any, visit: NewVisit
) -> None:
    """Out of order is in order in the end, within one push (R31)."""
    device = office.device("anna", download=False)
    first, second = device.envelope(visit(-1)), device.envelope(edit(-1, 5, None))

    assert [(2, "waiting"), (1, "accepted"), (2, "accepted")] == outcomes(
        device.push(second, first)
    )


def test_a_push_may_be_compressed(office: Any, visit: NewVisit) -> None:
    """NDJSON travels as gzip."""
    device = office.device("anna", download=False)
    body = gzip.compress(device.envelope(visit()).to_text().encode())
    headers = {**device.headers, "Content-Encoding": "gzip"}
    answer = device.client.post("/sync/push", content=body, headers=headers)

    assert "accepted" == json.loads(answer.text)["outcome"]


def test_what_is_no_whole_gzip_is_refused(office: Any, visit: NewVisit) -> None:
    """A body that was cut off or is none changes nothing (R66)."""
    device = office.device("anna", download=False)
    headers = {**device.headers, "Content-Encoding": "gzip"}
    whole = gzip.compress((device.envelope(visit()).to_text() + "\n").encode() * 2)
    for body in (b"none", whole[:-20], b""):
        answer = device.client.post("/sync/push", content=body, headers=headers)
        assert (400, "malformed") == (answer.status_code, answer.json()["error"]["code"])
    assert [] == office.rows(sa.select(tables.envelope.c.id))


def test_a_gzip_bomb_is_refused(office: Any) -> None:
    """A small body that unpacks to a large one is measured while it is unpacked (R66)."""
    with office_like(office, max_push_bytes=1 << 20) as small:
        device = small.device("anna", download=False)
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(b"\n" * (1 << 20)) for _ in range(200)) + packer.flush()
        headers = {**device.headers, "Content-Encoding": "gzip"}
        answer = device.client.post("/sync/push", content=bomb, headers=headers)

    assert len(bomb) < 1 << 20
    assert (413, "too_big") == (answer.status_code, answer.json()["error"]["code"])


def test_a_device_of_another_user_is_refused(office: Any, visit: NewVisit) -> None:
    """A device is one user's (R34, R67)."""
    device = office.device("anna", download=False)
    stranger = office.client("bert")
    sent = device.envelope(visit(), user="bert").to_text()
    answers = [
        stranger.post("/sync/device", json={"device": device.id}),
        stranger.post("/sync/push", content=sent, headers=device.headers),
        stranger.get("/sync/pull?cursor=f1." + "0" * 32 + ".0.", headers=device.headers),
    ]

    assert [(403, "device_of_another")] * 3 == [
        (a.status_code, a.json()["error"]["code"]) for a in answers
    ]


def test_a_device_names_its_owner_when_it_registers(office: Any) -> None:
    """An office that has forgotten a device gives it to nobody else (R49, R67)."""
    asked = {"device": f"d-{uuid.UUID(int=7)}", "user": "anna"}
    stranger = office.client("bert").post("/sync/device", json=asked)
    owner = office.client("anna").post("/sync/device", json=asked)

    assert (403, "device_of_another") == (
        stranger.status_code,
        stranger.json()["error"]["code"],
    )
    assert (200, "anna") == (owner.status_code, owner.json()["user"]["name"])


def test_who_knows_more_than_the_office_is_told(office: Any, visit: NewVisit) -> None:
    """Nothing of a push is applied by an office that has forgotten what came before (R26)."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit()))
    sent = device.envelope(visit()).to_text()
    found = {}
    for known in ("2", "9" * 30, "1", "none", ""):
        headers = {**device.headers, "Fieldpost-Arrived": known}
        answer = device.client.post("/sync/push", content=sent, headers=headers)
        found[known] = (answer.status_code, json.loads(answer.text).get("error", {}).get("code"))

    refused, taken = (400, "forgotten"), (200, None)
    assert {"2": refused, "9" * 30: refused, "1": taken, "none": taken, "": taken} == found


def test_a_revoked_device_is_refused(office: Any, visit: NewVisit) -> None:
    """What an administrator revoked is refused at the next contact (R46, R52)."""
    device = office.device("anna", download=False)
    office.run(sa.update(tables.device).values(revoked=True))
    answer = device.client.post(
        "/sync/push", content=device.envelope(visit()).to_text(), headers=device.headers
    )

    assert (403, "device_revoked") == (answer.status_code, answer.json()["error"]["code"])


def test_registering_says_where_the_device_stands(office: Any, visit: NewVisit) -> None:
    """A device that lost its memory goes on with the right number (R33, R56)."""
    device = office.device("anna", download=False)
    made = device.envelope(visit())
    device.push(made)
    about = device.register()

    assert (1, made.digest) == (about["number"], about["last_digest"])
    assert {"name": "anna", "display_name": "", "roles": ["Offline"]} == about["user"]
    assert ["visit", "patient", "ward"] == about["settings"]["offline"]


def test_every_error_has_the_one_shape(office: Any) -> None:
    """A client reads one kind of error body, with words for people in it (R66)."""
    device = office.device("anna", download=False)
    asked = device.client.request
    known = device.headers
    picture = {**known, "Upload-Offset": "5", "Upload-Length": "9", "Upload-Type": "text/plain"}
    here = "/sync/attachments/" + "a" * 64
    answers = {
        "signed_out": (401, office.client().get("/sync/pull")),
        "not_found": (404, asked("GET", "/sync/nonsense")),
        "method_not_allowed": (405, asked("DELETE", "/sync/pull")),
        "bad_cursor": (400, asked("GET", "/sync/pull?cursor=x", headers=known)),
        "wrong_device": (403, asked("POST", "/sync/push", content=b"")),
        "unknown_protocol": (
            400,
            asked("POST", "/sync/push", headers={**known, "Fieldpost-Protocol": "99"}),
        ),
        "malformed": (400, asked("POST", "/sync/device", content=b"[" * 20_000)),
        "upload_offset": (409, asked("PATCH", here, content=b"x", headers=picture)),
        "foreign_origin": (403, asked("POST", "/sync/push", headers={"Origin": "http://evil"})),
    }
    more = [
        asked("PATCH", here, content=b"x", headers=known),
        asked("GET", "/sync/attachments/nonsense"),
        asked("GET", here),
        asked("GET", "/sync/pull"),
        asked("POST", "/sync/device", json={"device": 7}),
        asked("POST", "/sync/device", json={"device": "d-" + "x" * 200}),
        asked("PUT", "/attachments/" + "a" * 64, content=b"x"),
    ]

    for code, (status, answer) in answers.items():
        assert (status, code) == (answer.status_code, answer.json()["error"]["code"])
    for answer in [*(a for _, a in answers.values()), *more]:
        body = answer.json()
        assert 400 <= answer.status_code < 500
        assert {"error"} == set(body)
        assert {"code", "path", "message", "problems"} <= set(body["error"])
        assert body["error"]["message"].endswith((".", "Update."))
        assert body["error"]["problems"][0]["code"] == body["error"]["code"]


def test_attachments_resume_after_a_lost_connection(office: Any) -> None:
    """An upload goes on at the byte where it stopped (R43)."""
    device = office.device("anna", download=False)
    content = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10
    first = device.upload(content, "image/png", end=1000)
    address = str(first.request.url)
    where = device.client.request("HEAD", address)
    again = device.upload(content, "image/png", end=500)
    rest = device.upload(content, "image/png", start=1000)
    got = device.client.get(address)

    assert (204, "1000") == (first.status_code, first.headers["Upload-Offset"])
    assert "1000" == where.headers["Upload-Offset"]
    assert (409, 1000) == (again.status_code, again.json()["error"]["detail"]["offset"])
    assert (204, str(len(content))) == (rest.status_code, rest.headers["Upload-Offset"])
    assert (200, content, "image/png") == (
        got.status_code,
        got.content,
        got.headers["content-type"],
    )
    assert "sandbox" in got.headers["content-security-policy"]
