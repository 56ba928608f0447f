"""What is saved on the device is there, or the form stays open."""

from typing import Any

import pytest

from fieldpost_client.platform.memory import Crash
from inspections.models import Finding

NEW = "/pages/inspection/new"


def test_first_download_brings_the_scope(desk: Any) -> None:
    """Only the user's own records come, with what their lookups point to (R8)."""
    assert desk.remarks() == ["Of ann"]
    assert desk.client.home.status()["state"] == "clean"


def test_saved_record_is_listed_and_waits(desk: Any) -> None:
    """A saved record is in the list at once, marked as not yet synchronised (R23)."""
    answer = desk.add("Loose rail")
    assert answer["headers"]["location"].startswith("/pages/inspection/records/-1")
    assert "Loose rail" in desk.get("/pages/inspection/records/-1")["body"]
    page = desk.home.app.page("inspection")
    assert desk.home.open_entries(page).keys() == {(-1,)}
    assert desk.home.status()["words"] == "1 waiting"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_save_survives_a_crash(desk: Any, moment: str) -> None:
    """A power cut while saving leaves the whole record or nothing of it (R21)."""
    desk.store.crash = {desk.store.writes + 1: moment}
    fields = {
        **desk.form(NEW),
        "site": "1",
        "inspected_on": "2026-11-23",
        "remarks": "Kept",
        "findings[0]._key": "",
        "findings[0].severity": "3",
        "findings[0].note": "Loose rail",
    }
    with pytest.raises(Crash):
        desk.post(NEW, fields)
    assert desk.restart()["ready"]
    kept = moment == "after"
    assert ("Kept" in desk.remarks()) is kept
    assert [f.note for f in desk.rows(Finding)] == (["Loose rail"] if kept else [])
    desk.add("Next")
    assert desk.sync()["accepted"] == (2 if kept else 1)


@pytest.mark.parametrize(
    ("name", "words"), [("QuotaExceededError", "no space left"), ("AbortError", "could not store")]
)
def test_refused_write_keeps_the_form(desk: Any, name: str, words: str) -> None:
    """When the device cannot store it the form stays open with everything in it (R22)."""
    desk.store.fail = {desk.store.writes + 1: name}
    fields = {**desk.form(NEW), "site": "1", "inspected_on": "2026-11-23", "remarks": "Typed"}
    answer = desk.post(NEW, fields)
    assert answer["status"] in (422, 507)
    assert words in answer["body"]
    assert "Typed" in answer["body"]
    assert desk.remarks() == ["Of ann"]
    assert desk.home.outbox.entries == {}
    assert desk.post(NEW, fields)["status"] == 303
    assert [e.number for e in desk.home.outbox.entries.values()] == [1]
    assert desk.sync()["accepted"] == 1


def test_missing_photo_refuses_the_save(desk: Any, office: Any) -> None:
    """A record is never stored without its photo (R43)."""
    photo = {"sha256": "0" * 64, "size": 3, "type": "image/jpeg", "name": "p.jpg"}
    import json

    fields = {
        **desk.form(NEW),
        "site": "1",
        "inspected_on": "2026-11-23",
        "signature": json.dumps(photo),
    }
    answer = desk.post(NEW, fields)
    assert answer["status"] in (422, 507)
    assert "choose it again" in answer["body"]
    assert office.envelopes() == []


def test_unchanged_form_makes_no_envelope(desk: Any) -> None:
    """Saving a form in which nothing changed succeeds and makes no envelope (R18)."""
    desk.save("/pages/inspection/records/1/edit")
    assert desk.home.outbox.entries == {}
    assert desk.home.status()["state"] == "clean"


def test_temporary_keys_are_never_used_twice(desk: Any) -> None:
    """A temporary key belongs to one row for ever, restarts included (R31)."""
    desk.add("One")
    desk.restart()
    desk.add("Two")
    assert [row.id for row in desk.rows()] == [-2, -1, 1]


def test_envelopes_are_chained(desk: Any) -> None:
    """Each envelope names the digest of the one before and the local time."""
    desk.add("One")
    desk.restart()
    desk.add("Two")
    first, second = (desk.home.outbox.entries[n].envelope for n in (1, 2))
    assert (first.previous, second.previous) == ("", first.digest)
    assert first.saved_at.endswith("+00:00")


def test_draft_goes_with_the_save(desk: Any) -> None:
    """The draft is deleted in the transaction that stores the envelope (R17)."""
    desk.store.tables["drafts"][NEW] = {"fields": [], "saved_at": ""}
    desk.post(NEW, {**desk.form(NEW), "site": "1", "inspected_on": "2026-11-23"})
    assert NEW not in desk.store.tables["drafts"]


def test_pages_that_are_not_offline_are_elsewhere(desk: Any) -> None:
    """The device says of a page that is not offline that the server has it (R3)."""
    assert desk.get("/pages/contractor")["status"] == 421
    assert desk.get("/designer")["headers"] == {"fieldpost-elsewhere": "server"}
