"""For an author's `env.py` of Alembic: what is Fieldpost's is left alone, its types are plain ones.

    context.configure(..., include_name=include_name, render_item=render_item)

A migration names the types of SQLAlchemy only, so that it stays what it was whatever becomes of
Fieldpost's.
"""

from typing import Any, Literal

from fieldpost.schema.column_types import AwareDateTime, ExactDecimal
from fieldpost.types import AttachmentType
from fieldpost_server.storage import tables as own

PREFIX = "fieldpost_"
"""Begins the names of Fieldpost's tables: `db install` makes and changes them."""


def include_name(
    name: str | None, kind: str, parent_names: object  # noqa: ARG001 - Alembic's
) -> bool:  # fmt: skip
    """Say whether Alembic should look at something of the database."""
    if kind != "table" or name is None:
        return True
    return name not in own.metadata.tables and not name.startswith(PREFIX)


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:  # noqa: ARG001
    """Return the Python text of a type; False where Alembic knows better."""
    if kind != "type":
        return False
    if isinstance(item, ExactDecimal):
        return f"sa.Numeric(precision={item.precision!r}, scale={item.scale!r})"
    if isinstance(item, AwareDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, AttachmentType):
        return "sa.JSON(none_as_null=True)"
    return False
