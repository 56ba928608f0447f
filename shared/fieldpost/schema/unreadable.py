"""Values that their column's type cannot read: they stop nothing, they are named.

Other programs write into the database, and SQLite keeps what it is given: a date of zeros, a word
where a number belongs, bytes that are no text. SQLAlchemy raises while it reads such a row, and all
rows after it are lost. An engine that `keep_reading` has prepared gives an `Unreadable` in the
place of the value instead, to plain queries and to mapped objects alike.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

WORDS = "unreadable"
"""What people read in the place of the value."""

ENCODED = {WORDS: True}
"""Stands for it in JSON: unlike every value that can be read."""


_judging: ContextVar[bool] = ContextVar("judging", default=False)
"""Whether an author's code is being asked, which knows nothing of values that cannot be read."""


class UnreadableMet(ValueError):
    """An author's code has asked something of a value that cannot be read: nobody knows."""


@contextmanager
def judging() -> Iterator[None]:
    """Let an author's code be asked: what it asks of such a value raises `UnreadableMet`.

    Otherwise the value would be true, like nothing else, and be taken for one that is there.
    """
    token = _judging.set(True)
    try:
        yield
    finally:
        _judging.reset(token)


@dataclass(frozen=True, slots=True, eq=False)
class Unreadable:
    """What stands in the place of a value that cannot be read.

    It has words, and nothing else: an author's code that is asked (`judging`) cannot compare it,
    take it for true, or do sums with it.

    Attributes:
        raw: what the database holds.
    """

    raw: Any

    def __str__(self) -> str:
        return WORDS

    def __bool__(self) -> bool:
        _refuse_to_judge()
        return True

    def __eq__(self, other: object) -> bool:
        _refuse_to_judge()
        return type(other) is Unreadable and bool(self.raw == other.raw)

    def __hash__(self) -> int:
        return hash(repr(self.raw))


def _refuse_to_judge() -> None:
    if _judging.get():
        raise UnreadableMet("a value that it looks at cannot be read")


def unreadable_attributes(row: Any) -> list[str]:
    """Return the attributes of a mapped object that hold such a value."""
    mapper = sa.inspect(type(row), raiseerr=False)
    columns = mapper.column_attrs.keys() if mapper is not None else ()
    return [name for name in columns if type(getattr(row, name)) is Unreadable]


def is_readable(row: Any) -> bool:
    """Say whether all values of a row could be read."""
    return Unreadable not in map(type, row)


def keep_reading(engine: sa.Engine, *, strict: bool) -> None:
    """Let an engine go on where a value cannot be read.

    Args:
        engine: whose rows are read.
        strict: on SQLite, look also at values that are read as they stand; a device need not,
            because its rows come from a server that did.
    """
    usual: Any = engine.dialect.execution_ctx_cls
    guards: dict[Any, Any] = {}

    class Guarded(usual):  # type: ignore[misc]
        def get_result_processor(self, type_: Any, colname: str, coltype: Any) -> Any:
            read = super().get_result_processor(type_, colname, coltype)
            check = _check(type_) if strict and self.dialect.name == "sqlite" else None
            if read is None and check is None:
                return None
            # one for each, so that statements which are compiled once share it
            if (read, check) not in guards:
                guards[read, check] = _guard(read, check)
            return guards[read, check]

    engine.dialect.execution_ctx_cls = Guarded


def _guard(
    read: Callable[[Any], Any] | None, check: Callable[[Any, Any], bool] | None
) -> Callable[[Any], Any]:
    def guarded(raw: Any) -> Any:
        if raw is None or type(raw) is Unreadable:
            return raw
        try:
            value = raw if read is None else read(raw)
        except Exception:  # noqa: BLE001 - whatever a type raises, also an author's own
            return Unreadable(raw)
        return value if check is None or check(raw, value) else Unreadable(raw)

    return guarded


def _is_plain(kind: type | tuple[type, ...], _: Any, value: Any) -> bool:
    return isinstance(value, kind)


def _is_flag(raw: Any, _: Any) -> bool:
    return isinstance(raw, int)


def _is_naive(_: Any, value: Any) -> bool:
    return getattr(value, "tzinfo", None) is None


# SQLite keeps any value in any column, and these types look at none of them
_CHECKS: tuple[tuple[type[Any], Callable[[Any, Any], bool]], ...] = (
    (sa.Boolean, _is_flag),
    (sa.Integer, partial(_is_plain, int)),
    (sa.Float, partial(_is_plain, (int, float))),
    (sa.LargeBinary, partial(_is_plain, bytes)),
    (sa.DateTime, _is_naive),
    (sa.Time, _is_naive),
)
_is_text = partial(_is_plain, str)


def _check(type_: Any) -> Callable[[Any, Any], bool] | None:
    if isinstance(type_, sa.Enum):
        return None
    if isinstance(type_, sa.String):
        return _is_text
    return next((check for kind, check in _CHECKS if isinstance(type_, kind)), None)
