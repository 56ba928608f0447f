"""A file that the office never takes: its entry needs attention, with the reason at its field."""

import json
from typing import Any

import pytest

from client_forms import FormReader
from fieldpost_client.platform.host import Fault

PATH = "/sync/attachments/"


def add(desk: Any, content: bytes, remarks: str = "Signed", name: str = "plan.png") -> str:
    sha256: str = desk.store.stage(content, "image/png", name)
    reference = {"sha256": sha256, "size": len(content), "type": "image/png", "name": name}
    desk.add(remarks, signature=json.dumps(reference))
    return sha256


def good(desk: Any) -> str:
    content = b"\x89PNG\r\n\x1a\n" + b"good"
    sha256 = desk.store.stage(content, "image/png", "good.png")
    return json.dumps({"sha256": sha256, "size": len(content), "type": "image/png", "name": "g"})


@pytest.mark.long
@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 413, 415, 422, 451])
def test_a_refused_file_needs_attention_and_can_be_repaired(
    desk: Any, office: Any, status: int
) -> None:
    """Whatever 4xx refuses a file for good: *Repair*, with the reason at its field (R27)."""
    sha256 = add(desk, b"\x89PNG\r\n\x1a\nrefused")
    desk.platform.faults.append(Fault(PATH + sha256, "status", status=status, times=99))

    report = desk.sync()

    assert 1 == report["status"]["attention"]
    (entry,) = (e for e in desk.home.sync_overview(desk.home.user).entries if e.can_repair)
    assert any("plan.png" in words for words in entry.problems)
    repair = f"/repair/{entry.envelope}"
    page = desk.get(repair)
    assert 200 == page["status"]
    assert "The office does not take “plan.png”" in page["body"]
    fields = {**FormReader(page["body"]).fields, "signature": good(desk)}
    assert 303 == desk.post(repair, fields)["status"]
    desk.platform.faults.clear()
    desk.sync()
    assert ["Of ann", "Of bob", "Signed"] == [row.remarks for row in office.rows()]
    assert (0, 0) == (desk.home.status()["waiting"], desk.home.status()["attention"])
    assert ["Of ann", "Signed"] == desk.remarks()


def test_a_file_that_is_gone_says_so_and_the_others_go(desk: Any, office: Any) -> None:
    """The bytes of one photo are gone from the device: that entry says so, the others go."""
    sha256 = add(desk, b"\x89PNG\r\n\x1a\nlost")
    add(desk, b"\x89PNG\r\n\x1a\nkept", "Other")
    del desk.store.tables["attachments"][sha256]

    report = desk.sync()

    assert "Other" in {row.remarks for row in office.rows()}
    assert 1 == report["status"]["attention"]
    (entry,) = (e for e in desk.home.sync_overview(desk.home.user).entries if e.can_repair)
    assert any("not on this device any more" in words for words in entry.problems)


def test_what_waits_for_it_says_what_is_true(desk: Any) -> None:
    """An entry waits 'for an entry that needs attention' only where one is marked so."""
    sha256 = add(desk, b"\x89PNG\r\n\x1a\nslow")
    desk.platform.faults.append(Fault(PATH + sha256, "status", status=500, times=99))
    desk.sync()
    desk.save("/pages/inspection/records/-1/edit", remarks="Behind")
    desk.sync()
    words = {e.words for e in desk.home.sync_overview(desk.home.user).entries}
    assert not any("needs attention" in each for each in words), words
    desk.platform.faults[:] = [Fault(PATH + sha256, "status", status=415, times=99)]
    desk.sync()
    listed = desk.home.sync_overview(desk.home.user).entries
    assert any("needs attention" in e.words for e in listed if e.state == "waiting")
    assert any("one of its files" in e.words for e in listed if e.state == "attention")


def test_a_refused_file_is_not_sent_again_and_again(desk: Any) -> None:
    """What was refused for good is not tried with every sync."""
    sha256 = add(desk, b"no picture at all")
    desk.sync()
    desk.platform.requests.clear()
    desk.sync()
    assert [] == [path for _, path in desk.platform.requests if path.endswith(sha256)]
