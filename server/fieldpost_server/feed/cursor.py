"""Cursors: how far a reader of the change feed is, as a text that is opaque to everybody else."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from fieldpost.errors import Code, InputError, problem

MAX_CURSOR_CHARACTERS = 8_000
MAX_LACKS = 26
"""Hexadecimal digits, four tables each; an envelope keeps a cursor of at most 100 characters."""

_CURSOR = re.compile(
    r"f1\.([0-9a-f]{32})\.([0-9]{1,19})(?:\.([A-Za-z0-9_-]*)(?:\.([0-9a-f]{1,26}))?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A point in the order of commits of one database; opaque to everybody else.

    Attributes:
        timeline: id of the database's timeline.
        position: PostgreSQL: the first transaction not known to be finished; SQLite: the number
            of the last change seen.
        plan: what the reader selected when it had the cursor made; see `scope/replication_plan.py`.
        lacks: the tables of that plan which the reader was not sent, see `lacking`.
    """

    timeline: str
    position: int
    plan: str = ""
    lacks: str = ""

    def __str__(self) -> str:
        lacks = f".{self.lacks}" if self.lacks else ""
        return f"f1.{self.timeline}.{self.position}.{self.plan}{lacks}"

    def lacking(self, names: Iterable[str], failed: Collection[str]) -> "Cursor":
        """Return this cursor for a reader that was not sent some of its tables.

        Args:
            names: of all tables of the plan.
            failed: those that were not sent. Where there are too many tables to name some of them,
                the cursor is of no plan: the next reading sends all of them.
        """
        bits = sum(1 << n for n, name in enumerate(sorted(names)) if name in failed)
        lacks = f"{bits:x}" if bits else ""
        if len(lacks) > MAX_LACKS:
            return replace(self, plan="", lacks="")
        return replace(self, lacks=lacks)

    def lacked(self, names: Iterable[str]) -> set[str]:
        """Return which tables of its plan the reader was not sent."""
        bits = int(self.lacks or "0", 16)
        return {name for n, name in enumerate(sorted(names)) if bits >> n & 1}

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor.

        Raises:
            InputError: it is none.
        """
        match = _CURSOR.fullmatch(text) if len(text) <= MAX_CURSOR_CHARACTERS else None
        if match is None or int(match[2]) >= 2**63:
            raise InputError([problem(Code.BAD_CURSOR, "cursor")])
        return cls(match[1], int(match[2]), match[3] or "", match[4] or "")
