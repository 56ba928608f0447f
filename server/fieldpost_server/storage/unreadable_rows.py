"""Rows that hold a value which nobody can read, by name: for the log, health and the designer."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from logging import WARNING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.schema.unreadable import Unreadable, is_readable
from fieldpost_server.log import log
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.seldom_looks import SeldomLook

KEEP_S = 600
"""For how long what was found is believed, in seconds: looking reads every row there is."""

MOST = 100
"""Values that are named."""

CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """Where a value is that cannot be read; what it is may be nobody's business."""

    table: str
    key: str
    column: str

    def __str__(self) -> str:
        return f"'{self.column}' of '{self.table}' {self.key}"


def note_unreadable(table: sa.Table, names: Sequence[str], row: Sequence[object]) -> None:
    """Log the values of a row that cannot be read."""
    for value in _values(table, names, row):
        _log_once(value)


@lru_cache(maxsize=10_000)
def _log_once(value: UnreadableValue) -> None:
    log(
        "row left out: a value cannot be read",
        level=WARNING,
        table=value.table,
        key=value.key,
        column=value.column,
    )


def _values(
    table: sa.Table, names: Sequence[str], row: Sequence[object]
) -> Iterator[UnreadableValue]:
    found = dict(zip(names, row, strict=True))
    key = ", ".join(_words(found.get(column.name)) for column in table.primary_key.columns)
    for name, value in found.items():
        if type(value) is Unreadable:
            yield UnreadableValue(table.name, key, name)


def _words(part: object) -> str:
    return repr(part.raw)[:50] if isinstance(part, Unreadable) else str(part)[:50]


class UnreadableRows:
    """Looks for such rows, now and then.

    Args:
        app: whose tables are read.
        database: where they are.
        keep_s: for how long what was found is believed, in seconds.
    """

    def __init__(self, app: App, database: Database, keep_s: float = KEEP_S) -> None:
        self.app = app
        self.database = database
        self._failed: dict[str, str] = {}
        self._looks = SeldomLook(self._first_found, keep_s)

    @property
    def age_s(self) -> float | None:
        """Return how long ago somebody looked, in seconds; None where nobody has."""
        return self._looks.age_s

    def find(self) -> Sequence[UnreadableValue]:
        """Return where they are, but hardly more than `MOST`."""
        return self._looks.get()

    def tables(self) -> list[str]:
        """Say of which tables nothing can be read, and why."""
        self._looks.get()
        return [f"'{name}' cannot be read ({cause})" for name, cause in self._failed.items()]

    def _first_found(self) -> Sequence[UnreadableValue]:
        self._failed = {}
        with self.database.read_session() as session, closing(self._look(session)) as found:
            return tuple(islice(found, MOST))

    def _look(self, session: Session) -> Generator[UnreadableValue]:
        for known in self.app.tables.values():
            try:
                with session.begin_nested():
                    yield from _look_into(session, known.table)
            except SQLAlchemyError as error:
                said = str(getattr(error, "orig", error)).splitlines() or [""]
                self._failed[known.table.name] = said[0][:200]


def _look_into(session: Session, table: sa.Table) -> Iterator[UnreadableValue]:
    names = [column.name for column in table.columns]
    query = sa.select(table)
    with session.execute(query, execution_options={"yield_per": CHUNK_ROWS}) as rows:
        for row in rows:
            if not is_readable(row):
                note_unreadable(table, names, row)
                yield from _values(table, names, row)
