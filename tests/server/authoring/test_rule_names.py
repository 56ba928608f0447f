"""A rule that misspells a field is named before its words lead nowhere (R61)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.clinic import Patient, Visit, app
from fieldpost.rules import _registered, rule
from fieldpost_server.authoring.rule_names import misnamed_fields


def yields_a_field(patient: Patient) -> Iterator[tuple[str, str]]:
    if patient.name:
        yield "nmae", "Say more."


def returns_one(patient: Patient) -> tuple[str, str]:
    return "wrad.code", patient.name


def yields_a_child(patient: Patient) -> Iterator[tuple[str, str]]:
    yield "visits[0].score", patient.name


def names_what_there_is(patient: Patient) -> Iterator[Any]:
    yield "name", "By its name."
    yield "ward", "By its lookup."
    yield "ward_code", "By its attribute."
    yield "Of the whole."
    yield "", "Of the whole."
    yield f"{patient.name}", "By what nobody knows before."


FOUND: dict[Callable[[Any], Any], list[str]] = {
    yields_a_field: ["The rule 'yields_a_field' speaks of 'nmae', which Patient does not have"],
    returns_one: ["The rule 'returns_one' speaks of 'wrad.code', which Patient does not have"],
    yields_a_child: ["The rule 'yields_a_child' speaks of 'visits[0].score', which Patient does"],
    names_what_there_is: [],
}


@pytest.fixture(params=FOUND, ids=lambda check: str(check.__name__))
def check(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """Each rule, registered for a patient."""
    rule(Patient)(request.param)
    yield request.param
    _registered[Patient][:] = [r for r in _registered[Patient] if r.check is not request.param]


def test_what_a_rule_misspells_is_named(check: Callable[[Any], Any]) -> None:
    """The author reads rule, field and model, and what fields there are."""
    said = list(misnamed_fields(app))

    assert len(FOUND[check]) == len(said)
    for expected, words in zip(FOUND[check], said, strict=True):
        assert words.startswith(expected)
        assert "It has: " in words


def test_rules_in_order_are_no_matter() -> None:
    """Child rows are named by their list."""
    assert app.model_of(Visit).children
    assert [] == list(misnamed_fields(app))


def test_health_says_so(office: Any) -> None:
    """It is met before a worker meets it."""
    rule(Patient)(yields_a_field)
    try:
        answer, told = office.client().get("/health"), office.health()
    finally:
        _registered[Patient].pop()

    assert 503 == answer.status_code
    assert "speaks of 'nmae'" in told["checks"]["rules"]
