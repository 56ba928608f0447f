"""What a column holds and its type cannot read: kept as it is, shown as text, never in the way.

Other programs write what no form would: ``0000-00-00`` in a date, a choice that is gone, text
where a number belongs. Such a row can still be listed, opened and changed elsewhere.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


class Unreadable(str):
    """What a column holds, as text, where it is no value of its type."""

    __slots__ = ()


def kept(value: Any) -> Unreadable:
    """Return what the database gave as it can be shown and travel."""
    if isinstance(value, bytes | bytearray | memoryview):
        return Unreadable(bytes(value).decode("utf-8", "backslashreplace"))
    return Unreadable(value)


class _Tolerant(sa.types.TypeEngine[Any]):
    """Comes before a dialect's own type and lets what that cannot read through."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        read = super().result_processor(dialect, coltype)
        if read is None and dialect.name == "sqlite" and isinstance(self, sa.Numeric | sa.Float):
            return _number
        if read is None:
            return None
        is_wall = isinstance(self, sa.DateTime) and not self.timezone
        return _tolerant_reader(_without_zone(read) if is_wall else read)

    def bind_processor(self, dialect: Any) -> Any:
        write = super().bind_processor(dialect)
        return None if write is None else _tolerant_writer(write)


def _without_zone(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def process(value: Any) -> Any:
        found = read(value)
        # SQLite keeps a moment's text in a column of wall clocks: its offset would be lost
        return found if found is None or found.tzinfo is None else kept(value)

    return process


def _number(value: Any) -> Any:
    # SQLite keeps a text in a column of numbers
    return kept(value) if isinstance(value, str | bytes) else value


def _tolerant_reader(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def process(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, AttributeError, LookupError):
            return None if value is None else kept(value)

    return process


def _tolerant_writer(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def process(value: Any) -> Any:
        return str(value) if isinstance(value, Unreadable) else write(value)

    return process


_KINDS: tuple[type[sa.types.TypeEngine[Any]], ...] = (
    sa.Date,
    sa.DateTime,
    sa.TIMESTAMP,
    sa.Time,
    sa.Enum,
    sa.Uuid,
    sa.JSON,
    sa.Float,
    sa.Numeric,
)


class _TextEnum(_Tolerant, sa.Enum):
    """A choice in a column of text."""


def _as_text(_: Any, /, choice: Any, **how: Any) -> Any:
    return choice.adapt_to_emulated(_TextEnum, **how)


def keep_unreadable(engine: sa.Engine) -> None:
    """Let an engine read every row: what a type cannot read comes as `Unreadable`."""
    known: dict[Any, Any] = dict(engine.dialect.colspecs)
    for kind in _KINDS:
        base = known.get(kind, kind)
        known[kind] = type(base.__name__, (_Tolerant, base), {})
    if known[sa.Enum].__mro__[2] is not sa.Enum:
        # where a database has choices of its own, they may still be kept as text
        known[sa.Enum].adapt_native_to_emulated = classmethod(_as_text)
    engine.dialect.colspecs = known
