"""Throttle sign-in: guessing a password becomes slow, in all processes and after restarts.

Failures are counted in the database for a user from one address, for a user from anywhere and for
an address with any user. The wait doubles with each failure beyond what is allowed. A browser that
the user has signed in with before (`known_browsers`) has a count of its own and no other, so that
nobody can be locked out by strangers; for all others the count for a user from anywhere waits a
minute at most.

The code after the password has counts of its own, which a right password does not end. Only who has
the password comes so far, so that these may wait for a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.users import folded
from fieldpost_server.storage import tables

_ADDRESS = "address:"
_DAY_S = 24 * 3600
FORGET_AFTER = timedelta(hours=1)
"""Without a failure for so long the count starts again."""


@dataclass(frozen=True, slots=True)
class _Limit:
    subject: str
    free: int
    longest_s: int

    def wait(self, failures: int) -> timedelta:
        beyond = failures - self.free
        return timedelta(seconds=min(2 ** min(beyond, 20), self.longest_s) if beyond >= 0 else 0)


@dataclass(frozen=True, slots=True)
class Guess:
    """Who tries to sign in.

    Attributes:
        name: as typed.
        address: where from.
        browser: which of this user's known browsers it is; empty where it is none.
        is_second: whether it is the second factor that is tried.
        is_question: whether the provider of identities is to be asked who it is.
    """

    name: str
    address: str
    browser: str = ""
    is_second: bool = False
    is_question: bool = False

    @property
    def limits(self) -> Sequence[_Limit]:
        """Return what it is counted for; that of everybody comes last, where it has one."""
        user = folded(self.name)[:200]
        if self.is_question:
            return (_Limit(f"question:{self.address}", free=60, longest_s=60),)
        if self.is_second:
            whose = f"browser:{self.browser}" if self.browser else f"user:{user}"
            return (_Limit(f"second-{whose}", free=5, longest_s=_DAY_S),)
        if self.browser:
            return (_Limit(f"browser:{self.browser}", free=5, longest_s=900),)
        return (
            _Limit(f"pair:{user}@{self.address}", free=5, longest_s=900),
            _Limit(f"user:{user}", free=30, longest_s=60),
            _Limit(f"{_ADDRESS}{self.address}", free=60, longest_s=900),
        )


def seconds_to_wait(session: Session, guess: Guess, now: datetime | None = None) -> int:
    """Return how many seconds this user at this address has to wait; 0 means: go on."""
    now = now or tables.utc_now()
    table = tables.sign_in_failure
    subjects = [limit.subject for limit in guess.limits]
    query = sa.select(sa.func.max(table.c.blocked_until)).where(table.c.subject.in_(subjects))
    until: datetime | None = session.scalar(query)
    return 0 if until is None or until <= now else ceil((until - now).total_seconds())


def count_attempt(session: Session, guess: Guess) -> int:
    """Count an attempt before it is judged: a burst is as slow as one after the other.

    Returns:
        seconds to wait; with any the attempt is not to be judged.
    """
    wait = seconds_to_wait(session, guess)
    if not wait:
        record_failure(session, guess)
    return wait


def record_failure(session: Session, guess: Guess, now: datetime | None = None) -> None:
    """Count an attempt as failed, before it is judged; `forget_failures` takes it back."""
    now = now or tables.utc_now()
    table = tables.sign_in_failure
    for limit in guess.limits:
        query = sa.select(table.c.failures, table.c.last_at, table.c.blocked_until)
        known = session.execute(query.where(table.c.subject == limit.subject)).first()
        # whoever has waited as long as she had to begins no new count by that
        recent = known and now - max(known.last_at, known.blocked_until) < FORGET_AFTER
        failures = (known.failures if known is not None and recent else 0) + 1
        # who has not to wait is not blocked until now: another attempt may have looked a moment ago
        wait = limit.wait(failures)
        until = now + wait if wait else now - FORGET_AFTER
        values = {"failures": failures, "last_at": now, "blocked_until": until}
        if known is None:
            session.execute(sa.insert(table).values(subject=limit.subject, **values))
        else:
            session.execute(
                sa.update(table).where(table.c.subject == limit.subject).values(**values)
            )


def forget_failures(session: Session, guess: Guess) -> None:
    """Forget the failures of this user after she signed in, and that this was to be one.

    What others have failed at the same address stays.
    """
    table = tables.sign_in_failure
    subjects = [limit.subject for limit in guess.limits]
    hers = [each for each in subjects if not each.startswith(_ADDRESS)]
    session.execute(sa.delete(table).where(table.c.subject.in_(hers)))
    session.execute(
        sa.update(table)
        .where(table.c.subject.in_(set(subjects) - set(hers)), table.c.failures > 0)
        .values(failures=table.c.failures - 1)
    )


def is_noted(session: Session, what: str, address: str, now: datetime | None = None) -> bool:
    """Say whether that was noted of an address within the hour; if not, it counts as noted now.

    For what strangers can have written down as often as they like.
    """
    now = now or tables.utc_now()
    table = tables.sign_in_failure
    is_it = table.c.subject == f"noted:{what}:{address}"
    until = session.scalar(sa.select(table.c.blocked_until).where(is_it))
    if until is not None and until > now:
        return True
    values = {"failures": 1, "last_at": now, "blocked_until": now + FORGET_AFTER}
    if until is None:
        values["subject"] = f"noted:{what}:{address}"
        session.execute(sa.insert(table).values(**values))
    else:
        session.execute(sa.update(table).where(is_it).values(**values))
    return False


def delete_old(session: Session, now: datetime | None = None) -> None:
    """Delete counts that do not matter any more."""
    old = (now or tables.utc_now()) - FORGET_AFTER
    table = tables.sign_in_failure
    session.execute(sa.delete(table).where(table.c.last_at < old, table.c.blocked_until < old))
