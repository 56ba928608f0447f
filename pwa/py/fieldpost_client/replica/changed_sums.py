"""Digests of tables that a pull changes: without its rows as they were, with them as they are.

Going through a large table takes seconds on a device. What was proven was proven of the very pieces
that the replica was read from, and each of them is what its name says.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from fieldpost.replication.checksum import digest_of, row_digest
from fieldpost.replication.rows import public_columns, row_from_wire, row_to_wire
from fieldpost.schema.associations import LinkTable
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import is_readable
from fieldpost_client.replica.replica import Replica

MOST_KEYS = 1_000
"""With more changed rows of one table than this it is gone through."""
CHUNK_KEYS = 300

Key = tuple[Any, ...]


class ChangedSums:
    """What the tables come to that an answer changes.

    Made before the answer is applied: it looks at the rows as they are then.

    Args:
        replica: the rows.
        answer: of a pull.
        proven: digests that the tables are known to have.
    """

    def __init__(
        self, replica: Replica, answer: Mapping[str, Any], proven: Mapping[str, Any]
    ) -> None:
        self._replica = replica
        self._keys: dict[str, set[Key]] = {}
        self._rest: dict[str, tuple[int, int]] = {}
        put, remove = answer.get("put", {}), answer.get("remove", {})
        for name in {*put, *remove} - {*answer.get("replace", ())}:
            model = replica.app.tables.get(name)
            if model is None or name not in proven:
                continue
            try:
                keys = _keys(model, put.get(name, ()), remove.get(name, ()))
                found = self._sums(model, keys) if len(keys) <= MOST_KEYS else None
            except (ValueError, KeyError, TypeError, sa.exc.SQLAlchemyError):
                continue  # it does not fit the tables: that shows when it is applied
            if found is not None:
                count, total = proven[name]["count"], int(proven[name]["sum"], 16)
                self._rest[name] = count - found[0], total - found[1]
                self._keys[name] = keys

    def equal(self, digests: Mapping[str, Any]) -> set[str]:
        """Return the tables that have these digests now; of all others nothing is said."""
        return {name for name in digests.keys() & self._keys if self._is(name, digests[name])}

    def _is(self, name: str, digest: Any) -> bool:
        model = self._replica.app.tables[name]
        found = self._sums(model, self._keys[name])
        if found is None:
            return False
        with self._replica.connection.begin():
            query = sa.select(sa.func.count()).select_from(model.table)
            there = self._replica.connection.scalar(query)
        count, total = self._rest[name]
        # a row may have gone that nobody named: one that was in the way of another
        return there == count + found[0] and digest_of(there, total + found[1]) == digest

    def _sums(self, model: Model | LinkTable, keys: set[Key]) -> tuple[int, int] | None:
        """Return number and sum of the rows with these keys; None where one cannot be read."""
        columns, count, total = public_columns(model), 0, 0
        with self._replica.connection.begin():
            for where in _chunks(model, keys):
                query = sa.select(*columns).where(where)
                for row in self._replica.connection.execute(query).mappings():
                    if not is_readable(row.values()):
                        return None
                    wire = row_to_wire(model.table, {c.name: row[c] for c in columns})
                    count, total = count + 1, total + row_digest(wire)
        return count, total


def _keys(model: Model | LinkTable, put: Any, remove: Any) -> set[Key]:
    """Return the keys of these rows, as SQLAlchemy writes them."""
    names = [column.name for column in model.table.primary_key]
    named = [*({n: row[n] for n in names} for row in put)]
    named += [dict(zip(names, key, strict=True)) for key in remove]
    return {tuple(row_from_wire(model.table, key)[n] for n in names) for key in named}


def _chunks(model: Model | LinkTable, keys: set[Key]) -> Iterator[sa.ColumnElement[bool]]:
    columns, left = list(model.table.primary_key), list(keys)
    for at in range(0, len(left), CHUNK_KEYS):
        chunk = left[at : at + CHUNK_KEYS]
        if len(columns) == 1:
            yield columns[0].in_([key[0] for key in chunk])
        else:
            each = (sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in chunk)
            yield sa.or_(*each)
