"""Second factors of a user, whatever kind they are: listed, demanded, removed."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.users import User
from fieldpost_server.factors.recovery_codes import forget_codes
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

AUTHENTICATOR, PASSKEY = "authenticator app", "passkey"
_TABLES = {AUTHENTICATOR: tables.authenticator, PASSKEY: tables.passkey}


@dataclass(frozen=True, slots=True)
class Factor:
    """One second factor.

    Attributes:
        id: tells it from others; opens nothing.
        kind: in words.
        name: what its user calls it.
        created_at, last_used_at: when it was added, and when it let her in last.
        site: of a passkey, the host that it is for.
    """

    id: str
    kind: str
    name: str
    created_at: datetime
    last_used_at: datetime | None
    site: str = ""


def factors_of(session: Session, user: str) -> list[Factor]:
    """Return the second factors of a user, the oldest first."""
    one, other = tables.authenticator, tables.passkey
    apps = session.execute(sa.select(one).where(one.c.user == user, one.c.confirmed))
    keys = session.execute(sa.select(other).where(other.c.user == user))
    found = [Factor(r.id, AUTHENTICATOR, r.name, r.created_at, r.last_used_at) for r in apps]
    found += [Factor(r.id, PASSKEY, r.name, r.created_at, r.last_used_at, r.site) for r in keys]
    return sorted(found, key=lambda each: (each.created_at, each.id))


def is_demanded(user: User, settings: Settings) -> bool:
    """Say whether a role of hers needs a second factor."""
    wanted = {role.strip() for role in settings.second_factor_roles.split(",")}
    return not wanted.isdisjoint(user.roles)


def asks_second(session: Session, user: User, settings: Settings) -> bool:
    """Say whether her password alone does not let her in."""
    return is_demanded(user, settings) or bool(factors_of(session, user.name))


def remove_factor(session: Session, user: User, identity: str, settings: Settings) -> Factor | None:
    """Remove one of her second factors and return it; None where it is none of hers.

    Raises:
        InputError: it is her last one, and her role needs one.
    """
    # fault point: factors-locked — held until the transaction ends: two that remove one each, of
    # two, take turns, and the later one finds the last.
    session.execute(
        sa.select(tables.user.c.name).where(tables.user.c.name == user.name).with_for_update()
    )
    found = factors_of(session, user.name)
    wanted = next((each for each in found if each.id == identity), None)
    if wanted is None:
        return None
    if len(found) == 1:
        if is_demanded(user, settings):
            raise InputError([problem(Code.FACTOR_NEEDED)])
        forget_codes(session, user.name)
    table = _TABLES[wanted.kind]
    session.execute(sa.delete(table).where(table.c.id == identity, table.c.user == user.name))
    return wanted


def reset_factors(session: Session, user: str) -> int:
    """Remove all second factors and recovery codes of a user; returns how many factors."""
    count = len(factors_of(session, user))
    for table in (*_TABLES.values(), tables.half_sign_in):
        session.execute(sa.delete(table).where(table.c.user == user))
    forget_codes(session, user)
    return count
