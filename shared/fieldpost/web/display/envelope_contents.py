"""What an envelope holds, in words: row by row, each field with its old and its new value."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.odp.repair.conflict_marks import are_same
from fieldpost.odp.replay.access import places_of
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Page
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind, words
from fieldpost.schema.models import Model
from fieldpost.schema.value_words import words_for
from fieldpost.schema.values import ValueProblem
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.web.display.linked_rows import titles
from fieldpost.wire.envelope import Operation
from fieldpost.wording.titles import NOT_HERE

DONE = {"insert": "Added", "update": "Changed", "delete": "Deleted", "look": "Only looked at"}

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class ValueWords:
    """One value: as text, or as attachments; neither where it is empty."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it was (None where the row was not there) and what it is to be."""

    label: str
    old: ValueWords | None
    new: ValueWords | None


@dataclass(frozen=True, slots=True)
class RowWords:
    """One row: 'Finding 2', 'Changed', and its fields."""

    title: str
    done: str
    changes: tuple[Change, ...]


class Contents:
    """Puts operations into words.

    Args:
        app: whose models are known.
        session: where the titles of other rows are looked up.
        user: who reads.
        page: of the operations; None where it is gone.
    """

    def __init__(self, app: App, session: Session, user: User, page: Page | None) -> None:
        self.app = app
        self.session = session
        self.links = Links(session, app, user)
        self.linked = {
            name: frozenset(child for child, _ in place.pairs)
            for name, place in (places_of(page) if page else {}).items()
        }

    def rows(self, operations: Iterable[Operation]) -> list[RowWords]:
        """Return a row's words for each operation that changes something."""
        return [self._row(each) for each in operations if each.do != "look"]

    def value(self, each: Field, data: Any) -> ValueWords:
        """Return one value of a field, given as JSON data."""
        try:
            value = each.codec.decode(data)
            text = "" if value is None else each.codec.to_text(value)
        except ValueProblem:
            return ValueWords(_plain(data))
        if value is None:
            return ValueWords()
        if each.kind in ATTACHMENT_KINDS:
            return ValueWords(attachments=tuple(value if isinstance(value, list) else [value]))
        if each.kind is Kind.LOOKUP:
            return ValueWords(self._title(each, value))
        if each.kind is Kind.LINKS:
            return ValueWords(titles(self.links, each, text) or (NOT_HERE if data else ""))
        return ValueWords(words_for(each, value))

    def _title(self, each: Field, value: Any) -> str:
        target = self.app.models.get(each.target or "")
        if target is None or len(target.key) != 1 or not target.can_hold((value,)):
            return NOT_HERE
        return self.links.titles.of(target, [value]).get(value, NOT_HERE)

    def _row(self, operation: Operation) -> RowWords:
        model = self.app.models.get(operation.model)
        label = model.label if model else words(operation.model)
        number = re.search(r"\[(\d+)\]$", operation.at)
        title = f"{label} {int(number[1]) + 1}" if number else label
        changes = tuple(self._changes(model, operation))
        return RowWords(title, DONE.get(operation.do, operation.do), changes)

    def _changes(self, model: Model | None, operation: Operation) -> Iterator[Change]:
        """Yield the fields in the order of the model, after them those that it has not (now)."""
        shown = operation.was if operation.do == "delete" else operation.set
        known = list(model.by_attribute.values()) if model else []
        hidden = self.linked.get(operation.model, frozenset())
        for each in known:
            if each.attribute in shown and each.attribute not in hidden and not each.private:
                yield from self._change(each, operation)
        names = {each.attribute for each in known}
        for attribute, data in shown.items():
            if attribute not in names:
                yield _unknown_change(attribute, operation, data)

    def _change(self, each: Field, operation: Operation) -> Iterator[Change]:
        new: Any = operation.set.get(each.attribute)
        old: Any = operation.was.get(each.attribute)
        if operation.do == "insert":
            if new not in (None, "", []):
                yield Change(each.label, None, self.value(each, new))
        elif operation.do == "delete":
            if old not in (None, "", []):
                yield Change(each.label, self.value(each, old), None)
        elif not are_same(each, new, old):
            yield Change(each.label, self.value(each, old), self.value(each, new))


def done_words(operations: Iterable[Operation], model: str) -> str:
    """Return what an envelope does with the record of a model, in one word; empty for nothing."""
    found = [each for each in operations if each.do != "look"]
    whole = [each for each in found if each.model == model and not each.at]
    return DONE[whole[0].do if whole else "update"] if found else ""


def counted_words(operations: Iterable[Operation], rows: Mapping[str, Any]) -> list[str]:
    """Return what is remarkable in numbers: child rows and pictures.

    Args:
        operations: what would be lost.
        rows: by model, the label of its rows in a child list.
    """
    counts: dict[str, int] = {}
    files = set[str]()
    for operation in operations:
        if operation.at and operation.do != "look":
            label = str(rows.get(operation.model, words(operation.model)))
            counts[label] = counts.get(label, 0) + 1
        files.update(_digests(operation.set.values()))
    found = [f"{n} {'row' if n == 1 else 'rows'} of {label}" for label, n in counts.items()]
    if files:
        found.append("1 picture or file" if len(files) == 1 else f"{len(files)} pictures or files")
    return found


def _digests(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and "sha256" in entry:
                yield str(entry["sha256"])


def _unknown_change(attribute: str, operation: Operation, data: Any) -> Change:
    old = operation.was.get(attribute)
    return Change(
        words(attribute),
        None if operation.do == "insert" else ValueWords(_plain(old)),
        None if operation.do == "delete" else ValueWords(_plain(data)),
    )


def _plain(data: Any) -> str:
    """Return data that no field explains."""
    if data is None:
        return ""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
