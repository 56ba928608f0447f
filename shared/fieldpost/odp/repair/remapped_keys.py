"""Remapped keys: counted keys that a server gave out and then forgot, because it was put back.

It counts on from its backup, so that such a number may by now be another row's. An envelope that
was made before, and names it, means the row under whose temporary key its device knows it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fieldpost.app import App
from fieldpost.errors import join_path
from fieldpost.odp.form.rows import Opened
from fieldpost.odp.lineage.drift import in_present_names
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.pages import Form
from fieldpost.schema.models import Model
from fieldpost.wire.envelope import Envelope, Operation

LostKeys = Mapping[tuple[str, int], int]
"""Model and lost real key to the temporary key that it came from."""

Operations = tuple[Operation, ...]

_TIMELINE = re.compile(r"f1\.([0-9a-f]{32})\.", re.ASCII)

_Change = Callable[[str, Any], Any]
"""Gives what takes the place of a table's counted key."""


@dataclass(frozen=True, slots=True)
class Named:
    """A counted key that an operation names, of a row that is there already.

    Attributes:
        model: whose row it is.
        key: the number.
        path: the place in the form where it is named.
    """

    model: str
    key: int
    path: str


def timeline_of(cursor: str) -> str:
    """Return the timeline that a cursor or an envelope's `base` names; empty where none is."""
    match = _TIMELINE.match(cursor)
    return match[1] if match else ""


def renumbered(app: App, envelope: Envelope, lost: LostKeys) -> Envelope:
    """Return an envelope as it is to be read now: with temporary keys for lost ones.

    Its id, number and digest stay; what is kept and sent is always the envelope as it was sealed.
    """
    if not lost:
        return envelope
    named = in_present_names(app, envelope)
    return replace(named, operations=with_temporary(app, named.operations, lost))


def with_temporary(app: App, operations: Iterable[Operation], lost: LostKeys) -> Operations:
    """Return operations, in present names, with temporary keys for lost ones."""
    return tuple(
        _changed(app.models, each, lambda model, key: lost.get((model, key), key))
        for each in operations
    )


def reopened(models: Mapping[str, Model], form: Form, opened: Opened, lost: LostKeys) -> Opened:
    """Return what a form was opened on, with temporary keys for lost ones."""

    def change(model: str, key: Any) -> Any:
        return lost.get((model, key), key)

    values = {a: _value(models, form.model, a, v, change) for a, v in opened["values"].items()}
    children = {
        name: [reopened(models, child.form, entry, lost) for entry in opened["children"][name]]
        for name, child in form.lists.items()
        if name in opened["children"]
    }
    key = _key(form.model, opened["key"], change)
    return {**opened, "key": key, "values": values, "children": children}


def record_key(model: Model, key: Sequence[Any], lost: LostKeys) -> tuple[Any, ...]:
    """Return the key of a record as JSON data, with the temporary key for a lost one."""
    return tuple(_key(model, key, lambda name, part: lost.get((name, part), part)))


def named_keys(app: App, envelope: Envelope) -> Iterator[Named]:
    """Yield the counted keys of rows that are there already, as far as an envelope names them."""
    for operation in in_present_names(app, envelope).operations:
        model = app.models.get(operation.model)
        if model is None:
            continue
        if operation.do != "insert" or model.generated_key is None:
            at_row = replace(operation, set={}, was={})
            yield from _named(app.models, at_row, operation.at)
        for attribute, value in operation.set.items():
            field = model.by_attribute.get(attribute)
            path = join_path(operation.at, field.name if field else attribute)
            only = replace(operation, key=(), set={attribute: value}, was={}, rows={})
            yield from _named(app.models, only, path)


def _named(models: Mapping[str, Model], operation: Operation, path: str) -> Iterator[Named]:
    found: list[Named] = []

    def note(model: str, key: Any) -> Any:
        if model in models and not is_temporary(key):
            found.append(Named(model, key, path))
        return key

    _changed(models, operation, note)
    yield from found


def _changed(models: Mapping[str, Model], operation: Operation, change: _Change) -> Operation:
    model = models.get(operation.model)
    if model is None:
        return operation
    return replace(
        operation,
        key=tuple(_key(model, operation.key, change)),
        set={a: _value(models, model, a, v, change) for a, v in operation.set.items()},
        was={a: _value(models, model, a, v, change) for a, v in operation.was.items()},
        rows={n: _children(models, model, n, keys, change) for n, keys in operation.rows.items()},
    )


def _key(model: Model, key: Sequence[Any], change: _Change) -> list[Any]:
    if len(key) != len(model.key):
        return list(key)
    pairs = zip(model.key, key, strict=True)
    return [_part(model, attribute, part, change) for attribute, part in pairs]


def _value(
    models: Mapping[str, Model], model: Model, attribute: str, data: Any, change: _Change
) -> Any:
    link = model.links.get(attribute)
    if link is None:
        return _part(model, attribute, data, change)
    return _keys(models.get(str(link.target)), data, change)


def _children(
    models: Mapping[str, Model], model: Model, name: str, data: Any, change: _Change
) -> Any:
    children = model.children.get(name)
    return data if children is None else _keys(models.get(children.model), data, change)


def _keys(target: Model | None, data: Any, change: _Change) -> Any:
    if target is None or not isinstance(data, list | tuple):
        return data
    # links are sorted by their keys, and read as sets
    return [_key(target, key, change) if isinstance(key, list) else key for key in data]


def _part(model: Model, attribute: str, part: Any, change: _Change) -> Any:
    owner = model.name if attribute == model.generated_key else model.counted.get(attribute)
    is_number = isinstance(part, int) and not isinstance(part, bool)
    return change(owner, part) if owner and is_number else part
