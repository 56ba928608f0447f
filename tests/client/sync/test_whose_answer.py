"""Whose answer it is: what is not our server's counts as no connection, and changes nothing."""

import json
from typing import Any

import pytest

from fieldpost.errors import Code
from fieldpost_client.platform.base import Answer
from fieldpost_client.platform.host import Fault

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 300_000


def photo(desk: Any) -> str:
    sha256: str = desk.store.stage(PNG, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(PNG), "type": "image/png", "name": "s.png"}
    desk.add("Signed", signature=json.dumps(reference))
    return sha256


def durable(desk: Any) -> str:
    """Return all that is stored but the note that sending was tried."""
    stored = {name: dict(pairs) for name, pairs in desk.store.tables.items()}
    stored["session"].pop("sent_to", None)
    return repr(stored)


def test_a_portal_is_no_connection(desk: Any) -> None:
    """A network that answers everything with 200 and a page is named, after a few requests."""
    photo(desk)
    desk.add("Other")
    before = durable(desk)
    desk.platform.faults.append(Fault("/", "portal", times=10_000))
    desk.platform.requests.clear()

    report = desk.sync()

    assert "offline" == report["outcome"]
    assert [str(Code.NOT_OURS)] == [p["code"] for p in report["problems"]]
    assert len(desk.platform.requests) <= 3
    assert before == durable(desk)
    desk.platform.faults.clear()
    assert ("done", 2) == ((now := desk.sync())["outcome"], now["accepted"])


@pytest.mark.parametrize("after", range(8))
def test_a_portal_in_the_middle_changes_nothing(desk: Any, office: Any, after: int) -> None:
    """Wherever in a sync the portal begins, nothing is taken for sent that is not there."""
    photo(desk)
    desk.add("Other")
    desk.platform.faults.append(Fault("/", "portal", times=10_000, skip=after))
    desk.platform.requests.clear()

    report = desk.sync()

    assert len(desk.platform.requests) <= after + 12
    there = {row.remarks for row in office.rows()}
    waiting = report["status"]["waiting"]
    assert waiting >= 2 - len({"Signed", "Other"} & there)
    desk.platform.faults.clear()
    desk.sync()
    assert {"Signed", "Other"} <= {row.remarks for row in office.rows()}
    assert 0 == desk.home.status()["waiting"]


@pytest.mark.parametrize(
    "said", [{}, {"upload-offset": "0"}, {"upload-offset": "-1"}, {"upload-offset": "9999999"}]
)
def test_an_offset_that_does_not_grow_ends_an_upload(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    """An upload that gets nowhere ends after a handful of requests; the rest goes on."""
    sha256 = photo(desk)
    desk.add("Other")
    ask = desk.platform._ask

    async def stuck(method: str, path: str, headers: Any, body: Any, fault: Any) -> Any:
        if method != "PATCH":
            return await ask(method, path, headers, body, fault)
        desk.platform.requests.append((method, path))
        return Answer(204, {"fieldpost-server": "3", **said}, b"")

    monkeypatch.setattr(desk.platform, "_ask", stuck)
    desk.platform.requests.clear()

    desk.sync()

    sent = [m for m, path in desk.platform.requests if path.endswith(sha256)]
    assert sent.count("PATCH") <= 3
    assert "Other" in {row.remarks for row in office.rows()}
    assert 1 == desk.home.status()["waiting"]


def test_a_first_download_through_a_portal_waits(make_desk: Any) -> None:
    """A portal at the first download is no data; afterwards it goes on as if nothing had been."""
    desk = make_desk()
    desk.platform.faults.append(Fault("/sync/", "portal", times=10_000, skip=1))
    found = desk.download()
    assert "offline" == found["outcome"]
    assert str(Code.NOT_OURS) == found["problems"][0]["code"]
    desk.platform.faults.clear()
    assert "done" == desk.download()["outcome"]
    assert ["Of ann"] == desk.remarks()
