"""Cursors: how far a reader of the change feed is, as a text that is opaque to everybody else."""

import re
from dataclasses import dataclass

from fieldpost.errors import Code, InputError, problem

MAX_CURSOR_CHARACTERS = 8_000

_CURSOR = re.compile(r"f1\.([0-9a-f]{32})\.([0-9]{1,19})(?:\.([A-Za-z0-9_-]*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A point in the order of commits of one database; opaque to everybody else.

    Attributes:
        timeline: id of the database's timeline.
        position: PostgreSQL: the first transaction not known to be finished; SQLite: the number
            of the last change seen.
        plan: what the reader selected when it had the cursor made; see `scope/replication_plan.py`.
    """

    timeline: str
    position: int
    plan: str = ""

    def __str__(self) -> str:
        return f"f1.{self.timeline}.{self.position}.{self.plan}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor.

        Raises:
            InputError: it is none.
        """
        match = _CURSOR.fullmatch(text) if len(text) <= MAX_CURSOR_CHARACTERS else None
        if match is None or int(match[2]) >= 2**63:
            raise InputError([problem(Code.BAD_CURSOR, "cursor")])
        return cls(match[1], int(match[2]), match[3] or "")
