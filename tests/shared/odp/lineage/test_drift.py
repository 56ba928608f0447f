"""Envelopes of older editions of an app: read with the present names, or explained (R41, R48)."""

from typing import Any

import pytest

from apps.clinic import Base, Visit, app, own_visits
from apps.fakes import ADA, FakeHome, envelope, rows
from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.odp.lineage.drift import explained
from fieldpost.pages import Page
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

RENAMED = {
    "exam": "visit",
    "exam.points": "visit.score",
    "visit.points": "visit.score",
    "exams": "visit",
}
NEW = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "points": 45}


@pytest.fixture
def home() -> FakeHome:
    """A home of an app in which exams have become visits, and points a score."""
    page = Page(Visit, offline=True, scope=own_visits)
    ward = Page(app.pages["ward"].model, read_only=True, list=["code"])
    made = FakeHome(App("Clinic", Base, name="clinic", pages=[page, ward], renamed=RENAMED))
    made.add(*rows())
    return made


@pytest.mark.parametrize(
    ("page", "model"), [("exam", "exam"), ("exams", "exam"), ("visit", "visit")]
)
def test_former_names_are_read_as_the_present_ones(home: FakeHome, page: str, model: str) -> None:
    """A table, a page and a field may be renamed while envelopes wait (R48)."""
    insert = Operation("insert", model, (-1,), NEW)
    update = Operation("update", model, (1,), {"points": 55}, {"points": 50})
    found = home.do(insert, update, page=page)
    first = home.get(Visit, 1)

    assert Outcome.ACCEPTED is found.outcome, found.problems
    assert first is not None
    assert 55 == first.score
    assert [("visit", -1)] == [(k.model, k.temporary) for k in found.keys]


def test_a_problem_of_a_renamed_field_stands_at_its_present_name(home: FakeHome) -> None:
    """The worker finds it in the form of today (R41)."""
    found = home.do(Operation("insert", "exam", (-1,), {**NEW, "points": 1000}), page="exam")

    assert {"score"} == {p.path for p in found.problems}


@pytest.mark.parametrize(
    "renamed", [{"exam": "nothing"}, {"visit.a": "visit.b"}, {"exam.a": "visit"}]
)
def test_a_name_that_leads_nowhere_is_refused(renamed: dict[str, str]) -> None:
    """A typing mistake shows when the app is made."""
    with pytest.raises(DefinitionError, match="which the app does not have"):
        App("Clinic", Base, name="clinic", pages=[Page(app.pages["ward"].model)], renamed=renamed)


def test_what_is_gone_from_the_app_is_something_to_repair(home: FakeHome) -> None:
    """A field that an update took away is no breach of rights (R41)."""
    operation = Operation("update", "visit", (1,), {"mood": "good"}, {"mood": None})
    made = envelope(operation, app_version="old")
    found = home.replay(made)
    outcome, problems = explained(found.outcome, found.problems, made, "new")

    assert Outcome.FORBIDDEN is found.outcome
    assert Outcome.INVALID is outcome
    assert [Code.RULES_CHANGED, Code.MODEL_CHANGED] == [p.code for p in problems]
    assert "mood" in problems[1].message


@pytest.mark.parametrize(
    ("outcome", "version"),
    [(Outcome.INVALID, "new"), (Outcome.INVALID, ""), (Outcome.CONFLICT, "old")],
)
def test_where_nothing_has_changed_nothing_is_said(outcome: Outcome, version: str) -> None:
    """The words about an update come only where there was one, and where it may matter (R41)."""
    problems = (problem(Code.REQUIRED, "score", label="Score"),)
    made = envelope(Operation("delete", "visit", (1,)), app_version=version)

    assert (outcome, problems) == explained(outcome, problems, made, "new")


def test_a_refusal_of_rights_stays_one(home: FakeHome) -> None:
    """An update is no way around what a user may not do (R34, R41)."""
    denied: Any = problem(Code.ROW_FORBIDDEN)
    gone = problem(Code.UNKNOWN_FIELD, "mood", model="visit", field="mood")
    made = envelope(Operation("delete", "visit", (1,)), app_version="old")
    outcome, problems = explained(Outcome.FORBIDDEN, (denied, gone), made, "new")

    assert Outcome.FORBIDDEN is outcome
    assert [Code.RULES_CHANGED, Code.ROW_FORBIDDEN, Code.MODEL_CHANGED] == [
        p.code for p in problems
    ]
    assert home.app.renamed == RENAMED
