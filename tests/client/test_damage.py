"""Damage is never read as success: a device always starts, mends what it can, and says the rest.

R21, R22, R26, R46.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from fieldpost_client.platform.memory import HostStore

pytestmark = pytest.mark.long  # its cases are made up by the hundred

EDIT = "/pages/inspection/records/1/edit"
MISSING = object()


def flipped(value: Any) -> Any:
    """Return a value of the same kind in which one bit is another."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\1"
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:] if value else "\1"
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value ^ 1
    text = json.dumps(value)
    middle = len(text) // 2
    return text[:middle] + chr(ord(text[middle]) ^ 1) + text[middle + 1 :]


def halved(value: Any) -> Any:
    """Return the first half of a value."""
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    return value[: len(value) // 2] if isinstance(value, str | bytes | list) else None


def emptied(value: Any) -> Any:
    """Return the empty value of the same kind."""
    return type(value)() if value is not None else None


def retyped(value: Any) -> Any:
    """Return a value of another kind."""
    return [{"other": 1}] if isinstance(value, int | str | bytes) or value is None else 7.5


WAYS: dict[str, Callable[[Any], Any]] = {
    "missing": lambda _: MISSING,
    "flipped": flipped,
    "halved": halved,
    "emptied": emptied,
    "retyped": retyped,
    "null": lambda _: None,
}


@pytest.fixture
def ready(desk: Any) -> Any:
    """A device with a history, a draft, two entries that wait, and a photo with one of them."""
    desk.add("Settled")
    assert desk.sync()["outcome"] == "done"
    sha256 = desk.store.stage(b"\xff\xd8\xff photo", "image/jpeg")
    signature = {"sha256": sha256, "size": 9, "type": "image/jpeg", "name": "p.jpg"}
    desk.add("Waits", signature=json.dumps(signature))
    desk.save(EDIT, score="12")
    desk.store.tables["drafts"]["/pages/inspection/new#1"] = {"fields": [], "user": "ann"}
    return desk


def damage(store: HostStore, table: str, key: Any, way: str) -> None:
    value = WAYS[way](copy.deepcopy(store.tables[table][key]))
    if value is MISSING:
        del store.tables[table][key]
    else:
        store.tables[table][key] = value


def settle(desk: Any) -> dict[str, Any]:
    """Start, get what is missing, and sync as often as it may take."""
    started = desk.restart()
    if not started["ready"]:
        assert "download" == started["needs"]
        assert "done" == desk.download()["outcome"]
    for _ in range(3):
        report: dict[str, Any] = desk.sync()
    return report


SESSION = (
    "device",
    "user",
    "settings",
    "next_number",
    "last_digest",
    "next_temporary",
    "is_new",
    "sent_to",
    "keys",
    "trust",
    "last_sync",
    "report",
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SESSION)
def test_what_a_device_knows_of_itself_is_mended(
    ready: Any, office: Any, name: str, way: str
) -> None:
    """Whatever becomes of a value of the session, all that waits arrives once (R26)."""
    assert name in ready.store.tables["session"]
    damage(ready.store, "session", name, way)
    report = settle(ready)

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert ["Of ann", "Of bob", "Settled", "Waits"] == sorted(r.remarks for r in office.rows())
    assert 12 == office.rows()[0].score
    ready.add("Afterwards")
    assert 1 == ready.sync()["accepted"]
    assert 5 == len(office.rows())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("table", ["replica", "pieces", "history"])
def test_copies_are_had_again(ready: Any, office: Any, table: str, way: str) -> None:
    """The replica and what is in the history are at the office: what waits loses nothing."""
    key = next(iter(ready.store.tables[table]))
    damage(ready.store, table, key, way)
    report = settle(ready)

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert ["Of ann", "Of bob", "Settled", "Waits"] == sorted(r.remarks for r in office.rows())
    assert ready.restart()["ready"]
    assert ["Of ann", "Settled", "Waits"] == sorted(ready.remarks())


PARTS = (
    "state",
    "receipt",
    "page",
    "title",
    "record",
    "opened",
    "discarded",
    "signed",
    "recalled",
    "forms",
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", PARTS)
def test_an_entry_whose_envelope_is_whole_arrives(
    ready: Any, office: Any, part: str, way: str
) -> None:
    """What is damaged beside the envelope changes nothing of what is sent (R26)."""
    entry = ready.store.tables["outbox"][2]
    damage_part(entry, part, way)
    ready.restart()
    assert "clean" != ready.home.status()["state"]
    assert 200 == ready.get("/sync")["status"]
    assert 200 == ready.get("/pages/inspection")["status"]
    report = settle(ready)

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert ["Of ann", "Of bob", "Settled", "Waits"] == sorted(r.remarks for r in office.rows())


def damage_part(entry: dict[str, Any], part: str, way: str) -> None:
    value = WAYS[way](copy.deepcopy(entry[part]))
    if value is MISSING:
        del entry[part]
    else:
        entry[part] = value


@pytest.mark.parametrize("state", ["confirmed", "settled", "sent", "pendinf", 1, None])
def test_no_state_without_proof_is_success(ready: Any, office: Any, state: Any) -> None:
    """An entry that says it is settled, and has no receipt, waits and is sent (R26)."""
    for number in (2, 3):
        ready.store.tables["outbox"][number]["state"] = state
    ready.restart()

    assert "2 waiting" == ready.home.status()["words"]
    assert "clean" == ready.sync()["status"]["state"]
    assert 4 == len(office.rows())


@pytest.mark.parametrize("way", ["flipped", "halved", "emptied", "retyped", "null", "envelope"])
def test_an_entry_that_cannot_be_read_is_said_and_kept(ready: Any, office: Any, way: str) -> None:
    """Its number is used by nothing else, the others go, and nobody reads "synchronised" (R46)."""
    entries = ready.store.tables["outbox"]
    if way in ("envelope", "halved"):
        change = flipped if way == "envelope" else halved
        entries[2]["envelope"] = change(entries[2]["envelope"])
    else:
        damage(ready.store, "outbox", 2, way)
    kept = copy.deepcopy(entries[2])
    ready.restart()
    assert "attention" == ready.home.status()["state"]
    assert "Unreadable on this device" in ready.get("/sync")["body"]
    report = settle(ready)

    assert "attention" == report["status"]["state"]
    assert kept == ready.store.tables["outbox"][2]
    assert 12 == office.rows()[0].score
    ready.add("Afterwards")
    assert ready.sync()["accepted"] == 1
    assert "Afterwards" in [r.remarks for r in office.rows()]


@pytest.mark.parametrize("way", ["missing", "bytes", "emptied", "retyped", "null"])
def test_a_photo_whose_bytes_are_gone_holds_up_only_its_entry(
    ready: Any, office: Any, way: str
) -> None:
    """That entry says what it waits for; the others go."""
    (sha256,) = ready.store.tables["attachments"]
    if way == "bytes":
        file = ready.store.tables["attachments"][sha256]
        file["blob"] = flipped(file["blob"])
    else:
        damage(ready.store, "attachments", sha256, way)
    report = settle(ready)

    assert 12 == office.rows()[0].score
    assert "clean" != report["status"]["state"]
    assert "pictures or files" in ready.get("/sync")["body"]


OF_A_FILE = [*(way for way in WAYS if way not in ("flipped", "halved")), "bytes", "no bytes"]


@pytest.mark.parametrize("way", OF_A_FILE)
def test_a_picture_that_the_office_has_is_loaded_again(
    ready: Any, make_desk: Callable[..., Any], way: str
) -> None:
    """Whatever becomes of a downloaded file, or of one that was sent, the next sync mends it."""
    ready.sync()
    other = make_desk("ann")
    assert "done" == other.download()["outcome"]
    other.sync()
    for desk in (ready, other):
        ((sha256, kept),) = copy.deepcopy(desk.store.tables["attachments"]).items()
        if way in ("bytes", "no bytes"):
            content = flipped(kept["blob"]) if way == "bytes" else None
            desk.store.tables["attachments"][sha256]["blob"] = content
        else:
            damage(desk.store, "attachments", sha256, way)
        desk.restart()

        report = desk.sync()

        assert ("done", 1) == (report["outcome"], report["attachments"])
        assert kept["blob"] == desk.store.blob(sha256)
        assert 0 == desk.sync()["attachments"]


@pytest.mark.parametrize("way", [way for way in OF_A_FILE if way != "bytes"])
def test_a_chosen_file_that_is_gone_is_said_before_anything_is_saved(ready: Any, way: str) -> None:
    """A form with a staged file that is lost is not saved without it; saved again it goes (R21)."""
    content = b"\xff\xd8\xff chosen"
    sha256 = ready.store.stage(content, "image/jpeg", "chosen.jpg")
    if way == "no bytes":
        ready.store.tables["staged"][sha256]["blob"] = None
    else:
        damage(ready.store, "staged", sha256, way)
    reference = {"sha256": sha256, "size": len(content), "type": "image/jpeg", "name": "chosen.jpg"}
    new = "/pages/inspection/new"
    fields = {**ready.form(new), "site": "1", "inspected_on": "2026-11-23", "remarks": "Chosen"}
    fields["signature"] = json.dumps(reference)
    before = copy.deepcopy(ready.store.tables["outbox"])

    answer = ready.post(new, fields)

    assert 303 != answer["status"]
    assert "Chosen" in answer["body"]
    assert "not saved" in answer["body"].lower() or "could not" in answer["body"].lower()
    assert before == ready.store.tables["outbox"]
    assert ready.restart()["ready"]
    ready.store.stage(content, "image/jpeg", "chosen.jpg")
    assert 303 == ready.post(new, fields)["status"]


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_draft_stops_no_start_and_no_entry(ready: Any, office: Any, way: str) -> None:
    """Drafts are the shell's: the device's Python starts and sends whatever they have become."""
    damage(ready.store, "drafts", "/pages/inspection/new#1", way)
    report = settle(ready)

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert ["Of ann", "Of bob", "Settled", "Waits"] == sorted(r.remarks for r in office.rows())


def test_an_entry_says_which_file_it_lacks_and_what_to_do(ready: Any) -> None:
    """The worker reads the file's name and its field, and can go on (R46)."""
    (sha256,) = ready.store.tables["attachments"]
    ready.store.tables["attachments"][sha256]["blob"] = None
    ready.sync()

    (entry,) = [e for e in ready.home.sync_overview(ready.home.user).entries if e.problems]
    assert "p.jpg" in " ".join(entry.problems)
    assert entry.can_repair or entry.can_discard


def test_who_has_lost_her_role_still_can_send(ready: Any, office: Any) -> None:
    """The role is taken while entries wait: Sync and its page stay on the device."""
    user = ready.store.tables["session"]["user"]
    ready.store.tables["session"]["user"] = {**user, "roles": []}
    assert ready.restart()["ready"]
    for path in ("/", "/sync"):
        page = ready.get(path)
        assert 200 == page["status"]
        assert 'id="sync"' in page["body"]
    assert "done" == ready.sync()["outcome"]
    assert 12 == office.rows()[0].score
