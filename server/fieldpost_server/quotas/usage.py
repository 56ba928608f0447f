"""Who has taken how much today: for administrators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.quotas.kinds import WORDS, Kind
from fieldpost_server.storage import tables

NEAR = 0.8
"""Who has taken this part of a quota is near it."""
KEPT_DAYS = 31
"""Counts are kept for so long: whoever asks what happened last week finds it."""

_USE = tables.quota_use


@dataclass(frozen=True, slots=True)
class Usage:
    """What one user has taken of one quota today.

    Attributes:
        user: whose.
        kind: what of.
        used, most: how much, and of how much; 0 means that there is no bound.
    """

    user: str
    kind: Kind
    used: int
    most: int

    @property
    def share(self) -> float:
        """Return which part of the quota is taken; 0 where there is no bound."""
        return self.used / self.most if self.most else 0.0

    @property
    def is_near(self) -> bool:
        """Say whether little or nothing is left."""
        return self.share >= NEAR

    def __str__(self) -> str:
        most = self.kind.amount(self.most) if self.most else "any number"
        return f"{WORDS[self.kind]}: {self.kind.amount(self.used)} of {most}"


def usages(
    session: Session, limits: Mapping[Kind, int], now: datetime | None = None
) -> list[Usage]:
    """Return what users have taken today, who is nearest to a quota first."""
    day = (now or tables.utc_now()).date()
    known = {str(kind): kind for kind in Kind}
    query = sa.select(_USE.c.user, _USE.c.kind, _USE.c.used).where(_USE.c.day == day)
    found = [
        Usage(row.user, known[row.kind], row.used, limits[known[row.kind]])
        for row in session.execute(query)
        if row.kind in known
    ]
    return sorted(found, key=lambda each: (-each.share, each.user, each.kind))


def near_words(session: Session, limits: Mapping[Kind, int]) -> list[str]:
    """Return in words who is near or over a quota: for the health of the server."""
    near = [each for each in usages(session, limits) if each.is_near]
    return [f"{each.user} is near or over a quota of today ({each})" for each in near]


def free(session: Session, user: str, now: datetime | None = None) -> int:
    """Let a user begin her day anew; returns how many counts were forgotten."""
    day = (now or tables.utc_now()).date()
    # fault point: quota-unfreed — the counts go together or stay: the command is run again.
    gone = sa.delete(_USE).where(_USE.c.user == user, _USE.c.day == day)
    return session.connection().execute(gone).rowcount


def delete_old_counts(session: Session, now: datetime | None = None) -> int:
    """Forget the counts of days long past; returns how many."""
    oldest = (now or tables.utc_now()).date() - timedelta(days=KEPT_DAYS)
    return session.connection().execute(sa.delete(_USE).where(_USE.c.day < oldest)).rowcount
