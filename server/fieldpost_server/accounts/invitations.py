"""Invitations: a link by which somebody sets a password of her own, once."""

import hashlib
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.users import User
from fieldpost_server.accounts.users import existing_user, find_user
from fieldpost_server.storage import tables

AT_SIGN_IN = timedelta(minutes=15)
"""So long has who signs in with a password that somebody else has set for one of her own."""

_INVITATION = tables.invitation


def invite(session: Session, name: str, lasts: timedelta) -> str:
    """Return the code of a new invitation; earlier ones of the same user end.

    Raises:
        NotFound: no such user, or she is switched off.
    """
    user = existing_user(session, name)
    code = secrets.token_urlsafe(32)
    delete_invitations(session, user.name)
    expires = tables.utc_now() + lasts
    values = {"code_sha256": _digest(code), "user": user.name, "expires_at": expires}
    session.execute(sa.insert(_INVITATION).values(**values))
    return code


def invited(session: Session, code: str, now: datetime | None = None) -> User:
    """Return whom a code invites.

    Raises:
        InputError: nobody any more.
    """
    query = sa.select(_INVITATION.c.user).where(
        _INVITATION.c.code_sha256 == _digest(code),
        _INVITATION.c.expires_at > (now or tables.utc_now()),
    )
    name = session.scalar(query)
    user = None if name is None else find_user(session, name)
    if user is None:
        raise InputError([problem(Code.INVITATION_OVER)])
    return user


def take_invitation(session: Session, code: str) -> User:
    """Return whom a code invites, and end it: of two who come at once, one is too late.

    Raises:
        InputError: it invites nobody any more.
    """
    user = invited(session, code)
    # fault point: invitation-taken — it is over in the transaction that sets the password, or not
    # at all: whoever got no answer opens the link again, or signs in.
    ended = session.connection().execute(
        sa.delete(_INVITATION).where(_INVITATION.c.code_sha256 == _digest(code))
    )
    if not ended.rowcount:
        raise InputError([problem(Code.INVITATION_OVER)])
    return user


def delete_invitations(session: Session, name: str) -> None:
    """End all invitations of a user."""
    session.execute(sa.delete(_INVITATION).where(_INVITATION.c.user == name))


def delete_expired_invitations(session: Session, now: datetime | None = None) -> None:
    """Delete those that ended by time."""
    old = _INVITATION.c.expires_at <= (now or tables.utc_now())
    session.execute(sa.delete(_INVITATION).where(old))


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogateescape")).hexdigest()
