"""Challenges: what a passkey has to sign, kept here, once and for a few minutes."""

import base64
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.storage import tables

LASTS = timedelta(minutes=5)

ENROL, SIGN_IN, CONFIRM = "enrol", "sign in", "confirm"
"""What a challenge is for; it answers nothing else."""

_TABLE = tables.challenge


def new_challenge(session: Session, bound_to: str, purpose: str) -> bytes:
    """Return a new challenge; an earlier one for the same is worthless from now on.

    Args:
        session: to write in.
        bound_to: digest of the session's token, or of the half sign-in's, that may answer it.
        purpose: what for.
    """
    made = secrets.token_bytes(32)
    session.execute(sa.delete(_TABLE).where(_is(bound_to, purpose)))
    session.execute(
        sa.insert(_TABLE).values(
            bound_to=bound_to,
            purpose=purpose,
            challenge=base64.b64encode(made).decode(),
            expires_at=tables.utc_now() + LASTS,
        )
    )
    return made


def take_challenge(session: Session, bound_to: str, purpose: str) -> bytes | None:
    """Return the challenge and forget it, whatever becomes of its answer."""
    row = session.execute(sa.select(_TABLE).where(_is(bound_to, purpose))).first()
    if row is None:
        return None
    # fault point: challenge-taken — it is over in a transaction of its own, before its answer is
    # looked at: whoever got no answer asks for another one.
    session.execute(sa.delete(_TABLE).where(_is(bound_to, purpose)))
    return base64.b64decode(row.challenge) if row.expires_at > tables.utc_now() else None


def delete_expired_challenges(session: Session, now: datetime | None = None) -> None:
    """Delete those that nobody has answered in time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.expires_at <= (now or tables.utc_now())))


def _is(bound_to: str, purpose: str) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.c.bound_to == bound_to, _TABLE.c.purpose == purpose)
