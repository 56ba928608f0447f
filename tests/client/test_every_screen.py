"""Every screen in every state of the outbox: what is true, and the next step (R21, R24)."""

import asyncio
import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fates import Fate, fall
from fieldpost.errors import Code
from fieldpost.wire.receipts import Outcome
from fieldpost_client.outbox.outbox import ATTENTION, PENDING
from fieldpost_client.sync.push import Push

pytestmark = pytest.mark.long

RECORDS = "/pages/inspection/records"
BADGES = {PENDING: "waiting", ATTENTION: "attention"}
_LINK = re.compile(r'<a\b[^>]*?href="([^"#]+)"')
_OTHERS = re.compile("^/assets|^/manifest|sort=")

Act = Callable[[Any, Any], None]


# what a worker does


def _insert(desk: Any, office: Any) -> None:  # noqa: ARG001 - one shape for all
    desk.add("Made here")


def _edit(desk: Any, office: Any) -> None:  # noqa: ARG001 - one shape for all
    desk.save(f"{RECORDS}/1/edit", score="17")


def _edit_twice(desk: Any, office: Any) -> None:
    _edit(desk, office)
    desk.save(f"{RECORDS}/1/edit", remarks="Once more")


def _edit_on_top(desk: Any, office: Any) -> None:
    _edit(desk, office)
    # it may have been sent, so that what follows is an entry of its own
    asyncio.run(Push(desk.home).gather())
    desk.save(f"{RECORDS}/1/edit", remarks="On top")


def _insert_and_edit(desk: Any, office: Any) -> None:
    _insert(desk, office)
    key = min(row.id for row in desk.rows())
    desk.save(f"{RECORDS}/{key}/edit", remarks="Once more")


def _delete(desk: Any, office: Any) -> None:  # noqa: ARG001 - one shape for all
    assert 303 == desk.post(f"{RECORDS}/1/delete", {})["status"]


def _insert_and_delete(desk: Any, office: Any) -> None:
    _insert(desk, office)
    key = min(row.id for row in desk.rows())
    assert 303 == desk.post(f"{RECORDS}/{key}/delete", {})["status"]


def _in_conflict(desk: Any, office: Any) -> str:
    _edit(desk, office)
    office.change(1, score=22)
    desk.sync()
    (refused,) = desk.home.outbox.of_state(ATTENTION)
    return f"/repair/{refused.envelope.id}"


def _repair(desk: Any, office: Any) -> None:
    address = _in_conflict(desk, office)
    assert 303 == desk.post(address, {**desk.form(address), "score": "18"})["status"]


def _discard(desk: Any, office: Any) -> None:
    address = _in_conflict(desk, office)
    assert 303 == desk.post(f"{address}/discard", {})["status"]


def _take_back(desk: Any, office: Any) -> None:
    _insert(desk, office)
    (entry,) = desk.home.outbox.entries.values()
    assert 303 == desk.post(f"/repair/{entry.envelope.id}/discard", {})["status"]


ACTS: tuple[Act, ...] = (
    _insert,
    _edit,
    _edit_twice,
    _edit_on_top,
    _insert_and_edit,
    _delete,
    _insert_and_delete,
    _repair,
    _discard,
    _take_back,
)


# what becomes of it


FATES = (
    Fate("waiting"),
    Fate("in conflict", Outcome.CONFLICT, (Code.CHANGED_BY_OTHERS,)),
    Fate("deleted by others", Outcome.CONFLICT, (Code.DELETED_BY_OTHERS,)),
    Fate("in doubt", Outcome.CONFLICT, (Code.MADE_SINCE,)),
    Fate("applied in the meantime", Outcome.CONFLICT, (Code.ALREADY_APPLIED,)),
    Fate("settled in the meantime", Outcome.CONFLICT, (Code.ALREADY_SETTLED,)),
    Fate("invalid", Outcome.INVALID, (Code.REQUIRED, Code.REPLAY_FAILED)),
    Fate("forbidden", Outcome.FORBIDDEN, (Code.ROW_FORBIDDEN, Code.OPERATION_FORBIDDEN)),
    Fate("mismatch", Outcome.MISMATCH, (Code.NUMBER_TAKEN,)),
    Fate("to be sent again", Outcome.RETRY, (Code.SERVER_TROUBLE,)),
    Fate("held up by another", Outcome.WAITING, (Code.PREDECESSOR_OPEN,)),
    Fate("held up by a gap", Outcome.WAITING, (Code.PREDECESSOR_MISSING,)),
    Fate("held up by its pictures", Outcome.WAITING, (Code.ATTACHMENT_MISSING,)),
    Fate("confirmed, not pulled", Outcome.ACCEPTED),
    Fate("merged, not pulled", Outcome.MERGED),
    Fate("discarded at the office", Outcome.CONFLICT, (), "discarded"),
    Fate("repaired at the office", Outcome.CONFLICT, (), "superseded"),
)


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__.strip("_"))
def test_every_screen_in_every_state(desk: Any, office: Any, act: Act, fate: Fate) -> None:
    """No screen fails, and each says how it stands, at once and after a restart (R21, R24, R25)."""
    act(desk, office)
    fall(desk, fate)
    asyncio.run(desk.home.rebuild())
    for restarts in (True, False):
        pages = walk(desk)
        check_pill(desk, pages)
        check_entries(desk, pages)
        check_lists(desk, pages)
        check_records(desk, pages)
        if restarts:
            desk.restart()


def walk(desk: Any) -> dict[str, str]:
    """Follow every link from the start, and open what has been there; return bodies by address."""
    left = ["/", "/sync", *(f"{RECORDS}/1{each}" for each in ("", "/edit", "/delete"))]
    every = (*desk.home.outbox.entries.values(), *desk.home.outbox.history.values())
    for entry in every:
        identity = entry.envelope.id
        left += [f"/entries/{identity}", f"/repair/{identity}", f"/repair/{identity}/discard"]
    found: dict[str, str] = {}
    while left:
        path = html.unescape(left.pop(0))
        if path in found or not path.startswith("/") or _OTHERS.search(path):
            continue
        answer = desk.get(path)
        if answer["status"] == 421:
            continue
        if answer["status"] in (302, 303, 307):
            left.append(answer["headers"]["location"])
            continue
        found[path] = check_page(path, answer)
        left += _LINK.findall(found[path])
    return found


def check_page(path: str, answer: dict[str, Any]) -> str:
    """Whatever is asked for is there, or is gone in words with a way on."""
    body: str = answer["body"]
    main = body.partition("<main")[2]
    assert answer["status"] in (200, 404), (path, main)
    assert "unexpected" not in main, (path, main)
    assert re.search(r"<(a|button)\b", main), f"{path} leads nowhere"
    assert "Inspections: <" not in main, f"{path}: something has no title"
    return body


def check_pill(desk: Any, pages: dict[str, str]) -> None:
    """Its number and where it leads are those of the outbox, on every page."""
    status = desk.home.status()
    wanted = str(status["attention"] or status["waiting"] or "")
    leads = [f'data-to="{status["to"]}"'] if status["attention"] else []
    for path, body in pages.items():
        pill = body.partition('id="sync"')[2].partition("</a>")[0]
        assert wanted == re.findall(r'sync-count">(\d*)<', pill)[0], path
        assert leads == re.findall(r'data-to="[^"]*"', pill), path


def check_entries(desk: Any, pages: dict[str, str]) -> None:
    """The sync page has each entry with its state; what needs a person comes first, with Repair."""
    parts = pages["/sync"].split('<li class="entry"')[1:]
    states = [re.findall(r'data-state="(\w+)"', part)[0] for part in parts]
    assert states == sorted(states, key=lambda s: {"attention": 0, "waiting": 1}.get(s, 2))
    assert desk.home.status()["attention"] == states.count("attention")
    for state, part in zip(states, parts, strict=True):
        assert (state == "attention") == bool(re.search('href="/repair/[^"/]+"', part))
        assert 'href="/entries/' in part


def check_lists(desk: Any, pages: dict[str, str]) -> None:
    """A row whose entry is open says how that stands."""
    entries = desk.home.open_entries(desk.home.app.pages["inspection"])
    shown = {row.id for row in desk.rows()}
    states = [entry.state for key, entry in entries.items() if key[0] in shown]
    rows = pages["/pages/inspection"].split("<tr")
    for state, words in (("waiting", "Waiting"), ("attention", "Needs attention")):
        marked = [row for row in rows if f'class="{state}"' in row.partition(">")[0]]
        assert states.count(state) == len(marked)
        assert all(f">{words}</span>" in row for row in marked)


def check_records(desk: Any, pages: dict[str, str]) -> None:
    """A record in trouble says so and leads to its repair; one that is gone leads to its entry."""
    entries = desk.home.open_entries(desk.home.app.pages["inspection"])
    shown = {row.id for row in desk.rows()}
    for key, entry in entries.items():
        body = pages.get(f"{RECORDS}/{key[0]}") or desk.get(f"{RECORDS}/{key[0]}")["body"]
        main = body.partition("<main")[2]
        if key[0] in shown:
            is_in_trouble = entry.state == "attention"
            assert is_in_trouble == (f'href="/repair/{entry.envelope}">Repair</a>' in main)
            assert not is_in_trouble or html.escape(entry.words) in main.replace("&#39;", "&#x27;")
        else:
            assert f'href="/entries/{entry.envelope}"' in main


def test_what_the_banner_says_of_the_values_is_true(desk: Any, office: Any) -> None:
    """Where the office's values are shown it says so, and where the worker's are as well (R25)."""
    _in_conflict(desk, office)
    of_the_office = desk.get(f"{RECORDS}/1")["body"]
    desk.add("Refused")
    fall(desk, next(fate for fate in FATES if fate.name == "invalid"))
    mine = desk.get(f"{RECORDS}/{min(row.id for row in desk.rows())}")["body"]

    assert (22, True) == (
        desk.rows()[-1].score,
        "What you see here is what the office has" in of_the_office,
    )
    assert "What you see here is what you saved; the office does not have it." in mine


def test_a_waiting_deletion_is_called_by_its_record(desk: Any, office: Any) -> None:
    """Which record it was is known when it is gone (R24)."""
    _delete(desk, office)
    (entry,) = desk.home.outbox.entries.values()
    page = desk.get("/sync")["body"]

    assert "North bridge, 1 Nov 2026" == entry.title
    assert 'North bridge, 1 Nov 2026 <span class="row-done">Deleted</span>' in page


def test_an_entry_that_cannot_be_read_is_said_with_a_way_on(desk: Any, office: Any) -> None:
    """The pill counts it, and the sync page says what to do about it (R24)."""
    _insert(desk, office)
    (entry,) = desk.home.outbox.entries.values()
    asyncio.run(desk.store.write([("put", "outbox", entry.number, {"envelope": "?"})]))
    desk.restart()
    page = desk.get("/sync")["body"]

    assert ("attention", 1, "/sync") == tuple(
        desk.home.status()[name] for name in ("state", "attention", "to")
    )
    assert "1 entry on this device cannot be read" in page
    assert "data-export" in page


def test_without_a_sync_nothing_is_said_to_be_proven(desk: Any, office: Any) -> None:  # noqa: ARG001
    """A device with nothing to send says since when it is in step, also after a start (R24)."""
    desk.sync()
    last = desk.home.state.last_sync
    desk.restart()
    status = desk.home.status()
    desk.home.state = replace(desk.home.state, last_sync=None)

    assert last
    assert status["words"].startswith("Everything synchronised on ")
    assert "Nothing waits" == desk.home.status()["words"]
