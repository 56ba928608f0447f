"""The sessions of a user, as she and her administrators see them, and their end."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

_SESSION, _ORIGIN = tables.session, tables.session_origin
_ID_CHARACTERS = 16
_ID = re.compile(rf"[0-9a-f]{{{_ID_CHARACTERS}}}")

# what a browser calls itself holds the names of older ones, too: the newest kind comes first
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session that is open.

    Attributes:
        id: tells it from others; opens nothing.
        browser: in words; empty where nobody knows.
        address: where it was begun from.
        created_at, last_seen_at: when it was begun, and used last, within a few minutes.
        is_own: whether it is the one that asks.
    """

    id: str
    browser: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    is_own: bool


def browser_words(user_agent: str) -> str:
    """Return what a browser is called, such as 'Chrome on Android'; empty where it is unknown."""
    agent = user_agent[:1000]
    browser = next((words for mark, words in _BROWSERS if mark in agent), "")
    system = next((words for mark, words in _SYSTEMS if mark in agent), "")
    return " on ".join(each for each in (browser, system) if each)


def sessions_of(
    session: Session, user: str, settings: Settings, own_token: str = ""
) -> list[SessionLine]:
    """Return the sessions of a user that are open, the last used first."""
    now, own = tables.utc_now(), digest_of(own_token)
    query = (
        sa.select(_SESSION, _ORIGIN.c.browser, _ORIGIN.c.address)
        .outerjoin(_ORIGIN, _ORIGIN.c.token_sha256 == _SESSION.c.token_sha256)
        .where(
            _SESSION.c.user == user,
            _SESSION.c.created_at > now - timedelta(hours=settings.session_hours),
            _SESSION.c.last_seen_at > now - timedelta(hours=settings.session_idle_hours),
        )
        .order_by(_SESSION.c.last_seen_at.desc(), _SESSION.c.token_sha256)
    )
    return [
        SessionLine(
            row.token_sha256[:_ID_CHARACTERS],
            row.browser or "",
            row.address or "",
            row.created_at,
            row.last_seen_at,
            row.token_sha256 == own,
        )
        for row in session.execute(query)
    ]


def end_one(session: Session, user: str, identity: str) -> int:
    """End one session of a user; returns how many that were: one, or none."""
    if not _ID.fullmatch(identity):
        return 0
    wanted = _SESSION.c.token_sha256.startswith(identity)
    query = sa.delete(_SESSION).where(_SESSION.c.user == user, wanted)
    return session.connection().execute(query).rowcount


def end_all(session: Session, user: str, except_token: str = "") -> int:
    """End all sessions of a user, but the one with the token; returns how many."""
    query = sa.delete(_SESSION).where(_SESSION.c.user == user)
    if except_token:
        query = query.where(_SESSION.c.token_sha256 != digest_of(except_token))
    return session.connection().execute(query).rowcount
