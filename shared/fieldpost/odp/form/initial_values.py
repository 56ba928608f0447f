"""What a new row begins with: the defaults of its columns, as far as they can be known."""

from typing import Any

import sqlalchemy as sa

from fieldpost.schema.fields import Field, default_text
from fieldpost.schema.values import ValueProblem


def initial_value(field: Field) -> Any:
    """Return a column's default where it is known."""
    default: Any = field.column.default
    if default is None:
        return _server_value(field)
    if default.is_sequence or default.is_clause_element:
        return None
    return default.arg(None) if default.is_callable else default.arg


def _server_value(field: Field) -> Any:
    """Return the constant that the database would fill in, so that the form shows it."""
    text = default_text(field.column)
    if not text:
        return field.empty if text == "" else None
    if isinstance(field.column.type, sa.Enum) and field.column.type.enum_class is not None:
        return field.column.type.enum_class.__members__.get(text)
    try:
        return field.codec.from_text(text)
    except ValueProblem:
        return None
