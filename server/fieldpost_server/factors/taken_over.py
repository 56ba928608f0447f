"""An account that somebody else may be in is given back: nothing that let in lets in any more."""

import secrets
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.invitations import invite
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.users import NO_PASSWORD, find_account, store_password
from fieldpost_server.factors.second_factors import reset_factors
from fieldpost_server.storage import tables


def give_back(session: Session, name: str, actor: Actor, lasts: timedelta) -> str:
    """End every way into an account, and return the code by which its user sets a new password.

    Her password, sessions, invitations, second factors, recovery codes and links to providers end;
    browsers that were known are strange, since they are known by the password. Her devices, roles
    and work stay: a device that is lost is revoked by itself.

    Returns:
        the code of an invitation; empty where she is switched off.

    Raises:
        NotFound: no such user.
    """
    account = find_account(session, name)
    user = account.user.name
    # fault point: account-half-given-back — all ways in end in one transaction, and the new one
    # begins in it: whoever saw no answer does it again.
    store_password(session, user, NO_PASSWORD + secrets.token_hex(16))
    reset_factors(session, user)
    session.execute(sa.delete(tables.identity).where(tables.identity.c.user == user))
    record(session, actor, Event.ACCOUNT_GIVEN_BACK, user)
    return invite(session, user, lasts) if account.active else ""
