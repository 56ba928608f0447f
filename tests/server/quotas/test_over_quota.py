"""Over a quota: words, the time to come again, and nothing lost (R22, R34, R66)."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apps.fakes import ADA
from fieldpost.wire.envelope import Operation
from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)


def limit(office: Any, kind: Kind, most: int) -> None:
    office.home.quotas.limits[kind] = most


def tomorrow(office: Any) -> None:
    office.home.quotas.now = lambda: utc_now() + timedelta(days=1)


def check_refusal(answer: Any) -> None:
    assert 429 == answer.status_code, answer.text
    error = answer.json()["error"]
    assert "quota_used" == error["code"]
    assert 0 < int(answer.headers["retry-after"]) == error["detail"]["seconds"] <= 86_400


def image(device: Any) -> Any:
    return device.client.get("/sync/image", headers=device.headers)


def whole(device: Any) -> Any:
    return device.ask(replace=["visit"])


@pytest.mark.parametrize("ask", [image, whole])
def test_everything_is_downloaded_so_often_only(office: Any, ask: Callable[..., Any]) -> None:
    """An image, or a whole table, is not made for whoever had too many; changes are sent."""
    anna, bert = office.device("anna"), office.device("bert")
    limit(office, Kind.IMAGES, 2)
    first, second = ask(anna), ask(anna)

    assert 200 == first.status_code
    check_refusal(second)
    assert [200, 200] == [anna.ask().status_code, ask(bert).status_code]
    tomorrow(office)
    assert 200 == ask(anna).status_code


def test_a_download_that_goes_on_is_one(office: Any) -> None:
    """A bad line costs no more of the quota than a good one (R6)."""
    anna = office.device("anna", download=False)
    limit(office, Kind.IMAGES, 1)
    headers = {**anna.headers, "Range": "bytes=0-99"}
    first = anna.client.get("/sync/image", headers=headers)
    headers |= {"Range": "bytes=100-199", "If-Match": first.headers["etag"]}
    parts = [anna.client.get("/sync/image", headers=headers) for _ in range(3)]

    assert [206] * 4 == [each.status_code for each in (first, *parts)]
    check_refusal(image(anna))


def test_a_known_device_is_no_new_one(office: Any) -> None:
    """New devices are counted; one that is known may register as often as it likes."""
    limit(office, Kind.DEVICES, 1)
    anna = office.device("anna", download=False)
    anna.register()
    fresh = {"device": "d-00000000-0000-4000-8000-000000000001"}
    refused = anna.client.post("/sync/device", json=fresh)

    check_refusal(refused)
    assert 1 == office.rows(sa.select(sa.func.count()).select_from(tables.device))[0][0]
    tomorrow(office)
    assert 200 == anna.client.post("/sync/device", json=fresh).status_code


def test_too_many_sign_ins_are_told_so(office: Any) -> None:
    """The right password is no failed attempt, and the sessions that there are go on."""
    office.home.quotas.limits[Kind.SESSIONS] = 2
    first = office.client("anna")
    office.client("anna")
    answer = office.client().post("/sign-in", data={"name": "anna", "password": "correct horse"})

    assert 429 == answer.status_code
    assert "Your share of sign-ins for today (2) is used up" in answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    assert 200 == first.get("/pages/visit").status_code
    table = tables.sign_in_failure
    failed = office.rows(sa.select(table.c.subject).where(table.c.failures > 0))
    assert [] == failed
    office.client("bert")


def test_strangers_take_nothing_of_a_quota(office: Any) -> None:
    """Whoever does not know the password cannot use up the sign-ins of somebody who does."""
    office.home.quotas.limits[Kind.SESSIONS] = 1
    for _ in range(3):
        office.client().post("/sign-in", data={"name": "anna", "password": "wrong"})

    office.client("anna")


def test_an_upload_goes_on_where_it_stood(office: Any) -> None:
    """What has arrived of a file stays; the rest of it is taken tomorrow."""
    anna = office.device("anna", download=False)
    limit(office, Kind.FILE_BYTES, 1500)
    first = anna.upload(PNG, "image/png", end=1000)
    refused = anna.upload(PNG, "image/png", start=1000)
    tomorrow(office)
    rest = anna.upload(PNG, "image/png", start=1000)

    assert (204, "1000") == (first.status_code, first.headers["upload-offset"])
    check_refusal(refused)
    # more than a whole day's quota never fits: that is for the administrator to set
    assert (204, str(len(PNG))) == (rest.status_code, rest.headers["upload-offset"])


def test_uploads_that_are_begun_are_counted(office: Any) -> None:
    """Beginnings without an end fill no disk."""
    anna = office.device("anna", download=False)
    limit(office, Kind.UPLOADS, 2)
    told = [anna.upload(PNG + bytes([n]), "image/png", end=100) for n in range(3)]

    assert [204, 204] == [each.status_code for each in told[:2]]
    check_refusal(told[2])
    assert 204 == anna.upload(PNG + b"\0", "image/png", start=100).status_code


def test_a_whole_file_is_counted_while_it_arrives(office: Any) -> None:
    """A file that somebody chooses in a form online is refused in words, and leaves nothing."""
    client = office.client("anna")
    limit(office, Kind.FILE_BYTES, 1000)
    answer = client.request("PUT", f"/attachments/{hashlib.sha256(PNG).hexdigest()}", content=PNG)

    assert 429 == answer.status_code
    assert "Your share of pictures and files" in answer.text
    assert [] == list((office.settings.attachments / "uploads").iterdir())


def test_entries_over_a_quota_wait_on_the_device(
    office: Any, visit: Callable[..., Operation]
) -> None:
    """Each is answered by itself: nothing is kept, no number is used, and it is taken later."""
    anna = office.device("anna", download=False)
    made = [anna.envelope(visit(-number)) for number in range(1, 4)]
    size = len(made[0].to_text())
    limit(office, Kind.ENTRY_BYTES, size + size // 2)
    told = anna.push(*made)
    again = anna.push(*made[1:])
    tomorrow(office)
    limit(office, Kind.ENTRY_BYTES, 10 * size)
    later = anna.push(*made)

    assert ["accepted", "retry", "retry"] == [each["outcome"] for each in told]
    assert ["retry", "retry"] == [each["outcome"] for each in again]
    problem = told[1]["problems"][0]
    assert "quota_used" == problem["code"]
    assert "Your share of entries for today" in problem["message"]
    assert ["duplicate", "accepted", "accepted"] == [each["outcome"] for each in later]


def test_a_file_that_is_handed_in_is_counted_as_a_push(
    office: Any, visit: Callable[..., Operation]
) -> None:
    """Of whoever hands it in: nothing is kept over her quota, and the file is good tomorrow."""
    anna, admin = office.device("anna", download=False), office.client("admin")
    made = [anna.envelope(visit(-number)) for number in range(1, 4)]
    body = "\n".join(each.to_text() for each in made)
    size = len(made[0].to_text())
    limit(office, Kind.ENTRY_BYTES, size + size // 2)

    def handed_in(client: Any) -> list[dict[str, Any]]:
        lines = client.post("/sync/hand-in", content=body).text.splitlines()
        return [json.loads(line) for line in lines]

    told = handed_in(admin)
    assert ["accepted", "retry", "retry"] == [each["outcome"] for each in told]
    assert "Your share of entries for today" in told[1]["message"]
    assert 1 == len(office.rows(sa.select(tables.envelope)))
    tomorrow(office)
    limit(office, Kind.ENTRY_BYTES, 10 * size)
    later = handed_in(office.client("anna"))
    assert ["duplicate", "accepted", "accepted"] == [each["outcome"] for each in later]


def test_a_form_online_keeps_what_was_typed(office: Any) -> None:
    """Saving is refused in words above the form, which is shown again as it was filled in."""
    client = office.client("anna")
    limit(office, Kind.ENTRY_BYTES, 1)
    fields = {"visited_on": "2026-11-23", "kind": "first", "weight": "61.25", "nurse": "anna"}
    data = {**fields, "patient": str(ADA), "_action": "save"}
    answer = client.post("/pages/visit/new", data=data)

    assert 429 == answer.status_code
    assert 0 < int(answer.headers["retry-after"])
    assert "Your share of entries for today" in answer.text
    assert 'value="61.25"' in answer.text


def test_administrators_see_who_is_near(office: Any) -> None:
    """On the page of people, and as a notice of health, which stays good."""
    limit(office, Kind.DEVICES, 2)
    office.device("anna", download=False)
    office.device("anna", download=False)
    page = office.client("admin").get("/people").text
    found = office.health()

    assert "new devices: 2 of 2" in page
    assert found["ok"]
    assert ["anna is near or over a quota of today (new devices: 2 of 2)"] == found["notices"]
