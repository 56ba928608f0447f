"""Exactly once: a form carries the id of the envelope that it becomes, from when it is shown.

Sent twice (a double tap, a lost answer, the back button, two requests at the same time) it is the
same envelope, and the first receipt is the answer.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from fieldpost.moments import moment_of
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.schema.column_types import AwareDateTime
from fieldpost.schema.models import Model
from fieldpost.text.canonical import digest
from fieldpost.wire.envelope import Operation

Models = Mapping[str, Model]
"""By the name of their tables."""

FIELD = "_envelope"
"""Name of the hidden field."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def identity_in(posted: Sequence[tuple[str, str]]) -> str:
    """Return the id that a posted form carries; empty where it carries none."""
    found = dict(posted).get(FIELD, "")
    return found if _UUID.fullmatch(found) else ""


def adds_record(operations: Sequence[Operation]) -> bool:
    """Say whether a form was one of a new record."""
    return any(each.do == "insert" and not each.at for each in operations)


def says_same(models: Models, some: Sequence[Operation], others: Sequence[Operation]) -> bool:
    """Say whether operations are the same but for the keys that their new rows were given."""
    # by their texts: to Python a yes is 1, and -0.0 is 0
    return content_digest(models, some) == content_digest(models, others)


def content_digest(models: Models, operations: Sequence[Operation]) -> str:
    """Return a digest that two submissions share where they say the same."""
    return digest(_Unnamed(models, operations).data())


class _Unnamed:
    """Operations as plain data, with new rows named by their order and moments in one zone."""

    def __init__(self, models: Models, operations: Sequence[Operation]) -> None:
        self.models = models
        self.operations = operations
        self.names: dict[Any, dict[str, int]] = {}
        for each in operations:
            if each.do == "insert":
                self._name(each)

    def data(self) -> list[Any]:
        return [self._operation(each) for each in self.operations]

    def _name(self, operation: Operation) -> None:
        """Name what was made when the form was sent; what was typed stands among the values."""
        for attribute, part in zip(self._key(operation), operation.key, strict=False):
            if attribute not in operation.set and (attribute or _looks_made(part)):
                # nothing that a row can hold looks like this
                self.names.setdefault(part, {"new": len(self.names)})

    def _key(self, operation: Operation) -> tuple[str, ...]:
        """Return the attributes of a key; empty ones where the model is not known any more."""
        model = self.models.get(operation.model)
        return model.key if model is not None else ("",) * len(operation.key)

    def _operation(self, operation: Operation) -> dict[str, Any]:
        model = self.models.get(operation.model)
        data = operation.to_json()
        parts = zip_longest(self._key(operation), operation.key, fillvalue="")
        data["key"] = [self._part(model, attribute, part) for attribute, part in parts]
        for name in ("set", "was"):
            if name in data:
                data[name] = {a: self._value(model, a, v) for a, v in data[name].items()}
        return data

    def _value(self, model: Model | None, attribute: str, value: Any) -> Any:
        if model is None or value is None:
            return value
        if attribute in model.links and isinstance(value, list):
            return [self._linked(model, attribute, key) for key in value]
        field = model.by_attribute.get(attribute)
        if field is not None and isinstance(field.column.type, AwareDateTime):
            return _in_one_zone(value)
        return self._part(model, attribute, value)

    def _linked(self, model: Model, name: str, key: Any) -> Any:
        target = self.models.get(str(model.links[name].target))
        if target is None or not isinstance(key, list):
            return key
        return [self._part(target, a, v) for a, v in zip_longest(target.key, key, fillvalue="")]

    def _part(self, model: Model | None, attribute: str, value: Any) -> Any:
        """Return the name of a new row where this is its key, or points to it."""
        if not isinstance(value, int | str) or isinstance(value, bool):
            return value
        if model is not None and not _names_row(model, attribute, value):
            return value
        return self.names.get(value, value)


def _names_row(model: Model, attribute: str, value: int | str) -> bool:
    if is_temporary(value):
        # any other negative number is what somebody has typed
        return attribute == model.generated_key or attribute in model.counted
    return attribute in model.key or attribute in model.references


def _looks_made(part: Any) -> bool:
    """Say whether a key's part of an unknown model may have been made: counted, or a UUID."""
    return is_temporary(part) or (isinstance(part, str) and bool(_UUID.fullmatch(part)))


def _in_one_zone(text: Any) -> Any:
    """Return a moment as it is everywhere: who travels sends the same one with another offset."""
    found = moment_of(text)
    return text if found is None else found.isoformat()
