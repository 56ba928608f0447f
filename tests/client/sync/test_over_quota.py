"""Over a quota work waits on the device, which says so, and everything else goes on (R22, R27)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.storage.tables import utc_now

PNG = b"\x89PNG\r\n\x1a\n"


def limit(office: Any, kind: Kind, most: int) -> None:
    quotas = office.server.state.home.quotas
    quotas.limits[kind] = most
    quotas._ahead.clear()


def tomorrow(office: Any) -> None:
    office.server.state.home.quotas.now = lambda: utc_now() + timedelta(days=1)


def add_with_photo(desk: Any, remarks: str) -> None:
    content = PNG + remarks.encode() * 20
    sha256 = desk.store.stage(content, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(content), "type": "image/png", "name": "s.png"}
    desk.add(remarks, signature=json.dumps(reference))


def remarks(office: Any) -> list[str]:
    return [row.remarks for row in office.rows()][2:]


def entries(desk: Any) -> list[Any]:
    return list(desk.home.sync_overview(desk.home.user).entries)


@pytest.mark.parametrize(
    ("kind", "most", "words"),
    [
        (Kind.UPLOADS, 1, "Your share of new uploads for today (1) is used up"),
        (Kind.FILE_BYTES, 300, "Your share of pictures and files for today (0.3 KB) is used up"),
    ],
)
def test_a_photo_over_a_quota_waits_and_texts_go(
    desk: Any, office: Any, kind: Kind, most: int, words: str
) -> None:
    """Its entry waits, too: no record without its photo; tomorrow both arrive by themselves."""
    limit(office, kind, most)
    for each in ("First photo", "Second photo"):
        add_with_photo(desk, each)
    desk.add("A text")
    office.change(1, remarks="Changed by others")
    report = desk.sync()

    assert ("done", 2) == (report["outcome"], report["accepted"])
    assert ["A text", "First photo"] == sorted(remarks(office))
    assert "Changed by others" in desk.remarks()
    assert "Second photo" in desk.remarks()
    (entry,) = (e for e in entries(desk) if e.state == "waiting")
    assert any(words in said for said in entry.problems)
    assert words in desk.get("/sync")["body"]
    assert any(words in each["message"] for each in report["problems"])
    assert (1, 0) == (report["status"]["waiting"], report["status"]["attention"])
    desk.restart()
    tomorrow(office)
    assert ("done", 1) == ((now := desk.sync())["outcome"], now["accepted"])
    assert ["A text", "First photo", "Second photo"] == sorted(remarks(office))


def test_an_entry_over_a_quota_waits_and_the_rest_goes_on(desk: Any, office: Any) -> None:
    """What the office cannot take today is kept and shown; what others did arrives."""
    desk.add("Before")
    desk.sync()
    limit(office, Kind.ENTRY_BYTES, 1)
    desk.add("One")
    desk.add("Two")
    office.change(1, remarks="Changed by others")
    report = desk.sync()

    assert ("done", 0) == (report["outcome"], report["accepted"])
    assert (2, 0) == (report["status"]["waiting"], report["status"]["attention"])
    assert "Changed by others" in desk.remarks()
    waiting = [e for e in entries(desk) if e.state == "waiting"]
    assert 2 == len(waiting)
    assert all("Your share of entries for today" in " ".join(e.problems) for e in waiting)
    page = desk.get("/sync")["body"]
    assert "Your share of entries for today" in page
    assert "free again in" in page
    assert any("Your share of entries" in each["message"] for each in report["problems"])
    # all of it lies in the store and can still be corrected
    desk.restart()
    assert {"One", "Two"} < set(desk.remarks())
    tomorrow(office)
    limit(office, Kind.ENTRY_BYTES, 1 << 20)
    assert ("done", 2) == ((now := desk.sync())["outcome"], now["accepted"])
    assert ["Before", "One", "Two"] == remarks(office)
    assert [] == [e for e in entries(desk) if e.state == "waiting"]


def test_a_first_download_over_a_quota_says_so(make_desk: Any, office: Any) -> None:
    """A new device over a quota is told in words when it can begin, and nothing is lost."""
    limit(office, Kind.DEVICES, 1)
    make_desk().download()
    desk = make_desk()
    report = desk.download()

    assert "trouble" == report["outcome"]
    assert "Your share of new devices for today (1) is used up" in report["problems"][0]["message"]
    tomorrow(office)
    assert "done" == desk.download()["outcome"]


def test_a_push_over_a_quota_is_asked_once(desk: Any, office: Any) -> None:
    """Nobody hammers an office that has said when to come again."""
    limit(office, Kind.ENTRY_BYTES, 1)
    for number in range(8):
        desk.add(f"Number {number}")
    desk.platform.requests.clear()
    desk.sync()

    assert 1 == [path for _, path in desk.platform.requests].count("/sync/push")
