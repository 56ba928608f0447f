"""A busy office is no error: a device waits as long as it is asked to, and tries again (R26)."""

import json
from typing import Any

import pytest

from fieldpost_client.platform.base import Answer
from fieldpost_client.sync import contact
from fieldpost_client.sync.contact import MOST_WAITS

BUSY = {
    "code": "office_busy",
    "path": "",
    "message": "The office is busy at this moment. Nothing is lost; try again in 5 seconds.",
    "detail": {"seconds": 5},
}


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited, without waiting for them."""
    seconds: list[float] = []

    async def noted(some: float) -> None:
        seconds.append(some)

    monkeypatch.setattr(contact, "sleep", noted)
    return seconds


def keep_busy(monkeypatch: pytest.MonkeyPatch, desk: Any, path: str, times: int) -> list[str]:
    """Have the office answer some calls that it is busy; return what was asked."""
    ask, asked = desk.platform._ask, list[str]()

    async def busy(method: str, where: str, headers: Any, body: Any, fault: Any) -> Any:
        asked.append(where.partition("?")[0])
        if where.startswith(path) and asked.count(asked[-1]) <= times:
            body = json.dumps({"error": {**BUSY, "problems": [BUSY]}}).encode()
            headers = {"retry-after": "5", "fieldpost-server": "3"}
            return Answer(503, {**headers, "content-type": "application/json"}, body)
        return await ask(method, where, headers, body, fault)

    monkeypatch.setattr(desk.platform, "_ask", busy)
    return asked


@pytest.mark.parametrize("path", ["/sync/pull", "/sync/push", "/sync/receipts"])
def test_a_sync_goes_on_when_the_office_has_a_place(
    desk: Any, monkeypatch: pytest.MonkeyPatch, waited: list[float], path: str
) -> None:
    """Whatever call has to wait, the sync ends as if it had not."""
    desk.add("A text")
    keep_busy(monkeypatch, desk, path, 2)
    report = desk.sync()

    assert ("done", 1) == (report["outcome"], report["accepted"])
    if path != "/sync/receipts":
        # twice five seconds, and up to half as much again
        assert 10 <= sum(waited) <= 15 + 1


def test_a_first_download_waits_for_its_place(
    make_desk: Any, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    """Many devices may begin on the same morning (R6)."""
    desk = make_desk()
    keep_busy(monkeypatch, desk, "/sync/image", 3)

    assert "done" == desk.download()["outcome"]
    assert 15 <= sum(waited)


def test_an_office_that_stays_busy_is_said_to_be_busy(
    desk: Any, monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    """No error and no missing connection: the button says what it is, and what waits."""
    desk.add("A text")
    asked = keep_busy(monkeypatch, desk, "/sync/push", 99)
    report = desk.sync()

    assert ("busy", 1) == (report["outcome"], report["status"]["waiting"])
    assert "The office is busy, 1 waiting" == report["status"]["words"]
    assert "waiting" == report["status"]["state"]
    assert [BUSY["message"]] == [each["message"] for each in report["problems"]]
    assert MOST_WAITS + 1 == asked.count("/sync/push")
    monkeypatch.undo()
    assert ("done", 1) == ((now := desk.sync())["outcome"], now["accepted"])
    assert waited


def test_waiting_for_the_office_can_be_stopped(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops the sync is not kept until the office has a place."""
    desk.add("A text")
    asked = keep_busy(monkeypatch, desk, "/sync/push", 99)

    async def stop(_: float) -> None:
        desk.client.sync.cancel()

    monkeypatch.setattr(contact, "sleep", stop)
    report = desk.sync()

    assert ("cancelled", 1) == (report["outcome"], report["status"]["waiting"])
    assert 1 == asked.count("/sync/push")
