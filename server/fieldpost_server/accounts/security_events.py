"""Security events: who did what to whom, and from where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.text.casefolding import folded
from fieldpost_server.storage import tables

MOST_REFUSED = 100_000
"""So many refused sign-ins are kept: strangers make them, and must not fill the disk."""

_EVENT = tables.security_event
_REPLACED = "\ufffd"


class Event(StrEnum):
    """What happened."""

    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    SECOND_STEP = "second factor asked"
    SIGNED_OUT = "signed out"
    USER_ADDED = "user added"
    INVITED = "invited"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - words, no password
    PASSWORD_SET = "password set"  # noqa: S105 - as above
    FACTOR_ADDED = "second factor added"
    FACTOR_REMOVED = "second factor removed"
    FACTORS_RESET = "second factors reset"
    ACCOUNT_GIVEN_BACK = "account given back"
    RECOVERY_CODES_MADE = "recovery codes made"
    RECOVERY_CODE_USED = "recovery code used"
    PROVIDER_LINKED = "provider linked"
    PROVIDER_UNLINKED = "provider unlinked"
    ROLE_KEPT = "role kept"
    CONFIRMED = "confirmed"
    ROLE_GIVEN = "role given"
    ROLE_TAKEN = "role taken"
    SWITCHED_OFF = "switched off"
    SWITCHED_ON = "switched on"
    SESSIONS_ENDED = "sessions ended"
    DEVICE_REGISTERED = "device registered"
    DEVICE_NAMED = "device named"
    DEVICE_REVOKED = "device revoked"
    QUOTA_FREED = "quota freed"
    WORK_HANDED_OVER = "work handed over"
    WORK_HANDED_IN = "work handed in"
    DEVICE_EMPTIED = "device emptied"
    PAGE_CHANGED = "page changed"
    KEY_ROTATED = "signing key rotated"
    DATABASE_RESTORED = "database restored"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a user's name, and the address that she does it from."""

    name: str
    address: str


COMMAND_LINE = Actor("", "command line")
"""Whoever may run commands on the server; no browser's address reads like it."""


def record(session: Session, actor: Actor, what: Event, whom: str = "", detail: str = "") -> None:
    """Keep an event, in the transaction that makes it true.

    Whatever comes from outside is cut, and holds no characters that could look like another line.
    """
    who, whom = _plain(actor.name, 200), _plain(whom, 200)
    address, detail = _plain(actor.address, 200), _plain(detail, 500)
    searched = folded(f"{who} {what} {whom} {address} {detail}")
    values = {"who": who, "whom": whom, "address": address, "detail": detail}
    session.execute(sa.insert(_EVENT).values(what=str(what), searched=searched, **values))


def events(
    session: Session, parts: Sequence[str], limit: int, before: int | None = None
) -> list[Any]:
    """Return events, the newest first.

    Args:
        session: to read in.
        parts: folded words that must all occur, see `search_parts`.
        limit: how many at the most.
        before: only those with a smaller number.
    """
    query = sa.select(_EVENT).order_by(_EVENT.c.id.desc()).limit(limit)
    for part in parts:
        query = query.where(_EVENT.c.searched.contains(part, autoescape=True))
    if before is not None:
        query = query.where(_EVENT.c.id < before)
    return list(session.execute(query))


def delete_old_events(session: Session, days: int, now: datetime | None = None) -> int:
    """Forget events that are older, and refused sign-ins beyond a bound; returns how many."""
    oldest = (now or tables.utc_now()) - timedelta(days=days)
    refused = _EVENT.c.what == str(Event.SIGN_IN_REFUSED)
    query = sa.select(_EVENT.c.id).where(refused).order_by(_EVENT.c.id.desc())
    last = session.scalar(query.offset(MOST_REFUSED).limit(1))
    old = _EVENT.c.at < oldest
    if last is not None:
        old = sa.or_(old, sa.and_(refused, _EVENT.c.id <= last))
    return session.connection().execute(sa.delete(_EVENT).where(old)).rowcount


def _plain(text: str, most: int) -> str:
    return "".join(c if c.isprintable() else _REPLACED for c in text[:most])
