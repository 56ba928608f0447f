"""Odd answers: a part that is missing, or is something else, is no answer, and changes nothing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from fieldpost_client.platform.base import Answer
from fieldpost_client.platform.host import Fault
from fieldpost_client.sync import synchroniser
from fieldpost_client.sync.incoming import Incoming, load_incoming

ODD: tuple[Any, ...] = (None, 5, -1, "x", True, [], [5], [[]], {}, {"x": 5}, {"inspection": [5]})
"""What may stand where something else should; and nothing at all, which is told by `...`."""
ABOUT = ("user", "user.name", "user.roles", "user.display_name")
SETTINGS = ("settings", "settings.offline", "settings.pages", "settings.limits")
ARRIVED = ("arrived", "arrived.number", "arrived.missing", "signing_keys")
DEVICE = (*ABOUT, *SETTINGS, *ARRIVED, "number")
PULL = (
    *(*ABOUT, *SETTINGS, *ARRIVED),
    *("cursor", "reset", "put", "remove", "replace", "failed", "digests", "digests.inspection"),
)
IMAGE = ("fieldpost-rows", "fieldpost-cursor", "etag", "content-range")


def altered(answer: Answer, part: str, odd: Any) -> Answer:
    """Return an answer in which a part is something else."""
    if part in IMAGE:
        headers = {name: value for name, value in answer.headers.items() if name != part}
        if odd is not ...:
            headers[part] = json.dumps(odd)
        return replace(answer, headers=headers)
    data = json.loads(answer.body)
    *above, last = part.split(".")
    place = data
    for name in above:
        place = place[name]
    if odd is ...:
        place.pop(last, None)
    else:
        place[last] = odd
    return replace(answer, body=json.dumps(data).encode())


def answering(desk: Any, monkeypatch: pytest.MonkeyPatch, path: str, part: str, odd: Any) -> None:
    """Make the office answer one call oddly."""
    ask = desk.platform._ask

    async def asked(method: str, where: str, *more: Any) -> Answer:
        answer: Answer = await ask(method, where, *more)
        if not where.startswith(path) or answer.status >= 300:
            return answer
        return altered(answer, part, odd)

    monkeypatch.setattr(desk.platform, "_ask", asked)


def about(desk: Any) -> tuple[Any, Any]:
    """Return what is stored of whose device it is, and of its settings."""
    session = desk.store.tables["session"]
    return session.get("user"), session.get("settings")


def try_all(desk_of: Callable[[], Any], path: str, part: str, call: str) -> None:
    """Try every odd value of a part; afterwards the device is as it was, and does its work."""
    # as whom she is greeted the first time is whose device it is
    for odd in (..., *(v for v in ODD if (part, call, v) != ("user.name", "download", "x"))):
        desk = desk_of()
        before = about(desk)
        with pytest.MonkeyPatch.context() as patch:
            answering(desk, patch, path, part, odd)
            report = getattr(desk, call)()
        assert desk.home.activity != "working", odd
        assert report["outcome"] in ("done", "offline", "trouble"), odd
        assert "unexpected" not in {p["code"] for p in report["problems"]}, (odd, report)
        if report["outcome"] != "done" and path != "/sync/image":
            assert before == about(desk), odd
        desk.restart()
        assert "done" == getattr(desk, call)()["outcome"], odd
        assert ["Of ann"] == desk.remarks(), odd


@pytest.mark.long
@pytest.mark.parametrize("part", DEVICE)
def test_a_registration_is_whole_or_none(make_desk: Any, part: str) -> None:
    """Whatever a registration lacks, the first download says so, ends, and works the next time."""
    try_all(make_desk, "/sync/device", part, "download")


@pytest.mark.long
@pytest.mark.parametrize("part", IMAGE)
def test_an_image_is_told_whole_or_none(make_desk: Any, part: str) -> None:
    """Whatever an image's headers lack, the first download ends, and works the next time."""
    try_all(make_desk, "/sync/image", part, "download")


@pytest.mark.long
@pytest.mark.parametrize("part", PULL)
def test_a_pull_is_whole_or_none(make_desk: Any, part: str) -> None:
    """Whatever a pull lacks, nothing of it is kept, the sync ends, and the next one works."""

    def downloaded() -> Any:
        desk = make_desk()
        desk.download()
        return desk

    try_all(downloaded, "/sync/pull", part, "sync")


def test_whatever_fails_a_first_download_ends(
    make_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody has thought of is said, and the device is not at work for ever."""
    desk = make_desk()

    async def fails(*_: Any) -> None:
        raise RuntimeError("nobody has thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(synchroniser, "install_image", fails)
        report = desk.download()
    assert ("trouble", ["unexpected"]) == (
        report["outcome"],
        [str(p["code"]) for p in report["problems"]],
    )
    assert "trouble" == desk.home.activity
    assert "done" == desk.download()["outcome"]


def test_whatever_fails_afterwards_a_sync_ends(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that stopped says so, also where what it has changed cannot be shown."""
    desk.add("Other")

    async def fails(*_: Any) -> None:
        raise RuntimeError("nobody has thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(desk.home, "rebuild", fails)
        desk.platform.faults.append(Fault("/sync/pull", "request"))
        report = desk.sync()
    assert ("offline", 1) == (report["outcome"], report["accepted"])
    assert "offline" == desk.home.activity
    assert "done" == desk.sync()["outcome"]


def test_a_download_goes_on_that_lacks_a_table(make_desk: Any) -> None:
    """What has arrived of an image counts, also where the office could not read a table of it."""
    desk = make_desk()
    told = {"inspection": 1, "site": None}
    found = Incoming("0" * 64, 9, "c", told, 5, 1)
    desk.store.tables["replica"]["incoming"] = asdict(found)

    assert found == asyncio.run(load_incoming(desk.platform))
