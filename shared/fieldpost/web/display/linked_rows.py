"""Many-to-many fields in forms and lists: boxes to tick, and the titles of linked rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fieldpost.odp.replay.links import Links, ordered
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Key, Model
from fieldpost.schema.values import ValueProblem
from fieldpost.text.casefolding import folded

MOST_BOXES = 50
"""Rows that are offered at once; beyond that the form has a search for them."""

MOST_TITLES = 5
"""Linked rows that a list names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Box:
    """One row that can be linked: the text that its box sends, its words, whether it is ticked."""

    value: str
    label: str
    ticked: bool


def boxes(links: Links, field: Field, text: str, words: str, *, searched: bool) -> list[Box]:
    """Return what a form offers.

    Args:
        links: who fills it in.
        field: the field.
        text: what it holds.
        words: what was searched for.
        searched: whether there are more rows than can be offered: then those that are linked come
            first, and after them what the search found.
    """
    target = links.target(field)
    chosen = set(_keys(field, text))
    if not searched:
        return [_box(field, target, row, chosen) for row in _offered(links, target, "")]
    ticked = links.existing(target, chosen)
    found = _offered(links, target, words) if words else []
    others = [row for row in found if target.key_of(row) not in chosen]
    return [_box(field, target, row, chosen) for row in [*ticked, *others]]


def titles(links: Links, field: Field, text: str) -> str:
    """Return the titles of the rows that a field's text names."""
    target = links.target(field)
    return ", ".join(map(target.title_of, links.existing(target, _keys(field, text))))


def linked_words(
    links: Links, model: Model, fields: Sequence[Field], rows: Sequence[Any], most: int = 0
) -> dict[tuple[str, Key], str]:
    """Return the titles of linked rows by field name and key, of many rows at once.

    Args:
        links: who looks.
        model: of the rows.
        fields: those of them that are many-to-many count.
        rows: mapped objects.
        most: how many rows are named; 0 names all.
    """
    found = {}
    for field in fields:
        if field.kind is not Kind.LINKS:
            continue
        target = links.target(field)
        for key, linked in links.rows(field, model, rows).items():
            found[field.name, key] = _listed([target.title_of(row) for row in linked], most)
    return found


def is_linked_to(links: Links, model: Model, field: Field, word: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row is linked to one whose title contains a word."""
    how, target = field.association, links.target(field)
    assert how is not None
    link = how.link.table.alias()
    key = [target.column(attribute) for attribute in target.key]
    seen = sa.select(*key).where(*links.seen(target), _contains(target, word)).subquery()
    pairs = zip(how.target_columns, seen.c, strict=True)
    joined = sa.and_(*(link.c[name] == column for name, column in pairs))
    own = zip(how.owner_columns, model.key, strict=True)
    mine = (link.c[name] == model.column(attribute) for name, attribute in own)
    query = sa.select(sa.literal(1)).select_from(link.join(seen, joined)).where(*mine)
    return query.correlate(model.table).exists()


def _offered(links: Links, target: Model, words: str) -> list[Any]:
    query = sa.select(target.cls).where(*links.seen(target)).order_by(*ordered(target))
    for word in words.split()[:8]:
        query = query.where(_contains(target, word))
    return list(links.session.scalars(query.limit(MOST_BOXES)))


def _contains(target: Model, word: str) -> sa.ColumnElement[bool]:
    title = sa.cast(target.column(target.title_attribute), sa.Text)
    return folded(title).contains(word.lower(), autoescape=True)


def _box(field: Field, target: Model, row: Any, chosen: set[Key]) -> Box:
    key = target.key_of(row)
    (data,) = field.codec.encode([key])
    return Box(json.dumps(data, ensure_ascii=False), target.title_of(row), key in chosen)


def _keys(field: Field, text: str) -> list[Key]:
    try:
        return list(field.codec.from_text(text)) if text else []
    except ValueProblem:
        return []


def _listed(names: list[str], most: int) -> str:
    if not most or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
