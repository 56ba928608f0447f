"""From a filled-in form to operations: what differs from what the form was opened on."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.form.initial_values import initial_value
from fieldpost.odp.form.rows import Opened, Row, is_untouched
from fieldpost.pages import Form
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.validation import fills_itself, read_text, value_problems
from fieldpost.schema.values import ValueProblem
from fieldpost.wire.envelope import Operation


@dataclass
class Difference:
    """The outcome: operations in the order of their replay, or the problems in their way."""

    operations: list[Operation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)


class Differ:
    """Compares rows with what they were opened on.

    Args:
        temporary_key: gives the next temporary key.
        new_id: gives a new UUID as text.
    """

    def __init__(self, temporary_key: Callable[[], int], new_id: Callable[[], str]) -> None:
        self.temporary_key = temporary_key
        self.new_id = new_id
        self.found = Difference()
        self._deletes: list[Operation] = []

    def compare(self, form: Form, row: Row, opened: Opened | None) -> Difference:
        """Return what saving `row` changes."""
        self._row(form, row, opened, {})
        # deletes go first, so that what they free (a unique value) can be used again
        self.found.operations[:0] = self._deletes
        return self.found

    def _row(self, form: Form, row: Row, opened: Opened | None, link: Mapping[str, Any]) -> None:
        if opened is None:
            if row.deleted:
                return
            key = self._insert(form, row, link)
        elif row.deleted:
            self._delete(form, row, opened)
            return
        else:
            key = self._update(form, row, opened)
        for name, child in form.lists.items():
            known = _by_key((opened or {}).get("children", {}).get(name, ()))
            values = dict(zip(form.model.key, key, strict=True))
            pointing = {theirs: values.get(ours) for theirs, ours in child.link.pairs}
            for each in row.lists.get(name, ()):
                self._child(child.form, each, known, pointing)

    def _child(
        self, form: Form, row: Row, known: Mapping[str, Opened], link: Mapping[str, Any]
    ) -> None:
        opened = known.get(repr(row.key)) if row.key is not None else None
        if row.key is not None and opened is None:
            reason = "a row is not among those that the form was opened on"
            self.found.problems.append(problem(Code.MALFORMED, row.at, reason=reason))
            return
        self._row(form, row, opened, link)

    def _insert(self, form: Form, row: Row, link: Mapping[str, Any]) -> list[Any]:
        values: dict[str, Any] = {}
        for name, each in form.fields.items():
            path, absent = join_path(row.at, name), _is_absent(each, row.texts.get(name))
            if each.read_only:
                continue
            data = None if absent else self._read(each, row.texts[name], path)
            if data is not _BROKEN:
                self._check(each, data, path, absent=absent)
            if not absent:
                values[each.attribute] = None if data is _BROKEN else each.codec.encode(data)
                self._note_attachments(each, values[each.attribute])
        values |= link
        kept = dict(zip(form.model.key, row.new_key or (), strict=False))
        key = [self._key_part(form, a, values, kept.get(a)) for a in form.model.key]
        self.found.operations.append(
            Operation("insert", form.model.name, tuple(key), values, at=row.at)
        )
        return key

    def _update(self, form: Form, row: Row, opened: Opened) -> list[Any]:
        changed: dict[str, Any] = {}
        for name, each in form.fields.items():
            if name not in row.texts or each.read_only or each.attribute in form.model.key:
                continue
            before = opened["values"].get(each.attribute)
            if is_untouched(each, row.texts[name], before):
                continue
            path = join_path(row.at, name)
            value = self._read(each, row.texts[name], path)
            if value is _BROKEN:
                continue
            if _is_same(each, value, before):
                continue
            data = each.codec.encode(value)
            self._check(each, value, path, absent=False)
            changed[each.attribute] = data
            self._note_attachments(each, data, before)
        if changed:
            self.found.operations.append(
                Operation(
                    "update",
                    form.model.name,
                    tuple(opened["key"]),
                    changed,
                    dict(opened["values"]),
                    row.at,
                )
            )
        return list(opened["key"])

    def _delete(self, form: Form, row: Row, opened: Opened) -> None:
        self._deletes.append(
            Operation(
                "delete", form.model.name, tuple(opened["key"]), {}, dict(opened["values"]), row.at
            )
        )

    def _key_part(self, form: Form, attribute: str, values: dict[str, Any], kept: Any) -> Any:
        """Return one part of a new row's key: given, kept, temporary, or made here."""
        each = form.model.by_attribute[attribute]
        if (given := values.get(attribute)) is not None:
            return given
        if kept is not None and (attribute == form.model.generated_key or each.kind is Kind.ID):
            return kept
        if attribute == form.model.generated_key:
            return self.temporary_key()
        made = uuid.UUID(self.new_id()) if each.kind is Kind.ID else initial_value(each)
        return "" if made is None else each.codec.encode(made)

    def _read(self, each: Field, text: str, path: str) -> Any:
        value, fault = read_text(each, text, path)
        if fault is None:
            return value
        self.found.problems.append(fault)
        return _BROKEN

    def _check(self, each: Field, value: Any, path: str, *, absent: bool) -> None:
        self.found.problems += value_problems(each, value, path, absent=absent)

    def _note_attachments(self, each: Field, data: Any, before: Any = None) -> None:
        if each.kind not in ATTACHMENT_KINDS or data is None:
            return
        known = {entry["sha256"] for entry in _entries(before)}
        for entry in _entries(data):
            if entry["sha256"] not in known and entry["sha256"] not in self.found.attachments:
                self.found.attachments.append(entry["sha256"])


_BROKEN: Any = object()


def _entries(data: Any) -> list[dict[str, Any]]:
    if data is None:
        return []
    return data if isinstance(data, list) else [data]


def _is_absent(each: Field, text: str | None) -> bool:
    """Say whether a new row leaves a field out: what nobody filled in may fill itself in."""
    return text is None or (not text.strip() and fills_itself(each) and initial_value(each) is None)


def _is_same(each: Field, value: Any, before: Any) -> bool:
    """Say whether a value that was filled in is the one before: as it is meant, not as written."""
    # an input cannot tell empty from none: neither an empty text nor an empty list is a change
    if value in _NOTHING or before in _NOTHING:
        return value in _NOTHING and before in _NOTHING
    try:
        return bool(each.codec.encode(value) == before or value == each.codec.decode(before))
    except ValueProblem:
        return False


_NOTHING: tuple[Any, ...] = (None, "", [])


def _by_key(entries: Any) -> dict[str, Opened]:
    return {repr(entry["key"]): entry for entry in entries}
