"""Identities: who somebody of the provider is here, by issuer and subject and nothing else."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.users import User
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.users import (
    add_user,
    existing_user,
    find_account,
    find_user,
    give_role,
    take_role,
)
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

_TABLE = tables.identity


def who_is(
    session: Session,
    claims: Mapping[str, Any],
    settings: Settings,
    known_roles: Collection[str],
    address: str,
) -> User:
    """Return whom the provider means, with the roles that it gives her.

    Raises:
        InputError: nobody is linked to it and none may be made, or she is switched off.
    """
    name = linked_user(session, settings.oidc_issuer, str(claims["sub"]))
    if name is None:
        name = _added(session, claims, settings, known_roles, address)
    elif not find_account(session, name).active:
        raise InputError([problem(Code.ACCOUNT_OFF)])
    _map_roles(session, name, claims, settings, known_roles, address)
    return existing_user(session, name)


def linked_user(session: Session, issuer: str, subject: str) -> str | None:
    """Return the name of the user who is linked; None where nobody is."""
    query = sa.select(_TABLE.c.user).where(_TABLE.c.issuer == issuer, _TABLE.c.subject == subject)
    return session.scalar(query)


def is_linked(session: Session, user: str, issuer: str) -> bool:
    """Say whether the user may sign in with the provider."""
    query = sa.select(_TABLE.c.user).where(_TABLE.c.issuer == issuer, _TABLE.c.user == user)
    return session.scalar(query) is not None


def link(session: Session, user: str, issuer: str, subject: str, actor: Actor) -> None:
    """Let somebody of the provider sign in as this user.

    Raises:
        InputError: it is linked to somebody else.
    """
    there = linked_user(session, issuer, subject)
    if there == user:
        return
    if there is not None:
        raise InputError([problem(Code.PROVIDER_TAKEN)])
    session.execute(sa.delete(_TABLE).where(_TABLE.c.issuer == issuer, _TABLE.c.user == user))
    session.execute(sa.insert(_TABLE).values(issuer=issuer, subject=subject, user=user))
    record(session, actor, Event.PROVIDER_LINKED, user, issuer)


def unlink(session: Session, user: str, actor: Actor) -> None:
    """Let nobody of any provider sign in as this user."""
    query = sa.delete(_TABLE).where(_TABLE.c.user == user)
    if session.connection().execute(query).rowcount:
        record(session, actor, Event.PROVIDER_UNLINKED, user)


def _added(
    session: Session,
    claims: Mapping[str, Any],
    settings: Settings,
    known_roles: Collection[str],
    address: str,
) -> str:
    name = str(claims.get(settings.oidc_name_claim) or "").strip()
    # a name that is there is somebody's: only she herself says that it is she
    if not settings.oidc_adds_users or not name or _is_there(session, name):
        raise InputError([problem(Code.PROVIDER_UNKNOWN)])
    shown = str(claims.get("name") or "")
    shown = shown[:200] if shown.isprintable() else ""
    roles = sorted(_wanted(claims, settings) & set(known_roles))
    user = add_user(
        session,
        name,
        None,
        display_name=shown,
        roles=roles,
        known_roles=known_roles,
        seats=settings.seats,
    )
    actor = Actor(user.name, address)
    record(session, actor, Event.USER_ADDED, user.name, ", ".join(roles))
    link(session, user.name, settings.oidc_issuer, str(claims["sub"]), actor)
    return user.name


def _is_there(session: Session, name: str) -> bool:
    query = sa.select(tables.user.c.name).where(tables.user.c.folded_name == name.casefold())
    return find_user(session, name) is not None or session.scalar(query) is not None


def _map_roles(
    session: Session,
    name: str,
    claims: Mapping[str, Any],
    settings: Settings,
    known_roles: Collection[str],
    address: str,
) -> None:
    """Give and take the roles that groups stand for; all others are given here."""
    actor, wanted = Actor(name, address), _wanted(claims, settings)
    had = existing_user(session, name).roles
    for role in sorted(set(_mapping(settings).values()) & set(known_roles)):
        try:
            if role in wanted and role not in had:
                give_role(session, name, role, known_roles=known_roles, seats=settings.seats)
                record(session, actor, Event.ROLE_GIVEN, name, f"{role}, by the provider")
            elif role in had and role not in wanted:
                take_role(session, name, role)
                record(session, actor, Event.ROLE_TAKEN, name, f"{role}, by the provider")
        except InputError as error:
            # no seat is left, or she is the last administrator: she comes in as she is
            words = f"{role} stays as it is: {error.problems[0].code}"
            record(session, actor, Event.ROLE_KEPT, name, words)


def _wanted(claims: Mapping[str, Any], settings: Settings) -> set[str]:
    groups = claims.get(settings.oidc_groups_claim)
    listed = groups if isinstance(groups, list) else [groups]
    mapping = _mapping(settings)
    return {mapping[each] for each in listed if isinstance(each, str) and each in mapping}


def _mapping(settings: Settings) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in settings.oidc_roles.split(","))
    return {group.strip(): role.strip() for group, is_one, role in pairs if is_one}
