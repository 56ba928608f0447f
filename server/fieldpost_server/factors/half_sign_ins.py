"""Half sign-ins: who has shown her password, and is asked for her second factor."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.responses import Response

from fieldpost.users import User
from fieldpost_server.accounts.sessions import cookie_name, digest_of, start_session
from fieldpost_server.accounts.users import locked_password_of, password_of
from fieldpost_server.factors.second_factors import asks_second
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

HALF = "fieldpost_half"
"""Name of the cookie."""

LASTS = timedelta(minutes=10)
MOST_FAILURES = 10
"""After so many wrong codes the password is asked for again."""

_TABLE = tables.half_sign_in


@dataclass(frozen=True, slots=True)
class Entered:
    """What a right password has come to: the token of a session, or of a half sign-in."""

    session: str = ""
    half: str = ""


@dataclass(frozen=True, slots=True)
class Half:
    """A half sign-in that is open.

    Attributes:
        user: who has shown her password.
        stored: its hash.
        browser: what hers is called.
        digest: of its token: what challenges are bound to.
    """

    user: User
    stored: str
    browser: str
    digest: str


def enter(
    session: Session, user: User, stored: str, settings: Settings, browser: str, address: str
) -> Entered:
    """Begin the session of somebody whose password was right, or ask for her second factor.

    Args:
        session: to write in.
        user: who she is.
        stored: hash of her password as it is now.
        settings: say which roles need a second factor.
        browser: what hers is called.
        address: where she is.
    """
    if not asks_second(session, user, settings):
        return Entered(session=start_session(session, user, browser, address))
    token = secrets.token_urlsafe(32)
    session.execute(
        sa.insert(_TABLE).values(
            token_sha256=digest_of(token),
            user=user.name,
            password_sha256=_sha256(stored),
            browser=browser[:200],
            failures=0,
            expires_at=tables.utc_now() + LASTS,
        )
    )
    return Entered(half=token)


def open_half(session: Session, token: str) -> Half | None:
    """Return what the token stands for; None where it has run out, or the password has changed."""
    return _by_digest(session, digest_of(token))


def is_open(session: Session, half: Half) -> bool:
    """Say whether a half sign-in has not run out since it was looked for."""
    return _by_digest(session, half.digest) is not None


def _by_digest(session: Session, digest: str) -> Half | None:
    query = sa.select(_TABLE).where(
        _TABLE.c.token_sha256 == digest,
        _TABLE.c.expires_at > tables.utc_now(),
        _TABLE.c.failures < MOST_FAILURES,
    )
    row = session.execute(query).first()
    if row is None:
        return None
    user, stored = password_of(session, row.user)
    if user is None or stored is None or _sha256(stored) != row.password_sha256:
        return None
    return Half(user, stored, row.browser, row.token_sha256)


def count_failure(session: Session, half: Half) -> None:
    """Note that a half sign-in has shown a wrong code."""
    query = sa.update(_TABLE).where(_TABLE.c.token_sha256 == half.digest)
    session.execute(query.values(failures=_TABLE.c.failures + 1))


def finish(session: Session, half: Half, address: str) -> str | None:
    """Begin the session of who has shown both, and return its token; None if it is over."""
    if locked_password_of(session, half.user.name)[1] != half.stored:
        return None  # changed, or she was switched off, since she has shown it
    # fault point: half-sign-in-over — it ends in the transaction that begins the session: of two
    # that bring it at once one gets a session.
    query = sa.delete(_TABLE).where(_TABLE.c.token_sha256 == half.digest)
    if session.connection().execute(query).rowcount != 1:
        return None
    return start_session(session, half.user, half.browser, address)


def delete_expired_halves(session: Session, now: datetime | None = None) -> None:
    """Delete those that nobody has gone on with in time."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.expires_at <= (now or tables.utc_now())))


def set_half(response: Response, token: str, *, secure: bool) -> None:
    """Give the browser the cookie of a half sign-in; an empty token takes it back."""
    response.set_cookie(
        cookie_name(HALF, secure=secure),
        token,
        max_age=int(LASTS.total_seconds()) if token else 0,
        path="/",
        secure=secure,
        httponly=True,
        # whoever comes back from a provider of identities comes from another site
        samesite="lax",
    )


def _sha256(stored: str) -> str:
    return hashlib.sha256(stored.encode()).hexdigest()
