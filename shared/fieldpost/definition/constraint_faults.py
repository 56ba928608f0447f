"""Constraints that cannot be applied to their field, found before anybody fills it in."""

from collections.abc import Iterator
from typing import Any

import annotated_types as at

from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Model
from fieldpost.schema.validation import constraint_check
from fieldpost.schema.values import ValueProblem

# texts of which every kind of value reads one
_SAMPLES = (
    "[]",
    "1",
    "2026-11-23",
    "12:30",
    "2026-11-23T12:30",
    "true",
    "0a5ecb2c-55bc-4d4e-8a4e-7b0d4b0e3f6d",
)


def constraint_faults(model: Model) -> Iterator[str]:
    """Yield which constraints of a model's fields fail on a value of their field's type."""
    for field in model.fields.values():
        sample = _sample(field)
        for constraint in field.constraints if sample is not None else ():
            # what a predicate makes of this very value is no sign of a mistake
            if isinstance(constraint, at.Predicate):
                continue
            try:
                check = constraint_check(constraint, field.kind)
                if check is not None:
                    check(sample)
            except Exception as error:  # noqa: BLE001 - an author's limit may raise anything
                yield (
                    f"{model.cls.__name__}.{field.attribute} has the constraint {constraint!r}, "
                    f"which cannot be applied to {type(sample).__name__} "
                    f"({type(error).__name__}: {error}). Correct the constraint."
                )


def _sample(field: Field) -> Any:
    if field.kind is Kind.LINKS:
        return None
    texts = (*(c.value for c in field.choices), *_SAMPLES)
    for text in texts:
        try:
            return field.codec.from_text(text)
        except ValueProblem:
            continue
    return None
