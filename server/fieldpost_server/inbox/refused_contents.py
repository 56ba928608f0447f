"""What refused envelopes keep: bounded for each user, and let go where nobody needs it any more.

An envelope that was discarded stays for good, with its digest and its signed receipt, so that the
chain of its device still proves. Only its content may go.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.receipts import APPLIED, DISCARDED, Outcome
from fieldpost_server.settings import MIB, Settings
from fieldpost_server.storage import tables

LET_GO = ""
"""In the place of a content that is not kept any more."""

_ENVELOPE, _SETTLEMENT = tables.envelope, tables.settlement
_REFUSED = [str(outcome) for outcome in Outcome if outcome not in APPLIED]
_ROWS = _ENVELOPE.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id)
_SIZE = sa.func.length(_ENVELOPE.c.content)
_HOLDS = (
    _ENVELOPE.c.outcome.in_(_REFUSED),
    sa.not_(_ENVELOPE.c.void),
    _ENVELOPE.c.content != LET_GO,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept of one user's envelopes that were not applied.

    Attributes:
        number, size: how many, and how many characters; 0 means as many as there are.
    """

    number: int
    size: int

    def holds(self, number: int, size: int) -> bool:
        """Say whether so much is within the bounds."""
        fits = not self.number or number <= self.number
        return fits and (not self.size or size <= self.size)


def bounds_of(settings: Settings) -> Bounds:
    """Return what the settings say."""
    return Bounds(settings.keep_refused, settings.keep_refused_bytes)


def kept_envelope(row: Any) -> Envelope:
    """Return the envelope of a row of `rows_of`; without its operations where these were let go.

    Raises:
        InputError: it cannot be read, or its content is missing.
    """
    if row.content != LET_GO or row.how != DISCARDED:
        return read_envelope(row.content)
    return Envelope(
        id=row.id,
        device=row.device,
        number=row.number,
        previous=row.previous or "",
        app="",
        app_version="",
        page=row.page,
        user=row.user,
        saved_at=row.saved_at,
        base="",
        operations=(),
        digest=row.digest,
    )


def check_room(session: Session, envelope: Envelope, bounds: Bounds) -> None:
    """Refuse to keep one more envelope that cannot be applied, where its user has too many open.

    Raises:
        InputError: she has; her device keeps it.
    """
    open_ = (_ENVELOPE.c.user == envelope.user, _SETTLEMENT.c.envelope.is_(None))
    columns = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_SIZE), 0))
    query = columns.select_from(_ROWS).where(*_HOLDS, *open_, _ENVELOPE.c.id != envelope.id)
    number, size = session.execute(query).one()
    if bounds.holds(number + 1, size + len(envelope.to_text())):
        return
    known = sa.select(_ENVELOPE.c.id).where(_ENVELOPE.c.id == envelope.id)
    if session.scalar(known) is None:
        raise InputError([full(bounds)])


def full(bounds: Bounds) -> Problem:
    """Return what is said where nothing more is kept."""
    limit = f"{bounds.number} entries, {bounds.size / MIB:.1f} MB"
    return problem(Code.REFUSED_FULL, limit=limit)


def let_go(session: Session, bounds: Bounds) -> int:
    """Let contents go of users who have too many, of discarded envelopes the oldest first.

    Returns:
        how many.
    """
    columns = sa.select(_ENVELOPE.c.user, sa.func.count(), sa.func.sum(_SIZE)).select_from(_ROWS)
    users = session.execute(columns.where(*_HOLDS).group_by(_ENVELOPE.c.user)).all()
    count = 0
    for user, number, size in users:
        if bounds.holds(number, size):
            continue
        gone = _first_to_go(session, user, bounds, number, size)
        for start in range(0, len(gone), 500):
            some = _ENVELOPE.c.id.in_(gone[start : start + 500])
            # fault point: contents-let-go — in one transaction with all of this round: what was not
            # let go is found again by the next.
            session.execute(sa.update(_ENVELOPE).where(some).values(content=LET_GO))
        count += len(gone)
    return count


def _first_to_go(session: Session, user: str, bounds: Bounds, number: int, size: int) -> list[str]:
    ended = (_ENVELOPE.c.user == user, _SETTLEMENT.c.how == DISCARDED)
    query = sa.select(_ENVELOPE.c.id, _SIZE).select_from(_ROWS).where(*_HOLDS, *ended)
    gone: list[str] = []
    for identity, length in session.execute(query.order_by(_ENVELOPE.c.received_at)):
        if bounds.holds(number - len(gone), size):
            break
        gone.append(identity)
        size -= length
    return gone
