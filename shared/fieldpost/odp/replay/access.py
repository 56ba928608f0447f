"""What an envelope may touch: its page's models, operations and fields, and the user's rows."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.odp.replay.statements import find, has_key, kept, key_values, rows_of
from fieldpost.pages import Form, Page
from fieldpost.schema.models import Key, Model
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Operation

Added = Collection[tuple[str, tuple[Any, ...]]]
"""Model and key of rows that an envelope adds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model stands in a page's form: its form, and the form around it."""

    form: Form
    parent: "Place | None"
    pairs: tuple[tuple[str, str], ...] = ()


def places_of(page: Page) -> dict[str, Place]:
    """Return the places of a page's form by model."""
    found: dict[str, Place] = {}

    def add(form: Form, parent: Place | None, pairs: tuple[tuple[str, str], ...]) -> None:
        place = Place(form, parent, pairs)
        found.setdefault(form.model.name, place)
        for child in form.lists.values():
            add(child.form, place, child.link.pairs)

    add(page.layout, None, ())
    return found


def denials(app: App, envelope: Envelope, user: User) -> Iterator[Problem]:
    """Yield everything in an envelope that its user may not do, whatever the rows are."""
    page = app.pages.get(envelope.page)
    if page is None:
        yield problem(Code.UNKNOWN_PAGE, page=envelope.page, detail={"name": envelope.page})
        return
    if not page.may_open(user):
        yield problem(Code.PAGE_FORBIDDEN, page=page.title)
        return
    places = places_of(page)
    allowed: dict[tuple[str, str], frozenset[str]] = {}
    added = {(o.model, o.key) for o in envelope.operations if o.do == "insert"}
    for operation in envelope.operations:
        place = places.get(operation.model)
        if place is None:
            yield problem(
                Code.UNKNOWN_MODEL,
                operation.at,
                model=operation.model,
                page=envelope.page,
                detail={"name": operation.model},
            )
            continue
        if operation.do == "look":
            continue
        if not _may(page, place, operation, added):
            words = {"insert": "add", "update": "change", "delete": "delete"}[operation.do]
            yield problem(
                Code.OPERATION_FORBIDDEN, operation.at, do=words, label=place.form.model.label
            )
        yield from _key_denials(place, operation)
        kind = (operation.model, operation.do)
        if kind not in allowed:
            allowed[kind] = _allowed(place, operation.do)
        if not operation.set.keys() <= allowed[kind]:
            yield from _field_denials(place, operation, allowed[kind])


def _may(page: Page, place: Place, operation: Operation, added: Added) -> bool:
    """Say whether a page lets an operation be done; `added` are the rows that come with it.

    Child rows belong to their record: who may only add records may add none to one that is there.
    """
    if place.parent is None:
        return page.may(operation.do)
    if page.edit:
        return True
    return page.create and operation.do == "insert" and _above(place, operation) in added


def _above(place: Place, operation: Operation) -> tuple[str, tuple[Any, ...]]:
    """Return the model and the key of the row that a new child row names as its parent."""
    assert place.parent is not None
    own = {**dict(zip(place.form.model.key, operation.key, strict=False)), **operation.set}
    named = {theirs: own.get(ours) for ours, theirs in place.pairs}
    model = place.parent.form.model
    return model.name, tuple(named.get(attribute) for attribute in model.key)


def _key_denials(place: Place, operation: Operation) -> Iterator[Problem]:
    """Yield where a client chooses a key that the database counts: that would be another's next."""
    model = place.form.model
    if operation.do != "insert" or model.generated_key is None:
        return
    part = dict(zip(model.key, operation.key, strict=False)).get(model.generated_key)
    given = operation.set.get(model.generated_key, part)
    if not is_temporary(part) or given != part:
        label = model.by_attribute[model.generated_key].label
        at = join_path(operation.at, model.generated_key)
        yield problem(Code.FIELD_FORBIDDEN, at, label=label)


def _allowed(place: Place, do: str) -> frozenset[str]:
    """Return the attributes that an operation may set there."""
    allowed = frozenset(f.attribute for f in place.form.fields.values() if not f.read_only)
    if do == "insert":
        return allowed | {child for child, _ in place.pairs} | frozenset(place.form.model.key)
    return allowed - frozenset(place.form.model.key)


def _field_denials(
    place: Place, operation: Operation, allowed: frozenset[str]
) -> Iterator[Problem]:
    model = place.form.model
    for attribute in operation.set:
        if attribute in allowed:
            continue
        field = model.by_attribute.get(attribute)
        if field is None:
            yield problem(
                Code.UNKNOWN_FIELD,
                join_path(operation.at, attribute),
                model=model.name,
                field=attribute,
                detail={"name": f"{model.label}: {attribute}"},
            )
        else:
            yield problem(
                Code.FIELD_FORBIDDEN, join_path(operation.at, field.name), label=field.label
            )


def is_in_scope(session: Session, page: Page, user: User, key: Key) -> bool:
    """Say whether the user may see the record with this key on this page."""
    query: Any = kept(session, ("scope", id(page), user), lambda: _in_scope(page, user))
    return query is None or bool(rows_of(session, query, key_values(key)))


def _in_scope(page: Page, user: User) -> sa.Select[Any] | None:
    condition = page.condition(user)
    if condition is None:
        return None
    columns = [page.spec.column(attribute) for attribute in page.spec.key]
    there: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(page.model)
    return there.where(condition, *has_key(columns))


def key_condition(model: Model, key: Key) -> sa.ColumnElement[bool]:
    """Return the SQL condition that a row has this key."""
    pairs = zip(model.key, key, strict=True)
    return sa.and_(*(getattr(model.cls, attribute) == value for attribute, value in pairs))


def top_of(session: Session, place: Place, row: Any) -> Any:
    """Return the top record that a child row belongs to; None where there is none."""
    while place.parent is not None and row is not None:
        parent = place.parent.form.model
        by_parent = {theirs: getattr(row, ours) for ours, theirs in place.pairs}
        if None in by_parent.values():
            return None
        if set(by_parent) == set(parent.key):
            row = find(session, parent, tuple(by_parent[a] for a in parent.key))
        else:
            query = sa.select(parent.cls).filter_by(**by_parent)
            row = session.scalars(query).first()
        place = place.parent
    return row
