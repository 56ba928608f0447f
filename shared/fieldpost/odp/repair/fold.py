"""Folding: what two envelopes of one record do, one after the other, as one list of operations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fieldpost.errors import join_path
from fieldpost.odp.form.rows import Opened
from fieldpost.pages import Form
from fieldpost.wire.envelope import Operation

Row = tuple[str, str]
"""Model, and ``repr`` of a row's key."""


def row_of(operation: Operation) -> Row:
    """Return which row an operation is about."""
    return operation.model, repr(list(operation.key))


def places_of_rows(form: Form, opened: Opened, at: str = "") -> Iterator[tuple[Row, str]]:
    """Yield each row of an opened form with its place in it."""
    yield (form.model.name, repr(list(opened["key"]))), at
    for name, child in form.lists.items():
        for index, entry in enumerate(opened["children"].get(name, ())):
            yield from places_of_rows(child.form, entry, f"{join_path(at, name)}[{index}]")


def folded(
    first: Iterable[Operation], then: Iterable[Operation], places: Mapping[Row, str]
) -> list[Operation]:
    """Return operations that do what `first` and `then` do one after the other.

    Args:
        first: of an envelope.
        then: of a later one, made on top of it.
        places: where rows stand in the form of the later one.
    """
    looks: dict[Row, Operation] = {}
    deletes: dict[Row, Operation] = {}
    writes: dict[Row, Operation] = {}
    for operation in (*(_at(o, places) for o in first), *then):
        row = row_of(operation)
        if operation.do == "look":
            # a later look is at what the first has made of the row
            if row not in looks and row not in writes:
                looks[row] = operation
        elif operation.do == "delete":
            before = writes.pop(row, None)
            if before is None or before.do == "update":
                deletes[row] = _deleted(before, operation)
        elif row in writes:
            writes[row] = _updated(writes[row], operation)
        else:
            writes[row] = operation
    kept = (o for o in writes.values() if o.do == "insert" or o.set)
    return [*looks.values(), *deletes.values(), *kept]


def _at(operation: Operation, places: Mapping[Row, str]) -> Operation:
    return replace(operation, at=places.get(row_of(operation), operation.at))


def _deleted(before: Operation | None, operation: Operation) -> Operation:
    if before is None:
        return operation
    return replace(operation, was={**operation.was, **before.was})


def _updated(before: Operation, operation: Operation) -> Operation:
    """Put an update on top of an insert or an update."""
    new: dict[str, Any] = {**before.set, **operation.set}
    if before.do == "insert":
        return replace(before, set=new, at=operation.at)
    was = {**operation.was, **before.was}
    new = {attribute: value for attribute, value in new.items() if value != was[attribute]}
    return replace(operation, set=new, was=was)
