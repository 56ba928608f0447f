"""Decoding: the typed values of an operation, and what is wrong with each by itself."""

from collections.abc import Iterator
from typing import Any

from fieldpost.errors import Problem, join_path
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.pages import Form
from fieldpost.schema.validation import read_json, value_faults, value_problems
from fieldpost.wire.envelope import Operation

Decoded = tuple[dict[str, Any], list[Problem]]
"""Values by attribute; problems with their places in the form."""


def decoded(operation: Operation, form: Form) -> Decoded:
    """Return the values that an operation sets."""
    model = form.model
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for attribute, data in operation.set.items():
        field = model.by_attribute[attribute]
        value, fault = read_json(field, data, operation.at)
        values[attribute] = value
        # what a temporary key stands for is known when it is resolved
        if attribute in model.references and is_temporary(value):
            continue
        # a place is put together only where something is wrong
        if fault is not None or value_faults(field, value):
            path = join_path(operation.at, field.name)
            value, fault = read_json(field, data, path)
            problems += [fault] if fault else value_problems(field, value, path)
    if operation.do == "insert":
        problems += _absent(operation, form)
    return values, problems


def _absent(operation: Operation, form: Form) -> Iterator[Problem]:
    for field in form.fields.values():
        if field.attribute not in operation.set and not field.read_only:
            path = join_path(operation.at, field.name)
            yield from value_problems(field, None, path, absent=True)
