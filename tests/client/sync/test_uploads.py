"""Attachments travel in pieces, once, and a record never arrives without them."""

import hashlib
import json
from typing import Any

from fieldpost_client.platform.host import Fault

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 700_000


def test_attachments_are_resumed(desk: Any, office: Any) -> None:
    """An upload that breaks off goes on where it stopped; the record comes with its photo (R43)."""
    sha256 = desk.store.stage(PNG, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(PNG), "type": "image/png", "name": "s.png"}
    desk.add("Signed", signature=json.dumps(reference))
    desk.platform.faults.append(Fault("/sync/attachments/", "request", skip=2, times=99))
    assert desk.sync()["outcome"] == "offline"
    assert ["Of ann", "Of bob"] == [row.remarks for row in office.rows()]
    desk.platform.faults.clear()
    desk.platform.requests.clear()
    assert desk.sync()["accepted"] == 1
    sent = [method for method, path in desk.platform.requests if path.endswith(sha256)]
    assert (sent[0], sent.count("HEAD")) == ("HEAD", 1)
    assert office.rows()[-1].signature.sha256 == sha256


def test_attachments_of_others_are_downloaded(desk: Any, make_desk: Any, office: Any) -> None:
    """Attachments of records in scope are on the device after a sync (R44)."""
    sha256 = desk.store.stage(PNG, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(PNG), "type": "image/png", "name": "s.png"}
    desk.add("For Bob", signature=json.dumps(reference), assignee="ann")
    desk.sync()
    bob = make_desk("bob")
    bob.download()
    office.change(3, assignee="bob")
    assert bob.sync()["attachments"] == 1
    assert hashlib.sha256(bob.store.tables["attachments"][sha256]["blob"]).hexdigest() == sha256
    desk.sync()
    assert desk.remarks() == ["Of ann"], "a record that left the scope is gone (R46)"


def test_refused_file_is_named_and_sent_once(desk: Any, office: Any) -> None:
    """What the server does not take is reported; its record waits, others go through (R27)."""
    content = b"no picture at all"
    sha256 = desk.store.stage(content, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(content), "type": "image/png", "name": "s.png"}
    desk.add("Signed", signature=json.dumps(reference))
    desk.add("Other")
    desk.platform.requests.clear()
    report = desk.sync()
    assert (report["outcome"], report["accepted"], report["waiting"]) == ("done", 1, 1)
    assert "picture" in report["refused"][sha256]
    assert [method for method, path in desk.platform.requests if path.endswith(sha256)] == [
        "HEAD",
        "PATCH",
    ]
    assert sorted(desk.remarks()) == ["Of ann", "Other", "Signed"]
    assert [r.remarks for r in office.rows()] == ["Of ann", "Of bob", "Other"]
