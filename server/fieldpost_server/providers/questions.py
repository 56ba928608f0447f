"""Questions to the provider that are open: kept here, answered once and soon, by one browser."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.providers.openid import Question
from fieldpost_server.storage import tables

ASKED = "fieldpost_asked"
"""Cookie of the browser that has asked: what somebody else was answered is none of its own."""
LASTS = timedelta(minutes=15)

_TABLE = tables.provider_question


@dataclass(frozen=True, slots=True)
class Open:
    """A question that was open until now; `session` is the digest of whoever wants to be linked."""

    nonce: str
    verifier: str
    wanted: str
    session: str


def keep_question(session: Session, asked: Question, wanted: str, linking: str) -> str:
    """Keep a question, and return what the cookie of its browser holds."""
    browser = secrets.token_urlsafe(32)
    session.execute(
        sa.insert(_TABLE).values(
            state_sha256=digest_of(asked.state),
            browser_sha256=digest_of(browser),
            nonce=asked.nonce,
            verifier=asked.verifier,
            wanted=wanted[:2000],
            session_sha256=linking,
            expires_at=tables.utc_now() + LASTS,
        )
    )
    return browser


def take_question(session: Session, state: str, browser: str) -> Open | None:
    """Return a question and forget it; None where it was not this browser that asked."""
    is_it = _TABLE.c.state_sha256 == digest_of(state)
    row = session.execute(sa.select(_TABLE).where(is_it)).first()
    if row is None or row.browser_sha256 != digest_of(browser):
        return None
    # fault point: question-taken — it is over before its answer is looked at: whoever got no answer
    # asks once more.
    session.execute(sa.delete(_TABLE).where(is_it))
    if row.expires_at <= tables.utc_now():
        return None
    return Open(row.nonce, row.verifier, row.wanted, row.session_sha256)


def delete_expired_questions(session: Session, now: datetime | None = None) -> None:
    """Delete those that nobody has answered in time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.expires_at <= (now or tables.utc_now())))
