"""Key allocation: the keys that new rows are to have, taken before the rows are written.

SQLite answers every new row with its key, one by one. Rows whose keys are known are written at
once, and so are the rows that point to them. PostgreSQL answers for many rows at once: there
another question would cost more than it saves.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect

from fieldpost.schema.models import Model


def next_keys(connection: sa.Connection, wanted: Mapping[Model, int]) -> dict[Model, list[int]]:
    """Take keys that nobody else gets, in the order in which the database counts.

    Args:
        connection: within a transaction that writes: on SQLite it is the only one.
        wanted: how many keys of each model, which has a `generated_key`.

    Returns:
        The keys of each model; none where the database is to count by itself.
    """
    if connection.dialect.name != "sqlite" or not wanted:
        return {}
    models = tuple(wanted)
    last = connection.exec_driver_sql(_last_keys(models)).one()
    return {m: list(range(n + 1, n + 1 + wanted[m])) for m, n in zip(models, last, strict=True)}


@cache
def _last_keys(models: tuple[Model, ...]) -> str:
    """Return what reads the last key of each model: of all rows there are, and there were."""
    query = sa.select(*(_last_key(model) for model in models))
    # as text: it is run for every envelope, and has no parameters
    return str(query.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))


def _last_key(model: Model) -> Any:
    counted = sa.table(
        "sqlite_sequence", sa.column("name", sa.String), sa.column("seq", sa.Integer)
    )
    highest = sa.select(sa.func.max(model.table.autoincrement_column)).scalar_subquery()
    ever = sa.select(counted.c.seq).where(counted.c.name == model.table.name).scalar_subquery()
    zero: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    # `max` of several values, which SQLite has
    return sa.func.max(sa.func.coalesce(highest, zero), sa.func.coalesce(ever, zero))
