"""Tables that a download has to go without: each by itself, with its reason.

A view that raises, a table that is gone, a scope that fails for somebody: the other tables arrive
all the same. Nothing is sent of a table that fails, and the cursor says that the device lacks it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import WARNING
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fieldpost.errors import Code, Problem, problem
from fieldpost_server.log import log
from fieldpost_server.scope.replication_plan import Plan
from fieldpost_server.storage.database import is_transient

T = TypeVar("T")

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

UNDECIDED = "its scope fails"


@dataclass
class FailedTables:
    """What one reader's download goes without.

    Attributes:
        plan: what the reader is to have.
        causes: by table, for whoever looks after the server.
    """

    plan: Plan
    causes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with what nobody can decide."""
        undecided = (name for name, entry in self.plan.items() if entry.undecided)
        self.causes.update(dict.fromkeys(undecided, UNDECIDED))

    def read(self, session: Session, name: str, work: Callable[[], T]) -> T | None:
        """Do what reads one table; None where that raises, and then its name is in `causes`.

        Raises:
            DBAPIError: the database itself is in trouble, and the same call may succeed later.
        """

        def inside() -> T:
            # PostgreSQL refuses everything after an error but the way back to here
            with session.begin_nested():
                return work()

        return self.attempt(name, inside)

    def attempt(self, name: str, work: Callable[[], T]) -> T | None:
        """Do what concerns one table and asks the database nothing; see `read`."""
        try:
            return work()
        except Exception as error:  # also what an author's own types raise
            if isinstance(error, DBAPIError) and is_transient(error):
                raise
            self.causes[name] = _words(error)
            return None

    def problems(self) -> dict[str, Problem]:
        """Return by table what a worker is told: what the database says is not for her."""
        return {name: self._problem(name) for name in sorted(self.causes)}

    def _problem(self, name: str) -> Problem:
        entry = self.plan[name]
        code = Code.TABLE_UNDECIDED if entry.undecided else Code.TABLE_UNREAD
        return problem(code, name, label=entry.label)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a table was left out, and of whose download."""

    user: str
    cause: str


class FailureNotes:
    """What this process has left out of downloads, for the log, health and the designer."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], str] = {}

    def note(self, user: str, failed: FailedTables) -> None:
        """Remember what somebody's download went without, and forget what it had again."""
        for name in failed.plan:
            cause = failed.causes.get(name)
            known = self._noted.get((name, user))
            if cause is None:
                self._noted.pop((name, user), None)
            elif cause != known:
                self._noted[name, user] = cause
                log("table left out", level=WARNING, table=name, user=user, cause=cause)

    def words(self) -> list[str]:
        """Return one sentence for each table, by its name."""
        found: dict[str, list[Failure]] = {}
        for (name, user), cause in sorted(self._noted.items()):
            found.setdefault(name, []).append(Failure(user, cause))
        return [_told(name, failures) for name, failures in found.items()]


def _told(table: str, failures: list[Failure]) -> str:
    first, more = failures[0], len(failures) - 1
    others = f" and {more} more" if more else ""
    return f"'{table}' was left out of the downloads of {first.user}{others} ({first.cause})"


def _words(error: Exception) -> str:
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    # the same cause reads the same each time: where an object lay is nobody's business
    first = _ADDRESS.sub("", (said.splitlines() or [""])[0])
    return f"{type(error).__name__}: {first}"[:200]
