"""Saved work survives an update of the app, whatever changed in its models (R41, R48, R54, R56)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.text.canonical import canonical, digest
from fieldpost_client.main import Client
from inspections.app import app as inspections
from inspections.models import Inspection, Site

EDIT = "/pages/inspection/records/1/edit"


class Other(DeclarativeBase):
    """The models of an app that has become another one altogether."""


class Note(Other):
    """The only table that is left."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


def without_its_page() -> App:
    base = inspections.base
    return App("Inspections", base, name=inspections.name, pages=[Page(Site, read_only=True)])


def without_a_field() -> App:
    form = ["site", "inspected_on", "status", "remarks"]
    page = Page(Inspection, offline=True, form=form, create=False)
    return App("Inspections", inspections.base, name=inspections.name, pages=[page])


def with_other_models() -> App:
    return App("Notes", Other, name=inspections.name, pages=[Page(Note, offline=True)])


def started(desk: Any, app: App, version: str = "v2") -> dict[str, Any]:
    desk.client = Client(app, desk.platform, version)
    return asyncio.run(desk.client.start())


@pytest.mark.parametrize("changed", [without_its_page, without_a_field, with_other_models])
def test_a_pending_envelope_survives_an_update(desk: Any, changed: Callable[[], App]) -> None:
    """The device starts, lists the work and keeps its text to the byte (R48, R56)."""
    desk.save(EDIT, score="11", remarks="Mine")
    kept = desk.store.tables["outbox"][1]["envelope"]
    started(desk, changed())
    listed = desk.get("/sync")
    (entry,) = desk.home.outbox.entries.values()
    told = desk.get(f"/entries/{entry.envelope.id}")

    assert 200 == listed["status"]
    assert 'data-state="waiting"' in listed["body"]
    assert 200 == told["status"]
    assert "Mine" in told["body"]
    assert kept == entry.text == desk.store.tables["outbox"][1]["envelope"]


def test_after_the_update_is_undone_the_work_counts(desk: Any, office: Any) -> None:
    """An update that was a mistake costs nothing (R56)."""
    desk.save(EDIT, score="11", remarks="Mine")
    started(desk, with_other_models())
    desk.restart()
    desk.sync()

    assert (11, "Mine") == (office.rows()[0].score, office.rows()[0].remarks)


def test_an_envelope_of_the_first_format_is_sent_as_it_was_sealed(desk: Any, office: Any) -> None:
    """A device that was updated while work waited sends that work, and it counts (R48)."""
    desk.save(EDIT, score="11")
    stored = desk.store.tables["outbox"][1]
    (entry,) = desk.home.outbox.entries.values()
    data = {
        name: value
        for name, value in entry.envelope.content().items()
        if name not in ("after", "supersedes", "voids")
    }
    data["format"] = 1
    text = canonical({**data, "digest": digest(data)})
    stored["envelope"] = text
    desk.restart()
    report = desk.sync()

    assert ("done", 1) == (report["outcome"], report["accepted"])
    assert 11 == office.rows()[0].score
    assert [text] == [row.content for row in office.envelopes()]


def test_what_cannot_be_read_any_more_stays_stored(desk: Any) -> None:
    """A damaged entry, or one of a later edition, is kept, counted and said (R54, R56)."""
    desk.save(EDIT, score="11")
    stored = desk.store.tables["outbox"][1]
    stored["envelope"] = stored["envelope"].replace('"format":2', '"format":99')
    desk.restart()
    page = desk.get("/sync")

    assert "attention" == desk.home.status()["state"]
    assert "Unreadable on this device" in page["body"]
    assert stored == desk.store.tables["outbox"][1]
    assert "data-export" in page["body"]
