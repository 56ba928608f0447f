"""Three-way comparison of a row: what the worker saw, what she wants, what is there now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.pages import Form
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.unreadable import ENCODED, WORDS
from fieldpost.schema.values import ValueProblem

Words = Callable[[Field, Any], str]

_LONGEST = 60


class Merge:
    """Compares one operation with the row as it is.

    Args:
        form, row, new, was, at: of the operation.
        words: puts a value, given as JSON data, into words.

    Attributes:
        takes: attributes whose new value is to be written.
        changed: attributes that others changed to something else than what is wanted.
    """

    def __init__(
        self,
        form: Form,
        row: Any,
        new: Mapping[str, Any],
        was: Mapping[str, Any],
        at: str,
        words: Words,
    ) -> None:
        self.form, self.new, self.was, self.at, self.words = form, new, was, at, words
        # only what the form shows: a comparison must not tell what stands in other columns
        shown = [f for f in form.fields.values() if f.attribute in was and f.kind is not Kind.LINKS]
        self.now = {f.attribute: f.codec.encode(getattr(row, f.attribute)) for f in shown}
        unlike = {f.attribute for f in shown if not is_same(f, self.now[f.attribute], was)}
        self.changed = sorted(
            a
            for a in unlike
            if a not in new or not is_same(form.model.by_attribute[a], self.now[a], new)
        )
        self.takes = [a for a in new if a in self.now and a not in unlike and self.now[a] != new[a]]

    @property
    def both_changed(self) -> list[str]:
        """Return the attributes that both sides changed, to different values."""
        return [a for a in self.changed if a in self.new]

    def problems(self, attributes: Iterable[str]) -> Iterator[Problem]:
        """Yield for each of these attributes what is mine, theirs, and what it was."""
        for attribute in attributes:
            mine = self.new.get(attribute, self.was[attribute])
            values = {"mine": mine, "theirs": self.now[attribute], "was": self.was[attribute]}
            yield self._problem(Code.CHANGED_BY_OTHERS, attribute, mine, values)

    def overwritten(self) -> Iterator[Problem]:
        """Yield for each value of others that this overwrites what it was."""
        for attribute in self.both_changed:
            mine = self.new[attribute]
            values = {"mine": mine, "theirs": self.now[attribute], "was": self.was[attribute]}
            yield self._problem(Code.OVERWRITTEN, attribute, mine, values)

    def _problem(self, code: Code, attribute: str, mine: Any, values: dict[str, Any]) -> Problem:
        field = self.form.model.by_attribute[attribute]
        return problem(
            code,
            join_path(self.at, field.name),
            label=field.label,
            mine=self._shown(field, mine),
            theirs=self._shown(field, values["theirs"]),
            detail=values,
        )

    def _shown(self, field: Field, data: Any) -> str:
        if data is None or data == []:
            return "empty"
        if data == ENCODED:
            return WORDS
        if isinstance(data, dict | list):
            return "another file"
        text = self.words(field, data)
        return f"'{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}'"


def is_same(field: Field, now: Any, other: Mapping[str, Any]) -> bool:
    """Say whether a value is that of `other`: as it is written, or as it is meant.

    ``"70.5"`` and ``"70.50"`` are one number, and a moment is one in whatever zone it is told.
    """
    data = other[field.attribute]
    if now == data:
        return True
    if now is None or data is None:
        return False
    try:
        return bool(field.codec.decode(now) == field.codec.decode(data))
    except ValueProblem:
        return False
