"""A table that the office cannot read stops no other, and the worker is told (R27)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_server.scope.replication_plan import TablePlan
from inspections.app import app as inspections
from inspections.models import Finding, Inspection, Site

FINDING = {"findings[0].severity": "3", "findings[0].note": "Loose rail"}

Mend = Callable[[], None]


def unread(monkeypatch: pytest.MonkeyPatch, table: str) -> Mend:
    """Let the office fail while it reads one table, as a view does that raises."""
    usual = TablePlan.read

    def read(self: Any, session: Any, *more: Any) -> Iterator[Any]:
        if self.model.name == table:
            session.execute(sa.text("SELECT no_such_column FROM site"))
        yield from usual(self, session, *more)

    monkeypatch.setattr(TablePlan, "read", read)
    return monkeypatch.undo


def undecided(monkeypatch: pytest.MonkeyPatch, page: str) -> Mend:
    """Let a page's scope raise."""
    monkeypatch.setattr(inspections.pages[page], "scope", lambda user: {}[user.name])
    return monkeypatch.undo


BREAKS: dict[str, Callable[[pytest.MonkeyPatch], Mend]] = {
    "the rows cannot be read": lambda patch: unread(patch, "inspection"),
    "the scope raises": lambda patch: undecided(patch, "inspection"),
}


def facts(desk: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = list(desk.home.sync_overview(desk.home.user).facts)
    return found


def notes(desk: Any) -> list[str]:
    return [row.note for row in desk.rows(Finding)]


@pytest.mark.parametrize("kind", BREAKS)
def test_the_other_tables_arrive_and_the_worker_is_told(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What is here of it stays, the report and the pages say so, and the next sync brings it."""
    mend = BREAKS[kind](monkeypatch)
    office.change(1, score=12)
    office.write(lambda session: session.execute(sa.update(Site).values(town="Gouda")))

    report = desk.sync()

    assert ["Gouda", "Gouda"] == [row.town for row in desk.rows(Site)]
    assert [("Of ann", None)] == [(row.remarks, row.score) for row in desk.rows()]
    assert "done" == report["outcome"]
    assert "inspection" in report["failed"]
    assert report["failed"]["inspection"] in [p["message"] for p in report["problems"]]
    desk.restart()
    assert ("Not up to date", report["failed"]["inspection"]) in facts(desk)
    status = desk.home.status()
    words = "Not everything could be had from the office"
    assert ("attention", words) == (status["state"], status["words"])
    assert "Not up to date" in desk.get("/sync")["body"]

    mend()
    after = desk.sync()
    assert ({}, [], "clean") == (after["failed"], after["problems"], after["status"]["state"])
    assert [12] == [row.score for row in desk.rows()]
    assert ([], []) == (after["repaired"], after["unproven"])


@pytest.mark.parametrize("kind", BREAKS)
def test_a_first_download_goes_without_it(
    make_desk: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A new device begins with all that can be had, and gets the rest when it can."""
    mend = BREAKS[kind](monkeypatch)
    desk = make_desk()

    assert "done" == desk.download()["outcome"]
    first = desk.sync()

    assert (2, 0) == (len(desk.rows(Site)), len(desk.rows()))
    assert "inspection" in first["failed"]
    mend()
    desk.sync()
    assert ["Of ann"] == desk.remarks()


def test_what_the_office_has_applied_stays_on_the_screen(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirmed entry leaves the outbox only with the rows that it made, all of them."""
    part = {
        "findings[0].severity": "3",
        "findings[0].note": "Loose rail",
        "findings[0].__key": "-9",
    }
    desk.add("With a finding", **part)
    assert ["Loose rail"] == notes(desk)
    mend = unread(monkeypatch, "finding")

    for _ in range(2):
        desk.sync()
        assert ["Loose rail"] == [row.note for row in office.rows(Finding)]
        assert ["Of ann", "With a finding"] == sorted(desk.remarks())
        assert ["Loose rail"] == notes(desk)
        desk.restart()
        assert ["Loose rail"] == notes(desk)
        assert 1 == len(desk.home.outbox.entries)
        office.change(desk.rows()[-1].id, remarks="With a finding")

    mend()
    desk.sync()
    assert ["Loose rail"] == notes(desk)
    assert {} == desk.home.outbox.entries
    assert 1 == len(desk.home.outbox.history)


def test_what_the_office_changed_since_is_shown_beside_it(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an entry that stays only that is replayed which the replica lacks."""
    desk.add("Mine", **FINDING)
    unread(monkeypatch, "finding")
    desk.sync()
    key = next(row.id for row in office.rows() if row.remarks == "Mine")
    office.change(key, remarks="Theirs")

    desk.sync()

    assert ["Of ann", "Theirs"] == sorted(desk.remarks())
    assert ["Loose rail"] == notes(desk)
    assert [key] == [row.inspection_id for row in desk.rows(Finding)]


def test_damage_to_what_is_held_back_hides_nothing(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody knows what the replica lacks, entries are replayed whole."""
    desk.add("Mine", **FINDING)
    unread(monkeypatch, "finding")
    desk.sync()
    current = desk.store.tables["replica"]["current"]

    for damaged in (None, 7, {"of": 1}, {**current["held"], "numbers": "x", "tables": [1]}):
        desk.store.tables["replica"]["current"] = {**current, "held": damaged}
        assert desk.restart()["ready"], json.dumps(damaged)
        assert "Of ann" in desk.remarks()


def test_an_envelope_of_other_tables_leaves(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what says something of the missing table stays in the outbox."""
    unread(monkeypatch, "site")
    desk.add("Mine")

    desk.sync()

    assert {} == desk.home.outbox.entries
    assert isinstance(desk.rows()[0], Inspection)
