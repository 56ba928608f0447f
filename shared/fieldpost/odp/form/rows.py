"""Rows of a form as they are filled in: text by field, with their child lists."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect

from fieldpost.errors import Code, InputError, Problem, join_path, problem
from fieldpost.odp.form.initial_values import initial_value
from fieldpost.odp.form.posted_moments import HOUR, ZONE, as_held, in_this_zone, joined
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Form
from fieldpost.schema.associations import chosen_text
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import ENCODED, WORDS, Unreadable
from fieldpost.schema.values import ValueProblem
from fieldpost.text import jsontext
from fieldpost.wire.protocol import MAX_OPERATIONS

Opened = Mapping[str, Any]
"""What a form was opened on: ``{"key", "values": {attribute: JSON}, "children": {list: […]}}``."""

MAX_ROW_INDEX = MAX_OPERATIONS


@dataclass
class Row:
    """One row of a form.

    Attributes:
        at: its place: empty for the top, ``findings[0]`` for a child row.
        key: its key as JSON data; None for a new row.
        texts: field name to what its input holds; a field that was not posted is not in it.
        lists: child rows by list.
        deleted: the row is to go.
        new_key: of a new row, the key that other envelopes know it by already; None where it gets
            a fresh one.
    """

    at: str
    key: list[Any] | None
    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list["Row"]] = field(default_factory=dict)
    deleted: bool = False
    new_key: list[Any] | None = None

    def every(self) -> Iterator["Row"]:
        """Yield this row and all below it."""
        yield self
        for rows in self.lists.values():
            for row in rows:
                yield from row.every()


def row_from_post(
    form: Form, pairs: Iterable[tuple[str, str]], new_keys: Collection[str] = ()
) -> Row:
    """Read posted names and values into rows.

    The last value of a name counts, but all those of boxes that link rows.

    Args:
        form: what was shown.
        pairs: as they were posted.
        new_keys: `new_key_name` of each key that a new row may bring along, as in a repair.

    Raises:
        InputError: a child list is too long, or a key cannot be read.
    """
    return _PostedForm(list(pairs), frozenset(new_keys)).row(form, "")


def new_key_name(form: Form, key: Sequence[Any]) -> str:
    """Return one text for a model and a key."""
    return f"{form.model.name} {list(key)!r}"


MOST_NAME_CHARACTERS = 500
"""A field's name with all lists around it."""

_INDEX = re.compile(r"\[(\d{1,6})\]", re.ASCII)
_NAME = re.compile(r"\w+(?:\[\d{1,6}\]\.\w+){1,24}(?:\.\w+)?")


class _PostedForm:
    def __init__(self, pairs: Sequence[tuple[str, str]], new_keys: frozenset[str]) -> None:
        self.new_keys = new_keys
        self.posted = posted = dict(pairs)
        self.every: dict[str, list[str]] = {}
        for name, value in pairs:
            self.every.setdefault(name, []).append(value)
        self.indexes: dict[str, set[int]] = {}
        for name in posted:
            # names that are no field's are left out: reading one takes as long as it is deep
            if len(name) <= MOST_NAME_CHARACTERS and _NAME.fullmatch(name):
                for match in _INDEX.finditer(name):
                    self.indexes.setdefault(name[: match.start()], set()).add(int(match[1]))

    def row(self, form: Form, at: str) -> Row:
        row = Row(at, self._key(at), deleted=bool(self.posted.get(join_path(at, "_delete"))))
        if row.key is None:
            row.new_key = self._new_key(form, at)
        for name, each in form.fields.items():
            if not each.read_only and join_path(at, name) in self.posted:
                row.texts[name] = self._text(each, join_path(at, name))
        for name, child in form.lists.items():
            place = join_path(at, name)
            row.lists[name] = [self.row(child.form, f"{place}[{i}]") for i in self._rows(place)]
        return row

    def _text(self, each: Field, path: str) -> str:
        if each.kind is Kind.LINKS:
            return chosen_text(self.every[path])
        text = self.posted[path]
        if not each.is_aware:
            return text
        with_hour = joined(text, self.posted.get(f"{path}{HOUR}", ""))
        return in_this_zone(each, with_hour, self.posted.get(ZONE, ""))

    def _rows(self, place: str) -> list[int]:
        indexes = sorted(self.indexes.get(place, ()))
        if len(indexes) > MAX_OPERATIONS:
            limit = f"{MAX_OPERATIONS} rows"
            raise InputError([problem(Code.TOO_BIG, place, what="The list", limit=limit)])
        return indexes

    def _new_key(self, form: Form, at: str) -> list[Any] | None:
        """Return the key that a new row brings along; one that nobody has given is none."""
        key = self._read_key(at, "_new") if self.new_keys else None
        return key if key is not None and new_key_name(form, key) in self.new_keys else None

    def _key(self, at: str) -> list[Any] | None:
        return self._read_key(at, "_key") if at else None

    def _read_key(self, at: str, name: str) -> list[Any] | None:
        if not (text := self.posted.get(join_path(at, name))):
            return None
        try:
            key = jsontext.parse(text)
        except ValueError:
            key = None
        if not isinstance(key, list):
            raise InputError([problem(Code.MALFORMED, at, reason="a row's key cannot be read")])
        return key


def opened_from(
    form: Form, record: Any, base: str = "", links: Links | None = None
) -> dict[str, Any]:
    """Describe a mapped object as what a form opens on.

    Args:
        form: what is shown.
        record: the mapped object, in its session.
        base: the cursor of the data that it comes from.
        links: who looks, for many-to-many fields; without it all linked rows are shown.

    Raises:
        InputError: a value cannot be read, and so not be compared with what is saved.
    """
    model = form.model
    if faults := _unreadable(form, record):
        raise InputError(faults)
    opened: dict[str, Any] = {
        "key": model.key_to_json(model.key_of(record)),
        "values": shown_values(form, record, links),
        "children": {
            name: [
                opened_from(child.form, row, links=links)
                for row in model.children_of(record, name, child.form.model)
            ]
            for name, child in form.lists.items()
        },
    }
    return {**opened, "base": base} if base else opened


def _unreadable(form: Form, record: Any) -> list[Problem]:
    shown = (f for f in form.fields.values() if f.kind is not Kind.LINKS)
    return [
        problem(Code.UNREADABLE, label=field.label)
        for field in shown
        if isinstance(getattr(record, field.attribute), Unreadable)
    ]


def shown_values(form: Form, record: Any, links: Links | None = None) -> dict[str, Any]:
    """Return what the form shows of an object, by attribute, as JSON data."""
    return {
        f.attribute: f.codec.encode(_shown(f, form, record, links)) for f in form.fields.values()
    }


def _shown(field: Field, form: Form, record: Any, links: Links | None) -> Any:
    if field.kind is not Kind.LINKS:
        return getattr(record, field.attribute)
    if links is not None:
        return links.keys(field, form.model, record)
    return [inspect(row).identity for row in getattr(record, field.attribute)]


def row_from_opened(form: Form, opened: Opened, at: str = "") -> Row:
    """Return the row that shows what the form was opened on."""
    row = Row(at, opened["key"])
    for name, each in form.fields.items():
        row.texts[name] = text_of(each, opened["values"].get(each.attribute))
    for name, child in form.lists.items():
        entries = opened["children"].get(name, ())
        row.lists[name] = [
            row_from_opened(child.form, entry, f"{join_path(at, name)}[{index}]")
            for index, entry in enumerate(entries)
        ]
    return row


def text_of(field: Field, data: Any) -> str:
    """Return JSON data of a field as its input's text; what is no value of it as it stands."""
    if data is None:
        return ""
    if data == ENCODED:
        return WORDS
    try:
        return field.codec.to_text(field.codec.decode(data))
    except ValueProblem:
        return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def is_untouched(field: Field, text: str, before: Any) -> bool:
    """Say whether an input holds what it was opened with, whatever reading it would come to.

    Browsers send each line end as CR LF, whatever it was, and have no zero character.
    """
    shown = text_of(field, before)
    if field.kind is Kind.LINKS and text.strip() and shown:
        return _entries(text) == _entries(shown)
    return as_sent(as_held(field, text)) == as_sent(as_held(field, shown))


def _entries(text: str) -> set[str]:
    """Return the keys of a text of links, in whatever order boxes have them."""
    try:
        return {repr(entry) for entry in jsontext.parse(text)}
    except (ValueError, TypeError):
        return {text}


def as_sent(text: str) -> str:
    """Return a text as two of them are compared: as a browser would send it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def new_row(form: Form, at: str = "") -> Row:
    """Return an empty row with the columns' defaults filled in."""
    row = Row(at, None, lists={name: [] for name in form.lists})
    for name, each in form.fields.items():
        value = initial_value(each)
        row.texts[name] = "" if value is None else each.codec.to_text(value)
    return row


def opened_from_text(form: Form, text: str | None) -> dict[str, Any] | None:
    """Read the hidden ``_opened``; None for a new record.

    Raises:
        InputError: it is there but cannot be read.
    """
    if not text:
        return None
    try:
        opened = jsontext.parse(text)
        _check_opened(form, opened)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = "what the form was opened on cannot be read"
        raise InputError([problem(Code.MALFORMED, reason=reason)]) from error
    return dict(opened)


def _check_opened(form: Form, opened: Any) -> None:
    _check_key(form.model, opened["key"])
    known = {f.attribute: f for f in form.fields.values()}
    for attribute, data in opened["values"].items():
        if attribute in known:
            # whatever the column holds: other programs write what no form would
            text_of(known[attribute], data)
    for name, child in form.lists.items():
        for entry in opened["children"].get(name, ()):
            _check_opened(child.form, entry)


def _check_key(model: Model, key: Any) -> None:
    model.key_from_json(key)
