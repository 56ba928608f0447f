"""A slow line, a line that cuts: limits of time are for silence, and progress is kept."""

import asyncio
import json
import random
from typing import Any

import pytest

from fieldpost.errors import Code
from fieldpost_client.platform.base import Unreachable
from fieldpost_client.platform.host import SILENCE_S, Fault
from fieldpost_client.sync.pace import Pace

pytestmark = pytest.mark.long


def photo(desk: Any, size: int, remarks: str = "Signed") -> str:
    content = b"\x89PNG\r\n\x1a\n" + b"x" * size
    sha256: str = desk.store.stage(content, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(content), "type": "image/png", "name": "s.png"}
    desk.add(remarks, signature=json.dumps(reference))
    return sha256


@pytest.mark.parametrize("rate", [1_000, 8_000, 200_000])
def test_a_photo_of_a_megabyte_arrives_however_slow_it_is(desk: Any, rate: int) -> None:
    """At 8,000 bytes a second a photo arrives in one sync, after the texts (R43)."""
    photo(desk, 1_000_000)
    desk.add("A text")
    desk.platform.bytes_a_second = rate

    report = desk.sync()

    assert ("done", 2) == (report["outcome"], report["accepted"])
    first = desk.platform.requests.index(("POST", "/sync/push"))
    uploads = [n for n, (m, _) in enumerate(desk.platform.requests) if m == "PATCH"]
    assert first < uploads[0], "the text went before the picture"


def test_many_texts_arrive_over_a_slow_line(desk: Any, office: Any) -> None:
    """A push is cut into batches that a slow line carries, each before silence would end it."""
    noise = random.Random(7)
    for number in range(30):
        desk.add(f"{number} {noise.randbytes(1_900).hex()}")
    desk.platform.bytes_a_second = 2_000
    reports = [desk.sync() for _ in range(3)]
    assert "done" in {report["outcome"] for report in reports}
    assert 32 == len(office.rows())


def test_pieces_take_a_few_seconds() -> None:
    """A piece is as large as the line carries in four seconds, between 4 KiB and 512 KiB."""
    pace = Pace()
    assert 64 << 10 == pace.piece
    pace.moved(pace.piece, (64 << 10) / 8_000)
    assert 32_000 == pace.piece
    pace.failed()
    assert 16_000 == pace.piece
    pace.moved(pace.piece, 16.0)
    assert 4 << 10 == pace.piece, "never smaller"
    for _ in range(5):
        pace.moved(pace.piece, 0.01)
    assert 512 << 10 == pace.piece, "never larger"


def test_what_was_sent_before_a_cut_is_not_sent_again(desk: Any) -> None:
    """Progress is kept in pieces: after cuts an upload goes on where it stood (R43)."""
    sha256 = photo(desk, 400_000)
    desk.platform.bytes_a_second = 8_000
    desk.platform.faults.append(Fault("/sync/attachments/", "request", skip=6, times=99))
    assert "offline" == desk.sync()["outcome"]
    there = desk.platform.requests.count(("PATCH", f"/sync/attachments/{sha256}"))
    assert there >= 2
    desk.platform.faults.clear()
    desk.platform.requests.clear()
    before = desk.platform.seconds
    assert "done" == desk.sync()["outcome"]
    assert desk.platform.seconds - before < 400_000 / 8_000 - 20


@pytest.mark.parametrize("seed", range(6))
def test_a_first_download_arrives_over_a_line_that_cuts(
    make_desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Where 30 % of connections are cut the first download arrives, and resumes (R13)."""
    fill(office)
    desk, chance = make_desk(), random.Random(seed)
    ask, sizes = desk.platform._ask, list[int]()

    async def cut(method: str, path: str, headers: Any, body: Any, fault: Any) -> Any:
        if chance.random() < 0.15:
            raise Unreachable("cut before")
        answer = await ask(method, path, headers, body, fault)
        if chance.random() < 0.15:
            raise Unreachable("cut after")
        if path == "/sync/image":
            sizes.append(len(answer.body))
        return answer

    monkeypatch.setattr(desk.platform, "_ask", cut)
    desk.client.sync.contact.down.smallest = desk.client.sync.contact.down.largest = 4_000
    for attempt in range(8):
        if "done" == desk.download()["outcome"]:
            break
        if attempt % 2:
            desk.restart()
            pace = desk.client.sync.contact.down
            pace.smallest = pace.largest = pace.piece = 4_000
    else:
        pytest.fail("it did not arrive")
    assert 401 == len(desk.rows())
    whole = int(sum(sizes))
    assert whole <= 1.2 * len(desk.client.home.state.pieces) * 256 * 1024
    desk.sync()
    assert [] == desk.home.state.report.get("repaired", [])


def fill(office: Any) -> None:
    from datetime import date

    from inspections.models import Inspection

    noise = random.Random(1)
    office.write(
        lambda session: session.add_all(
            Inspection(
                id=100 + n,
                site_id=1,
                inspected_on=date(2026, 11, 2),
                remarks=noise.randbytes(100).hex(),
                assignee="ann",
            )
            for n in range(400)
        )
    )


def test_a_download_resumes_after_a_kill(make_desk: Any, office: Any) -> None:
    """What has arrived of an image is stored piece by piece; a new start asks for the rest only."""
    fill(office)
    desk = make_desk()
    pace = desk.client.sync.contact.down
    pace.smallest = pace.largest = pace.piece = 8_000
    desk.platform.faults.append(Fault("/sync/image", "request", skip=3, times=99))
    assert "offline" == desk.download()["outcome"]
    arrived = desk.store.tables["replica"]["incoming"]["arrived"]
    assert 24_000 == arrived
    desk.platform.faults.clear()
    desk.restart()
    office.change(1, remarks="Changed meanwhile")

    assert "done" == desk.download()["outcome"]

    assert 1 == desk.platform.requests.count(("POST", "/sync/device")) - 1
    assert "incoming" not in desk.store.tables["replica"]
    assert [] == [name for name in desk.store.tables["pieces"] if "incoming" in str(name)]
    assert "Of ann" in desk.remarks(), "the image is of when it was made"
    desk.sync()
    assert "Changed meanwhile" in desk.remarks(), "the next sync brings what came since"


@pytest.mark.parametrize("harm", ["flipped", "short", "gone"])
def test_a_damaged_part_begins_again(make_desk: Any, office: Any, harm: str) -> None:
    """An image whose digest does not fit is never used: it is fetched anew by itself."""
    fill(office)
    desk = make_desk()
    pace = desk.client.sync.contact.down
    pace.smallest = pace.largest = pace.piece = 8_000
    desk.platform.faults.append(Fault("/sync/image", "request", skip=3, times=99))
    desk.download()
    desk.platform.faults.clear()
    pieces = desk.store.tables["pieces"]
    if harm == "gone":
        del pieces["incoming-1"]
    else:
        part = bytearray(pieces["incoming-1"])
        part[100] ^= 1
        pieces["incoming-1"] = bytes(part[: 4_000 if harm == "short" else None])

    assert "done" == desk.download()["outcome"]

    assert 401 == len(desk.rows())


NOTES: dict[str, Any] = {
    "no object": ["incoming"],
    "nothing of it": {},
    "a part lacks": {"cursor": None},
    "how far, as text": {"arrived": "24000"},
    "in how many parts, as text": {"parts": "3"},
    "in fewer than no parts": {"parts": -1},
    "in more parts than bytes": {"parts": 1 << 50},
    "further than its end": {"arrived": 1 << 50},
    "rows, as a list": {"rows": [1]},
    "rows, as text": {"rows": {"site": "1"}},
    "another digest": {"tag": "ab" * 32},
}


@pytest.mark.parametrize("kind", NOTES)
def test_a_damaged_note_of_a_download_begins_again(make_desk: Any, office: Any, kind: str) -> None:
    """What the device noted of how far it came may be anything: the first download arrives."""
    fill(office)
    desk = make_desk()
    pace = desk.client.sync.contact.down
    pace.smallest = pace.largest = pace.piece = 8_000
    desk.platform.faults.append(Fault("/sync/image", "request", skip=3, times=99))
    desk.download()
    desk.platform.faults.clear()
    kept, harm = desk.store.tables["replica"], NOTES[kind]
    kept["incoming"] = {**kept["incoming"], **harm} if harm and isinstance(harm, dict) else harm

    assert "done" == desk.download()["outcome"]

    assert 401 == len(desk.rows())


def test_a_sync_can_be_stopped(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped sync says so, keeps what has arrived, and the next one does the rest."""
    photo(desk, 300_000)
    desk.add("A text")
    ask = desk.platform._ask

    async def stopping(method: str, path: str, headers: Any, body: Any, fault: Any) -> Any:
        answer = await ask(method, path, headers, body, fault)
        if method == "PATCH":
            desk.client.sync.cancel()
        return answer

    monkeypatch.setattr(desk.platform, "_ask", stopping)
    report = desk.sync()
    assert "cancelled" == report["outcome"]
    assert [str(Code.SYNC_STOPPED)] == [p["code"] for p in report["problems"]]
    assert (1, "waiting") == (report["accepted"], report["status"]["state"])
    monkeypatch.undo()
    assert ("done", 1) == ((now := desk.sync())["outcome"], now["accepted"])


def test_silence_ends_a_sync_in_minutes(desk: Any) -> None:
    """A server that never answers costs one silence, and nothing is lost."""
    desk.add("A text")
    desk.platform.faults.append(Fault("/", "silence", times=99))
    report = desk.sync()
    assert ("offline", 1) == (report["outcome"], report["status"]["waiting"])
    assert SILENCE_S == desk.platform.seconds


def test_work_goes_on_while_a_sync_waits(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an upload is under way a person saves, and what she saves goes with the next sync."""
    photo(desk, 300_000)
    fields = {**desk.form("/pages/inspection/records/1/edit"), "remarks": "Meanwhile"}
    ask, saved = desk.platform._ask, list[int]()

    async def busy(method: str, path: str, headers: Any, body: Any, fault: Any) -> Any:
        if method == "PATCH" and not saved:
            from client_forms import posted

            path_of_form = "/pages/inspection/records/1/edit"
            answer = await desk.client.request(posted(path_of_form, fields))
            saved.append(answer["status"])
            await asyncio.sleep(0)
        return await ask(method, path, headers, body, fault)

    monkeypatch.setattr(desk.platform, "_ask", busy)
    report = desk.sync()
    assert ([303], "done", 1) == (saved, report["outcome"], report["status"]["waiting"])
