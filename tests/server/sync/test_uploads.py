"""Attachments over HTTP: resumed, verified, shown safely; envelopes wait for them (R43, R66)."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from fieldpost_server.operations.housekeeping import tidy
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def offset(device: Any, content: bytes) -> str:
    answer = device.client.request(
        "HEAD", f"/sync/attachments/{digest(content)}", headers=device.headers
    )
    assert answer.status_code == 200
    return str(answer.headers["Upload-Offset"])


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_piece_that_does_not_continue_is_told_where_to_go_on(office: Any) -> None:
    """A piece sent twice, or out of order, changes nothing."""
    device = office.device("anna", download=False)
    device.upload(PNG, "image/png", end=1000)

    again = device.upload(PNG, "image/png", end=1000)
    beyond = device.upload(PNG, "image/png", start=5000)

    assert code(again) == code(beyond) == (409, "upload_offset")
    assert again.json()["error"]["detail"] == {"offset": 1000}
    assert offset(device, PNG) == "1000"


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (b"<svg/>", "image/svg+xml"),
        (b"<html>", "image/png"),
        (PNG, "image/jpeg"),
        (b"", "image/gif"),
        (b"RIFF\0\0\0\0WAVE", "image/webp"),
    ],
)
def test_a_picture_that_is_none_is_refused(office: Any, content: bytes, type_: str) -> None:
    """The first bytes must be those of the type that a picture claims."""
    device = office.device("anna", download=False)

    assert code(device.upload(content, type_)) == (415, "not_a_picture")
    assert device.client.get(f"/attachments/{digest(content)}").status_code == 404


def test_other_files_are_sent_as_downloads(office: Any) -> None:
    """A file that is no picture never opens in the app's own origin."""
    device = office.device("anna", download=False)
    device.upload(b"<script>alert(1)</script>", "text/html")

    answer = device.client.get(f"/attachments/{digest(b'<script>alert(1)</script>')}")

    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["x", "A" * 64, "0" * 63, "%2e%2e%2f%2e%2e", "0" * 65, "%00" * 64])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "PUT"])
def test_what_is_no_digest_is_not_found(office: Any, name: str, method: str) -> None:
    """Addresses cannot leave the folder."""
    device = office.device("anna", download=False)
    headers = {**device.headers, "Upload-Offset": "0", "Upload-Length": "1"}
    folder = "attachments" if method == "PUT" else "sync/attachments"

    answer = device.client.request(method, f"/{folder}/{name}", content=b"x", headers=headers)

    assert answer.status_code in (400, 404, 405, 422)
    left = list((office.settings.attachments / "uploads").iterdir())
    assert left == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Offset": "-1", "Upload-Length": "5"},
        {"Upload-Offset": "a", "Upload-Length": "5"},
        {"Upload-Offset": "0"},
        {"Upload-Offset": "0", "Upload-Length": "9" * 40},
    ],
)
def test_uploads_without_their_numbers_are_refused(office: Any, headers: dict[str, str]) -> None:
    """Missing or broken headers get the catalogue's error."""
    device = office.device("anna", download=False)

    answer = device.client.request(
        "PATCH", f"/sync/attachments/{digest(PNG)}", content=b"x", headers=device.headers | headers
    )

    assert code(answer) == (400, "malformed")


def test_an_envelope_waits_for_its_attachments(office: Any, visit: Any) -> None:
    """No record without its photo: it is applied when all have arrived (R43)."""
    device = office.device("anna", download=False)
    photo = {"sha256": digest(PNG), "size": len(PNG), "type": "image/png", "name": "a.png"}
    sent = device.envelope(visit(sketch=photo), attachments=(digest(PNG),))

    (waiting,) = device.push(sent)
    assert (waiting["outcome"], waiting["problems"][0]["code"]) == ("waiting", "attachment_missing")
    assert waiting["problems"][0]["detail"] == {"missing": [digest(PNG)]}

    device.upload(PNG, "image/png")
    (accepted,) = device.push(sent)

    assert accepted["outcome"] == "accepted"
    sketches = office.rows(sa.select(Visit.sketch).where(Visit.id == accepted["record"][0]))
    assert sketches[0][0].sha256 == digest(PNG)


def test_people_online_stage_a_file_while_they_fill_in(office: Any) -> None:
    """PUT keeps a file under its digest; a wrong one is refused."""
    client = office.client("dora")
    headers = {"Content-Type": "image/png"}

    kept = client.request(
        "PUT", f"/attachments/{digest(PNG)}?name=a.png", content=PNG, headers=headers
    )
    wrong = client.request("PUT", f"/attachments/{'0' * 64}", content=PNG, headers=headers)

    assert kept.status_code == 201
    assert kept.json() == {
        "sha256": digest(PNG),
        "size": len(PNG),
        "type": "image/png",
        "name": "a.png",
    }
    assert code(wrong) == (422, "upload_hash")
    assert client.get(f"/attachments/{digest(PNG)}").content == PNG


def test_a_file_that_a_crash_left_unregistered_is_brought_again(office: Any) -> None:
    """Rename and registration are two steps: who sends it again completes them."""
    device = office.device("anna", download=False)
    device.upload(PNG, "image/png")
    office.run(sa.delete(tables.attachment), sa.delete(tables.attachment_bringer))

    assert "0" == offset(device, PNG)
    assert code(device.upload(PNG, "image/jpeg")) == (415, "not_a_picture")
    assert device.upload(PNG, "image/png").status_code == 204
    assert device.client.get(f"/attachments/{digest(PNG)}").status_code == 200


@pytest.mark.passes("abandoned-upload-left", "changes-pruned-unmarked", "housekeeping-half-done")
@pytest.mark.passes("collection-half-done")
def test_abandoned_uploads_go_in_time(office: Any) -> None:
    """Housekeeping deletes what nobody continued, and keeps what is under way."""
    device = office.device("anna", download=False)
    device.upload(PNG, "image/png", end=1000)

    assert tidy(office.home, office.settings)["uploads"] == 0
    assert office.home.store.delete_abandoned(utc_now() + timedelta(days=1)) == 1
    assert offset(device, PNG) == "0"


def test_attachments_need_a_sign_in(office: Any) -> None:
    """Nobody else reads or writes files."""
    stranger = office.client()

    assert code(stranger.get(f"/attachments/{digest(PNG)}")) == (401, "signed_out")
    assert stranger.request("PUT", f"/attachments/{digest(PNG)}", content=PNG).status_code == 401
