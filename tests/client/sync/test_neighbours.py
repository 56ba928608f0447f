"""Nothing holds up its neighbours: what one item stumbles over is its own, and is said."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fieldpost_client.platform.host import Fault

PHOTO = "/sync/attachments/"


def png(mark: str, size: int = 3_000) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + mark.encode() * size


def add_with_photo(desk: Any, remarks: str) -> str:
    """Save a record with a signature; return its digest."""
    content = png(remarks)
    sha256: str = desk.store.stage(content, "image/png", f"{remarks}.png")
    reference = {"sha256": sha256, "size": len(content), "type": "image/png", "name": "s.png"}
    desk.add(remarks, signature=json.dumps(reference))
    return sha256


def entries(desk: Any) -> dict[str, Any]:
    """Return what the sync page says of each open entry, by the words of its problems."""
    found = desk.home.sync_overview(desk.home.user).entries
    return {e.envelope: e for e in found if e.state in ("waiting", "attention")}


TROUBLES: dict[str, Callable[[str], list[Fault]]] = {
    "500": lambda path: [Fault(path, "status", status=500, times=99)],
    "503": lambda path: [Fault(path, "status", status=503, times=99)],
    "429": lambda path: [Fault(path, "status", status=429, times=99)],
    "415": lambda path: [Fault(path, "status", status=415, times=99, method="PATCH")],
    "405": lambda path: [Fault(path, "status", status=405, times=99)],
    "a page of something between": lambda path: [Fault(path, "portal", times=99)],
    "no way there": lambda path: [Fault(path, "request", times=99)],
    "a lost answer": lambda path: [Fault(path, "answer", times=99)],
    "silence": lambda path: [Fault(path, "silence", times=1)],
    "a sign-in is wanted": lambda path: [Fault(path, "status", status=401, times=1)],
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_photo_in_trouble_stops_nothing_else(desk: Any, office: Any, kind: str) -> None:
    """Whatever becomes of one photo, everything else goes and comes, and it says why (R27)."""
    bad = add_with_photo(desk, "First")
    desk.add("Second")
    add_with_photo(desk, "Third")
    office.change(1, score=12)
    desk.platform.faults += TROUBLES[kind](PHOTO + bad)

    report = desk.sync()

    applied = {row.remarks for row in office.rows()}
    assert {"Second", "Third"} <= applied
    assert [12] == [row.score for row in desk.rows() if row.remarks == "Of ann"]
    if "First" in applied:
        assert kind in {"a lost answer", "silence"}, "it got there all the same"
        return
    (entry,) = entries(desk).values()
    assert any("s.png" in words for words in entry.problems), entry.problems
    assert report["status"]["waiting"] + report["status"]["attention"] == 1


@pytest.mark.long
@pytest.mark.parametrize("kind", [k for k in TROUBLES if k not in ("415", "405")])
def test_all_is_settled_soon_after_the_last_trouble(desk: Any, office: Any, kind: str) -> None:
    """Within three syncs after the last fault everything has arrived (R27)."""
    photos = [add_with_photo(desk, name) for name in ("First", "Second", "Third")]
    desk.add("Fourth")
    for photo in photos:
        desk.platform.faults += TROUBLES[kind](PHOTO + photo)
    desk.platform.faults += TROUBLES[kind]("/sync/push")
    for _ in range(5):
        desk.sync()
    desk.platform.faults.clear()

    reports = [desk.sync() for _ in range(3)]

    assert {"First", "Second", "Third", "Fourth"} <= {row.remarks for row in office.rows()}
    assert ("done", 0) == (reports[-1]["outcome"], reports[-1]["status"]["waiting"])


def test_a_photo_that_cannot_be_loaded_stops_none_after_it(desk: Any, make_desk: Any) -> None:
    """Each attachment of others is loaded by itself, and what is missing is counted."""
    shas = [add_with_photo(desk, name) for name in ("A", "B", "C")]
    desk.sync()
    other = make_desk("ann")
    other.platform.faults += [
        Fault(f"{PHOTO}{shas[0]}", "status", status=500, times=99),
        Fault(f"{PHOTO}{shas[1]}", "request", times=99),
    ]
    assert "done" == other.download()["outcome"]

    report = other.sync()

    assert {shas[2]} == set(other.store.tables["attachments"])
    assert set(shas[:2]) == set(report["unloaded"])
    other.platform.faults.clear()
    other.sync()
    assert set(shas) == set(other.store.tables["attachments"])


def test_an_envelope_that_the_server_stumbles_over_stops_no_other(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that the server refuses whole, all are applied but the one it is about."""
    for name in ("One", "Two", "Three", "Four", "Five"):
        desk.add(name)
    poison = next(e for e in desk.home.outbox.entries.values() if "Three" in e.text)
    ask = desk.platform._ask

    async def refusing(method: str, path: str, headers: Any, body: Any, fault: Any) -> Any:
        if path == "/sync/push" and poison.text in (await desk.platform.gunzip(body)).decode():
            fault = Fault(path, "status", status=500)
        return await ask(method, path, headers, body, fault)

    monkeypatch.setattr(desk.platform, "_ask", refusing)
    desk.sync()

    assert {"One", "Two", "Four", "Five"} <= {row.remarks for row in office.rows()}
    (entry,) = entries(desk).values()
    assert poison.envelope.id == entry.envelope
    assert any("trouble of its own" in words for words in entry.problems)
    monkeypatch.undo()
    assert 0 == desk.sync()["status"]["waiting"]
    assert [] == list(entries(desk))


def test_reasons_outlive_a_restart(desk: Any) -> None:
    """Why an entry waits is kept with it, and goes when it does not wait any more."""
    bad = add_with_photo(desk, "First")
    desk.platform.faults += TROUBLES["500"](PHOTO + bad)
    desk.sync()
    before = [entry.problems for entry in entries(desk).values()]

    desk.restart()

    assert before == [entry.problems for entry in entries(desk).values()]
    desk.platform.faults.clear()
    desk.sync()
    assert [] == list(entries(desk))
