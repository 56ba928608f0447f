"""The horizon of the change feed: how far it may be read, so that nothing is ever skipped (R45).

On PostgreSQL transactions commit in another order than they begin, so a counter alone skips the
late ones. A position is the oldest transaction that was still running in the snapshot: all below it
was finished and seen, and what is above waits for it. On SQLite there is one writer, and a counter
is the order of commits.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.storage.tables import HISTORY, PRUNED

_META = "(SELECT value FROM fieldpost_meta WHERE name = '{}')"
_MOMENTS = {
    name: sa.text(f"SELECT {_META.format(HISTORY)}, {_META.format(PRUNED)}, {now}")
    for name, now in {
        "postgresql": "pg_current_snapshot()::text",
        # the table of changes itself may have been pruned to nothing
        "sqlite": "(SELECT seq FROM sqlite_sequence WHERE name = 'fieldpost_change')",
    }.items()
}
# one statement: on a database across a network each one costs a journey


@dataclass(frozen=True, slots=True)
class Moment:
    """What one snapshot sees of the feed.

    Attributes:
        timeline: id of the database's timeline.
        position: where a reader who has read this snapshot goes on.
        oldest: changes below this position were forgotten.
        newest: PostgreSQL: the first transaction that had not begun; SQLite: the position.
        running: transactions below `newest` that had not ended.
    """

    timeline: str
    position: int
    oldest: int
    newest: int
    running: frozenset[int] = frozenset()

    def cursor(self, plan: str = "") -> Cursor:
        """Return the cursor that continues after this snapshot."""
        return Cursor(self.timeline, self.position, plan)

    def keeps(self, cursor: "Cursor | Moment") -> bool:
        """Say whether all changes since are still here, and the position is not of the future.

        The latter is a server that was put back to an older backup.
        """
        return cursor.timeline == self.timeline and self.oldest <= cursor.position <= self.newest

    def sees(self, other: "Moment") -> bool:
        """Say whether this snapshot sees all that another one saw.

        Positions do not tell: between two readers a transaction may end that began before both.
        """
        return other.newest <= self.newest and all(
            each in other.running for each in self.running if each < other.newest
        )


def current_moment(session: Session) -> Moment:
    """Return what the session's snapshot sees of the feed."""
    timeline, pruned, now = (
        session.connection().execute(_MOMENTS[session.connection().dialect.name]).one()
    )
    if session.connection().dialect.name != "postgresql":
        return Moment(timeline or "", now or 0, int(pruned or 1) - 1, now or 0)
    oldest_running, newest, running = now.split(":")
    return Moment(
        timeline or "",
        int(oldest_running),
        int(pruned or 0),
        int(newest),
        frozenset(int(each) for each in running.split(",") if each),
    )
