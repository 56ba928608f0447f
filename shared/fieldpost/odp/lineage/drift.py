"""Drift: envelopes that were saved with another version of the app."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fieldpost.app import App
from fieldpost.errors import Code, Problem, problem
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Outcome

_NAMES = {Code.UNKNOWN_PAGE: "The page", Code.UNKNOWN_MODEL: "The table", Code.UNKNOWN_FIELD: ""}


def in_present_names(app: App, envelope: Envelope) -> Envelope:
    """Return what replay reads of an envelope: with the present names for renamed ones."""
    if not app.renamed:
        return envelope
    page = envelope.page if envelope.page in app.pages else app.renamed.get(envelope.page)
    operations = tuple(_renamed(app, operation) for operation in envelope.operations)
    return replace(envelope, page=page or envelope.page, operations=operations)


def _renamed(app: App, operation: Operation) -> Operation:
    old = operation.model
    model = old if old in app.models else app.renamed.get(old, old)
    spec = app.models.get(model)
    if spec is None:
        return operation

    def attribute(name: str) -> str:
        if name in spec.by_attribute:
            return name
        found = app.renamed.get(f"{old}.{name}") or app.renamed.get(f"{model}.{name}")
        return found.rpartition(".")[2] if found else name

    def values(data: Mapping[str, Any]) -> dict[str, Any]:
        return {attribute(name): value for name, value in data.items()}

    return replace(operation, model=model, set=values(operation.set), was=values(operation.was))


def explained(
    outcome: Outcome, problems: tuple[Problem, ...], envelope: Envelope, app_version: str
) -> tuple[Outcome, tuple[Problem, ...]]:
    """Return an outcome with words that say so where the app has changed since (R41).

    A page, table or field that is gone is then no breach of rights, but something to repair.
    """
    is_older = bool(envelope.app_version and app_version) and envelope.app_version != app_version
    if not is_older or outcome not in (Outcome.INVALID, Outcome.FORBIDDEN):
        return outcome, problems
    changed = tuple(_changed(each) if each.code in _NAMES else each for each in problems)
    if any(each.code in _NAMES for each in problems):
        rest = [p for p in problems if p.code not in _NAMES]
        outcome = outcome if any(p.code.endswith("forbidden") for p in rest) else Outcome.INVALID
    if changed and changed[0].code is Code.RULES_CHANGED:
        return outcome, changed
    return outcome, (problem(Code.RULES_CHANGED), *changed)


def _changed(found: Problem) -> Problem:
    detail = dict(found.detail)
    what = detail.get("name") or found.path or "Something"
    words = f"{_NAMES[found.code]} '{what}'".strip()
    return problem(Code.MODEL_CHANGED, found.path, what=words, detail=detail)
