"""Many-to-many fields in forms and lists: boxes to tick, and the titles of linked rows."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fieldpost.odp.replay.links import Links
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Key, Model
from fieldpost.schema.unreadable import Unreadable
from fieldpost.schema.value_words import words_for
from fieldpost.schema.values import ValueProblem
from fieldpost.wording.titles import NOT_HERE

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


@dataclass(frozen=True, slots=True)
class Boxes:
    """What a form offers of a field.

    Attributes:
        shown: rows to tick.
        rest: keys of linked rows that have no box, as the text of a hidden input.
        more: how many those are.
    """

    shown: Sequence[Box]
    rest: str = ""
    more: int = 0


def boxes(links: Links, field: Field, text: str, words: str, *, searched: bool) -> Boxes:
    """Return what a form offers.

    Args:
        links: who fills it in.
        field: the field.
        text: what it holds.
        words: what was searched for.
        searched: whether there are more rows than can be offered: then some of those that are
            linked come first, after them what the search found; the others stay linked.
    """
    target, titles = links.target(field), links.titles
    chosen = set(_keys(field, text))
    if not searched:
        every = titles.every(target)
        return Boxes([_box(field, key, title, chosen) for key, title in every])
    found = titles.matching(target, words, MOST_BOXES) if words.split() else []
    named = {key for key, _ in found}
    linked = links.existing(target, chosen - named)
    ticked = [(target.key_of(row), target.title_of(row)) for row in linked[:MOST_BOXES]]
    rest = [target.key_of(row) for row in linked[MOST_BOXES:]]
    shown = [_box(field, key, title, chosen) for key, title in [*ticked, *found]]
    data = json.dumps(field.codec.encode(rest), ensure_ascii=False) if rest else ""
    return Boxes(shown, data, len(rest))


def titles(links: Links, field: Field, text: str) -> str:
    """Return the titles of the rows that a field's text names."""
    target = links.target(field)
    return ", ".join(map(target.title_of, links.existing(target, _keys(field, text))))


def linked_words(
    links: Links, model: Model, fields: Sequence[Field], rows: Sequence[Any], most: int = 0
) -> dict[tuple[str, Key], str]:
    """Return the titles of rows that rows point to, by field name and key, of many rows at once.

    Args:
        links: who looks: what she may not see is not named.
        model: of the rows.
        fields: lookups and those that are many-to-many count.
        rows: mapped objects.
        most: how many rows are named; 0 names all.
    """
    found = dict[tuple[str, Key], str]()
    for field in fields:
        if field.kind is Kind.LOOKUP:
            found |= _lookup_words(links, model, field, rows)
        if field.kind is not Kind.LINKS:
            continue
        target = links.target(field)
        for key, linked in links.rows(field, model, rows).items():
            found[field.name, key] = _listed([target.title_of(row) for row in linked], most)
    return found


def _lookup_words(
    links: Links, model: Model, field: Field, rows: Sequence[Any]
) -> dict[tuple[str, Key], str]:
    target = links.app.models.get(field.target or "")
    values = {model.key_of(row): getattr(row, field.attribute) for row in rows}
    if target is None:
        return {(field.name, key): words_for(field, value) for key, value in values.items()}
    there = {key: v for key, v in values.items() if v is not None and not _is_odd(v)}
    titles = links.titles.of(target, there.values())
    return {
        (field.name, key): titles.get(value, NOT_HERE) if key in there else words_for(field, value)
        for key, value in values.items()
    }


def _is_odd(value: Any) -> bool:
    return isinstance(value, Unreadable)


def _box(field: Field, key: Key, title: str, chosen: Collection[Key]) -> Box:
    (data,) = field.codec.encode([key])
    return Box(json.dumps(data, ensure_ascii=False), title, key in chosen)


def _keys(field: Field, text: str) -> list[Key]:
    try:
        return list(field.codec.from_text(text)) if text else []
    except ValueProblem:
        return []


def _listed(names: list[str], most: int) -> str:
    if not most or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
