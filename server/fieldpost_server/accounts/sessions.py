"""Sessions: kept on the server, carried by a cookie, ended by either."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.responses import Response

from fieldpost.users import User
from fieldpost_server.accounts.known_browsers import KNOWN, KNOWN_S
from fieldpost_server.settings import HOUR_S, Settings
from fieldpost_server.storage import tables

COOKIE = "fieldpost_session"
WHO = "fieldpost_user"
"""Cookie with the user's name for the shell: on a device of somebody else it shows nothing."""

ONLY_THIS_HOST = "__Host-"
"""A cookie whose name begins so was set by this very host over https, and by no neighbour of it."""

TOUCH_EVERY = timedelta(minutes=5)
"""The time of last use is written no more often than this: reading stays reading."""

_TOKEN_BYTES = 32

# every request asks for it: one statement, made once
_FIND = (
    sa.select(
        tables.user.c.name,
        tables.user.c.display_name,
        tables.user_role.c.role,
        tables.session.c.last_seen_at,
    )
    .select_from(tables.session)
    .join(tables.user, tables.user.c.name == tables.session.c.user)
    .outerjoin(tables.user_role, tables.user_role.c.user == tables.user.c.name)
    .where(
        tables.user.c.active,
        tables.session.c.token_sha256 == sa.bindparam("token"),
        tables.session.c.created_at > sa.bindparam("oldest"),
        tables.session.c.last_seen_at > sa.bindparam("idle_since"),
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """A valid session: its user, and whether its time of last use should be written."""

    user: User
    stale: bool


def start_session(session: Session, user: User, browser: str = "", address: str = "") -> str:
    """Start a session and return its token, which is nowhere but in the cookie.

    Args:
        session: to write in.
        user: whose it is.
        browser: what hers is called, for the list of her sessions.
        address: where she is.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    now = tables.utc_now()
    session.execute(
        sa.insert(tables.session).values(
            token_sha256=digest_of(token), user=user.name, created_at=now, last_seen_at=now
        )
    )
    session.execute(
        sa.insert(tables.session_origin).values(
            token_sha256=digest_of(token), browser=browser[:200], address=address[:200]
        )
    )
    return token


def find_session(
    session: Session, token: str, settings: Settings, now: datetime | None = None
) -> Found | None:
    """Return what the token stands for, or None if it is unknown, ended or expired."""
    now = now or tables.utc_now()
    values = {
        "token": digest_of(token),
        "oldest": now - timedelta(hours=settings.session_hours),
        "idle_since": now - timedelta(hours=settings.session_idle_hours),
    }
    rows = session.connection().execute(_FIND, values).all()
    if not rows:
        return None
    first = rows[0]
    roles = frozenset(row.role for row in rows if row.role is not None)
    user = User(first.name, first.display_name, roles)
    return Found(user, stale=now - first.last_seen_at > TOUCH_EVERY)


def touch_session(session: Session, token: str, now: datetime | None = None) -> None:
    """Write that the session was used now."""
    session.execute(
        sa.update(tables.session)
        .where(tables.session.c.token_sha256 == digest_of(token))
        .values(last_seen_at=now or tables.utc_now())
    )


def end_session(session: Session, token: str) -> str:
    """End the session on the server; the cookie is worthless from now on.

    Returns:
        the name of its user; empty where there was none.
    """
    is_it = tables.session.c.token_sha256 == digest_of(token)
    user: str | None = session.scalar(sa.select(tables.session.c.user).where(is_it))
    session.execute(sa.delete(tables.session).where(is_it))
    return user or ""


def delete_expired(session: Session, settings: Settings, now: datetime | None = None) -> int:
    """Delete sessions that ended by time; returns how many."""
    now = now or tables.utc_now()
    table = tables.session
    expired = sa.or_(
        table.c.created_at <= now - timedelta(hours=settings.session_hours),
        table.c.last_seen_at <= now - timedelta(hours=settings.session_idle_hours),
    )
    return session.connection().execute(sa.delete(table).where(expired)).rowcount


def cookie_name(name: str, *, secure: bool) -> str:
    """Return a cookie's name as it travels."""
    return f"{ONLY_THIS_HOST}{name}" if secure else name


def cookies_of(header: str) -> dict[str, str]:
    """Return the cookies of a request as they travel; the last one of a name wins.

    Ours are never quoted, and taking quotes apart costs some editions of Python the square of what
    comes (CVE-2024-7592): so it is not done.
    """
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, is_one, value in pairs if is_one}


def cookie_of(cookies: Mapping[str, str], name: str, *, secure: bool) -> str:
    """Return a cookie's value; by https one that a neighbour may have set does not count."""
    own = cookies.get(f"{ONLY_THIS_HOST}{name}", "")
    return own or ("" if secure else cookies.get(name, ""))


def set_cookies(
    response: Response, token: str, user: str, settings: Settings, *, secure: bool
) -> None:
    """Give the browser the session's cookie, which scripts cannot read, and the user's name."""
    for name, value, hidden in ((COOKIE, token, True), (WHO, quote(user, safe=""), False)):
        response.set_cookie(
            cookie_name(name, secure=secure),
            value,
            max_age=settings.session_hours * HOUR_S,
            path="/",
            secure=secure,
            httponly=hidden,
            samesite="lax",
        )


def set_known(response: Response, known: str, *, secure: bool) -> None:
    """Have the browser remember, also after signing out, that this user has signed in with it."""
    response.set_cookie(
        cookie_name(KNOWN, secure=secure),
        known,
        max_age=KNOWN_S,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def delete_cookies(response: Response, *, secure: bool) -> None:
    """Take the cookies back."""
    for name, hidden in ((COOKIE, True), (WHO, False)):
        named = cookie_name(name, secure=secure)
        response.delete_cookie(named, path="/", secure=secure, httponly=hidden, samesite="lax")


def digest_of(token: str) -> str:
    """Return what is kept of a token; no token is found by it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
