"""The count of what users take: asked before work is done, and true for all processes together.

A count and its bound are one statement, so that no two requests share the last place. Days are
those of UTC: everybody, and every process, begins anew at the same moment.
"""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.users import User
from fieldpost_server.log import log
from fieldpost_server.quotas.kinds import WORDS, Kind, limits_of
from fieldpost_server.settings import MIB, Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

MOST_PORTION = 4 * MIB
"""Bytes that one process takes ahead of a user's quota, so that not every piece is a statement."""
PORTIONS = 50
"""One such portion is at most this part of a quota: so little is lost where a process ends."""


class Quotas:
    """Counts what users take, and refuses what is too much.

    Args:
        database: where it is counted.
        settings: how much there is.
        now: this moment, in UTC.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        now: Callable[[], datetime] = tables.utc_now,
    ) -> None:
        self.database = database
        self.limits = limits_of(settings)
        self.now = now
        self._lock = threading.Lock()
        self._day = date.min
        # bytes that were counted and are not used yet, by user and kind
        self._ahead: dict[tuple[str, Kind], int] = {}

    def take(self, user: str, kind: Kind, amount: int = 1) -> None:
        """Count what a user is about to take; no other transaction may be open meanwhile.

        Raises:
            InputError: there is not so much left for today.
        """
        most, day = self.limits[kind], self.now().date()
        if not most or amount <= 0 or self._spare(user, kind, day, amount):
            return
        wanted = max(amount, min(MOST_PORTION, most // PORTIONS)) if kind.is_bytes else amount
        # fault point: quota-counted — it is counted and nothing was done yet: a user whose request
        # ends here has so much less for today.
        for each in dict.fromkeys((wanted, amount)):
            with self.database.current_session() as session:
                has_it = _count(session.connection(), user, kind, day, each, most)
            if has_it:
                self._keep(user, kind, day, each - amount)
                return
        raise self._refused(user, kind)

    def take_within(self, session: Session, user: str, kind: Kind) -> None:
        """Count one within a transaction that does what is counted; raises as `take` does."""
        most, day = self.limits[kind], self.now().date()
        if most and not _count(session.connection(), user, kind, day, 1, most):
            raise self._refused(user, kind)

    def _spare(self, user: str, kind: Kind, day: date, amount: int) -> bool:
        """Use what was counted ahead; say whether that was enough."""
        with self._lock:
            # fault point: portion-unused — memory only: what was counted ahead and not used is
            # lost with the process, and comes again with the next day.
            if day != self._day:
                self._day, self._ahead = day, {}
            left = self._ahead.get((user, kind), 0) - amount
            if left < 0:
                return False
            self._ahead[user, kind] = left
            return True

    def _keep(self, user: str, kind: Kind, day: date, spare: int) -> None:
        with self._lock:
            # fault point: portion-forgotten — as above; the request it was taken for goes on.
            if spare and day == self._day:
                self._ahead[user, kind] = self._ahead.get((user, kind), 0) + spare

    def _refused(self, user: str, kind: Kind) -> InputError:
        log("quota used up", user=user, what=str(kind), most=self.limits[kind])
        return InputError([self.used_up(kind)])

    def used_up(self, kind: Kind) -> Problem:
        """Return what is said where nothing of a kind is left for today."""
        seconds = seconds_left(self.now())
        return problem(
            Code.QUOTA_USED,
            what=WORDS[kind],
            limit=kind.amount(self.limits[kind]),
            wait=_span(seconds),
            detail={"quota": str(kind), "seconds": seconds},
        )


def over_quota(quotas: Quotas, user: User, line: bytes) -> Problem | None:
    """Count an entry that a user sends; return why it is not taken today, if it is not."""
    try:
        quotas.take(user.name, Kind.ENTRY_BYTES, len(line))
    except InputError as error:
        return error.problems[0]
    return None


def seconds_left(now: datetime) -> int:
    """Return how many seconds of the day are left, at least one."""
    midnight = datetime.combine(now.date() + timedelta(days=1), now.time().min, now.tzinfo)
    return max(1, ceil((midnight - now).total_seconds()))


def _span(seconds: int) -> str:
    """Return a time to wait in words, rounded up."""
    minutes = ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    hours = ceil(minutes / 60)
    return f"{hours} hour{'s' if hours > 1 else ''}"


def _count(
    connection: sa.Connection, user: str, kind: Kind, day: date, amount: int, most: int
) -> bool:
    """Count an amount in one statement; say no, and count nothing, where it is too much."""
    if amount > most:
        return False
    is_postgresql = connection.dialect.name == "postgresql"
    insert: Any = postgresql.insert if is_postgresql else sqlite.insert
    table = tables.quota_use
    new = insert(table).values(user=user, kind=str(kind), day=day, used=amount)
    statement = new.on_conflict_do_update(
        index_elements=[table.c.user, table.c.kind, table.c.day],
        set_={"used": table.c.used + amount},
        where=table.c.used + amount <= most,
    )
    return connection.execute(statement.returning(table.c.used)).first() is not None
