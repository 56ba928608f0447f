"""What PostgreSQL holds and Python cannot, such as ``infinity``: read as text, never in the way."""

from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from fieldpost.ground.kept_values import Unreadable

_TYPES = ("date", "time", "timestamp", "timestamptz")


def read_everything(connection: Any, _record: Any) -> None:
    """Let a connection read days and times that Python's calendar has not."""
    adapters = connection.adapters
    for name in _TYPES:
        oid = psycopg.adapters.types[name].oid
        base = psycopg.adapters.get_loader(oid, Format.TEXT)
        if base is not None:
            adapters.register_loader(name, _tolerant(base))


def _tolerant(base: Any) -> type[Loader]:
    class Tolerant(Loader):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            # not inherited: what is written in C would go past a method of Python
            self._load = base(oid, context).load

        def load(self, data: Buffer) -> Any:
            try:
                return self._load(data)
            except psycopg.DataError:
                return Unreadable(bytes(data).decode())

    return Tolerant
