"""Attachments are for who brought them and who may read what refers to them (R43, R44, R67)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from fieldpost.wire.envelope import Operation

TEXT = b"what only Anna has written"
BERTS = "00000000-0000-0000-0000-000000000009"
"""A patient of Bert's."""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(content: bytes, type_: str = "text/plain", **parts: Any) -> dict[str, Any]:
    reference = {"sha256": digest(content), "size": len(content), "type": type_, "name": "a.txt"}
    return {**reference, **parts}


@dataclass
class Clinic:
    """Anna's visit refers to her file; Bert is a stranger to both."""

    office: Any
    anna: Any
    bert: Any
    visit: int

    def gets(self, user: str) -> int:
        status: int = self.office.client(user).get(f"/attachments/{digest(TEXT)}").status_code
        return status


@pytest.fixture
def clinic(office: Any, visit: Callable[..., Operation]) -> Clinic:
    """A clinic where Anna has saved a visit with a file."""
    anna, bert = office.device("anna", download=False), office.device("bert", download=False)
    anna.upload(TEXT, "text/plain")
    made = anna.envelope(visit(report=told(TEXT)), attachments=(digest(TEXT),))
    (receipt,) = anna.push(made)
    assert "accepted" == receipt["outcome"], receipt
    return Clinic(office, anna, bert, receipt["record"][0])


@pytest.mark.passes("ledger-half-written", on="sqlite")
@pytest.mark.passes(
    "body-half-spooled",
    "committed-unanswered",
    "device-locked-with-neighbours",
    "device-registered-unanswered",
    "envelope-undecided",
    "file-unplaced",
    "file-unregistered",
    "first-key-unloaded",
    "foreign-settlement-gone",
    "person-unchanged",
    "piece-on-disk",
    "piece-written",
    "receipt-unsent",
    "names-unsynced",
    "replayed-unkept",
    "row-found-locked",
    "sign-in-undecided",
    "snapshot-open",
    "transaction-uncommitted",
    "upload-locked",
    "waiting-untried",
)
def test_who_may_read_the_record_reads_its_files_and_no_other(clinic: Clinic) -> None:
    """To know a digest is not enough, and what is not hers is as if it were not there."""
    update = sa.update(Visit).where(Visit.id == clinic.visit)
    before = [clinic.gets("anna"), clinic.gets("bert"), clinic.gets("dora")]
    unknown = clinic.bert.client.get(f"/attachments/{'0' * 64}")
    refused = clinic.bert.client.get(f"/attachments/{digest(TEXT)}")
    clinic.office.run(update.values(nurse="bert"))
    after = [clinic.gets("anna"), clinic.gets("bert"), clinic.gets("dora")]

    assert [200, 404, 404] == before
    assert unknown.content == refused.content
    # she has brought it, he may read the record now
    assert [200, 200, 404] == after


def test_who_may_no_longer_read_the_record_reads_nothing_of_it(clinic: Clinic) -> None:
    """Where a file was found before is asked again each time."""
    at = sa.update(Visit).where(Visit.id == clinic.visit)
    clinic.office.run(at.values(nurse="bert"))
    first = clinic.gets("bert")
    clinic.office.run(at.values(nurse="anna"))

    assert [200, 404] == [first, clinic.gets("bert")]


def test_a_file_is_claimed_by_its_content_only(
    clinic: Clinic, visit: Callable[..., Operation]
) -> None:
    """Neither asking, nor an empty piece, nor an envelope makes another's file one's own."""
    bert, address = clinic.bert, f"/sync/attachments/{digest(TEXT)}"
    offset = bert.client.request("HEAD", address, headers=bert.headers).headers["Upload-Offset"]
    empty = bert.upload(TEXT, "text/plain", start=len(TEXT))
    nothing = bert.upload(TEXT, "text/plain", end=0)
    made = bert.envelope(
        visit(report=told(TEXT), nurse="bert", patient_id=BERTS), attachments=(digest(TEXT),)
    )
    (waits,) = bert.push(made)
    refused = clinic.gets("bert")
    bert.upload(TEXT, "text/plain")
    (applied,) = bert.push(made)

    assert "0" == offset
    assert (409, "upload_offset") == (empty.status_code, empty.json()["error"]["code"])
    assert "0" == nothing.headers["Upload-Offset"]
    assert ("waiting", "attachment_missing") == (waits["outcome"], waits["problems"][0]["code"])
    assert 404 == refused
    assert "accepted" == applied["outcome"]
    assert 200 == clinic.gets("bert")


LIES: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "it is listed nowhere": (told(TEXT), (), "not_the_file"),
    "it was never sent": (told(b"never"), (), "not_the_file"),
    "another size": (told(TEXT, size=1), (digest(TEXT),), "not_the_file"),
    "a picture that is none": (told(TEXT, "image/png"), (digest(TEXT),), "not_the_file"),
    "a picture that is of another kind": (
        told(PNG, "image/jpeg"),
        (digest(PNG),),
        "not_the_file",
    ),
    "more is listed than set": (told(TEXT), (digest(TEXT), digest(PNG)), "malformed"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reference_says_what_has_arrived(
    office: Any, visit: Callable[..., Operation], lie: str
) -> None:
    """A record refers to what its envelope lists, as the store has it, and to nothing else."""
    reference, listed, expected = LIES[lie]
    device = office.device("anna", download=False)
    device.upload(TEXT, "text/plain")
    device.upload(PNG, "image/png")
    (receipt,) = device.push(device.envelope(visit(report=reference), attachments=listed))

    assert "invalid" == receipt["outcome"]
    assert [expected] == [each["code"] for each in receipt["problems"]]


@pytest.mark.parametrize("was", [None, told(TEXT)])
def test_nobody_takes_a_file_by_saying_that_it_was_there(
    clinic: Clinic, visit: Callable[..., Operation], was: Any
) -> None:
    """What an update says of before opens no file of another."""
    bert = clinic.bert
    (mine,) = bert.push(bert.envelope(visit(nurse="bert", patient_id=BERTS)))
    update = Operation(
        "update", "visit", (mine["record"][0],), {"report": told(TEXT)}, {"report": was}
    )
    (receipt,) = bert.push(bert.envelope(update))

    assert "invalid" == receipt["outcome"]
    assert ["not_the_file"] == [each["code"] for each in receipt["problems"]]
    assert 404 == clinic.gets("bert")


def test_a_name_that_looks_like_a_digest_opens_nothing(
    clinic: Clinic, visit: Callable[..., Operation]
) -> None:
    """Only the digest of a reference counts, whatever its file is called."""
    bert = clinic.bert
    bert.upload(b"mine", "text/plain")
    reference = told(b"mine", name=digest(TEXT))
    made = bert.envelope(
        visit(report=reference, nurse="bert", patient_id=BERTS), attachments=(digest(b"mine"),)
    )
    (receipt,) = bert.push(made)

    assert "accepted" == receipt["outcome"]
    assert 404 == clinic.gets("bert")


TYPES = {
    "text/javascript": b"alert(1)",
    "text/html": b"<script>alert(1)</script>",
    "text/css": b"* {}",
    "application/wasm": b"\0asm",
}


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_no_picture_is_handed_over_as_bytes(office: Any, type_: str) -> None:
    """Nothing that a user brought is a script, a style or a page of ours (R65)."""
    device, content = office.device("anna", download=False), TYPES[type_]
    device.upload(content, type_)
    answer = device.client.get(f"/attachments/{digest(content)}")

    assert "application/octet-stream" == answer.headers["content-type"]
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "nosniff" == answer.headers["x-content-type-options"]


WANTED = {"image": 200, "empty": 200, "document": 200}
WANTED |= dict.fromkeys(
    ["script", "style", "worker", "sharedworker", "serviceworker", "iframe", "embed", "object"], 403
)


@pytest.mark.parametrize("wanted", WANTED)
def test_an_attachment_is_never_fetched_to_run(clinic: Clinic, wanted: str) -> None:
    """A browser says what it wants a file for: to run it is refused (R65)."""
    headers = {"Sec-Fetch-Dest": wanted}
    answer = clinic.anna.client.get(f"/attachments/{digest(TEXT)}", headers=headers)

    assert WANTED[wanted] == answer.status_code


def test_a_supervisor_sees_the_files_of_what_she_is_to_repair(
    office: Any, visit: Callable[..., Operation]
) -> None:
    """As long as it needs somebody, and no longer; others see nothing of it."""
    anna = office.device("anna", download=False)
    anna.upload(TEXT, "text/plain")
    made = anna.envelope(visit(report=told(TEXT), score=400), attachments=(digest(TEXT),))
    (receipt,) = anna.push(made)

    def gets(user: str) -> int:
        status: int = office.client(user).get(f"/attachments/{digest(TEXT)}").status_code
        return status

    assert "invalid" == receipt["outcome"]
    assert [200, 404, 404] == [gets("admin"), gets("bert"), gets("dora")]
