"""Users and their roles."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, NotFound, problem
from fieldpost.users import ADMIN, OFFLINE, User
from fieldpost_server.accounts.passwords import MIN_CHARACTERS, check_password, hash_password
from fieldpost_server.accounts.seats import lock_seats, need_seat
from fieldpost_server.storage import tables
from fieldpost_server.storage.turns import take_turn

BUILT_IN_ROLES = (ADMIN, OFFLINE)
"""Roles that every app has; an app may name more."""


_ADMINS = "administrators"

NO_PASSWORD = "-"  # noqa: S105 - no password at all
"""Beginning of what stands for a hash where there is none: nobody signs in with it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and whether she may sign in."""

    user: User
    active: bool


def folded(name: str) -> str:
    """Return the form by which a user name is found, however it is capitalised."""
    # PostgreSQL takes no NUL; nobody has one in her name
    return name.strip().casefold().replace("\0", "\ufffd")


def add_user(
    session: Session,
    name: str,
    password: str | None,
    *,
    display_name: str = "",
    roles: Collection[str] = (),
    known_roles: Collection[str] = BUILT_IN_ROLES,
    seats: int,
    password_at_least: int = MIN_CHARACTERS,
) -> User:
    """Add a user; without a password she needs an invitation.

    Raises:
        InputError: the name is taken or empty, the password too short or too common, a role
            unknown, no seat left.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise InputError([problem(Code.NOT_ALLOWED, "name", label="User name")])
    exists = sa.select(tables.user.c.name).where(tables.user.c.folded_name == folded(name))
    if session.scalar(exists) is not None:
        raise InputError([problem(Code.USER_EXISTS, "name", user=name)])
    if len(display_name) > 200 or not display_name.isprintable():
        raise InputError([problem(Code.NOT_ALLOWED, "display_name", label="Full name")])
    if password is None:
        hashed = NO_PASSWORD + secrets.token_hex(16)
    else:
        hashed = hash_password(password, at_least=password_at_least)
        if password_at_least >= MIN_CHARACTERS:
            check_password(password, name)
    session.execute(
        sa.insert(tables.user).values(
            name=name,
            folded_name=folded(name),
            display_name=display_name.strip(),
            password_hash=hashed,
        )
    )
    for role in roles:
        give_role(session, name, role, known_roles=known_roles, seats=seats)
    return User(name, display_name.strip(), frozenset(roles))


def find_user(session: Session, name: str) -> User | None:
    """Return the active user with that name, in any capitalisation, or None."""
    query = sa.select(tables.user.c.name, tables.user.c.display_name).where(
        tables.user.c.folded_name == folded(name), tables.user.c.active
    )
    row = session.execute(query).first()
    return None if row is None else User(row.name, row.display_name, _roles(session, row.name))


def display_names(session: Session, names: Collection[str]) -> dict[str, str]:
    """Return what people are called, by user name; also of those who are not active any more."""
    query = sa.select(tables.user.c.name, tables.user.c.display_name)
    found = session.execute(query.where(tables.user.c.name.in_(list(names))))
    return {row.name: row.display_name or row.name for row in found}


def list_users(session: Session) -> list[User]:
    """Return all active users by name."""
    return [each.user for each in list_accounts(session) if each.active]


def list_accounts(session: Session) -> list[Account]:
    """Return all users by name, also those who are switched off."""
    roles: dict[str, set[str]] = {}
    for user, role in session.execute(sa.select(tables.user_role.c.user, tables.user_role.c.role)):
        roles.setdefault(user, set()).add(role)
    query = sa.select(tables.user).order_by(tables.user.c.folded_name)
    return [
        Account(User(row.name, row.display_name, frozenset(roles.get(row.name, ()))), row.active)
        for row in session.execute(query)
    ]


def give_role(
    session: Session, name: str, role: str, *, known_roles: Collection[str], seats: int
) -> None:
    """Give the user a role that she may already have.

    Raises:
        NotFound: no such user.
        InputError: no such role, or all seats are taken. Nobody who has a seat is affected.
    """
    user = existing_user(session, name)
    if role not in known_roles:
        known = ", ".join(sorted(known_roles))
        raise InputError([problem(Code.NO_SUCH_ROLE, "role", role=role, known=known)])
    if role == OFFLINE:
        lock_seats(session)
    if role in _roles(session, user.name):
        return
    if role == OFFLINE:
        need_seat(session, seats)
    session.execute(sa.insert(tables.user_role).values(user=user.name, role=role))


def take_role(session: Session, name: str, role: str) -> None:
    """Take a role from the user; nothing happens if she does not have it.

    Raises:
        NotFound: no such user.
        InputError: she is the only administrator, and would be none then.
    """
    user = existing_user(session, name)
    if role not in user.roles:
        return
    if role == ADMIN:
        _need_another_admin(session, user)
    session.execute(
        sa.delete(tables.user_role).where(
            tables.user_role.c.user == user.name, tables.user_role.c.role == role
        )
    )


def _need_another_admin(session: Session, user: User) -> None:
    """Raise `InputError` where nobody else could give roles; two that go at once wait in line."""
    take_turn(session, _ADMINS)
    holders = (
        sa.select(tables.user_role.c.user)
        .join(tables.user, tables.user.c.name == tables.user_role.c.user)
        .where(tables.user_role.c.role == ADMIN, tables.user.c.active)
    )
    admins = set(session.scalars(holders))
    if admins == {user.name}:
        raise InputError([problem(Code.LAST_ADMIN, "role", user=user.name, role=ADMIN)])


def find_account(session: Session, name: str) -> Account:
    """Return a user, whether she is switched off or not; raises `NotFound`."""
    query = sa.select(tables.user).where(tables.user.c.folded_name == folded(name))
    row = session.execute(query).first()
    if row is None:
        raise NotFound([problem(Code.NO_SUCH_USER, "user", user=name)])
    return Account(User(row.name, row.display_name, _roles(session, row.name)), row.active)


def switch_off(session: Session, name: str) -> None:
    """Let nobody sign in as this user, and end her sessions; her seat is free.

    Raises:
        NotFound: no such user.
        InputError: she is the only administrator.
    """
    user = find_account(session, name).user
    if user.is_admin:
        _need_another_admin(session, user)
    # fault point: user-off-sessions-open — that she is off and the end of her sessions, invitations
    # and half sign-ins are one transaction; between the two no session of hers would be found.
    _set_active(session, user.name, active=False)
    for table in (tables.session, tables.invitation, tables.half_sign_in):
        session.execute(sa.delete(table).where(table.c.user == user.name))


def switch_on(session: Session, name: str, *, seats: int) -> None:
    """Let the user sign in again.

    Raises:
        NotFound: no such user.
        InputError: she is a field worker, and no seat is left.
    """
    account = find_account(session, name)
    if account.active:
        return
    if account.user.is_field_worker:
        lock_seats(session)
        need_seat(session, seats)
    _set_active(session, account.user.name, active=True)


def _set_active(session: Session, name: str, *, active: bool) -> None:
    session.execute(sa.update(tables.user).where(tables.user.c.name == name).values(active=active))


def set_password(session: Session, name: str, password: str) -> None:
    """Give the user a new password and end all her sessions.

    Raises:
        NotFound: no such user.
        InputError: the password is too short, or too common.
    """
    user = existing_user(session, name)
    store_password(session, user.name, prepared_password(user.name, password))


def prepared_password(name: str, password: str) -> str:
    """Return the hash of a new password of the user; it takes longer than a transaction may.

    Raises:
        InputError: the password is too short, or too common.
    """
    hashed = hash_password(password)
    check_password(password, name)
    return hashed


def store_password(session: Session, name: str, hashed: str, *, is_due: bool = False) -> None:
    """Store the hash of a new password; all sessions and invitations of the user end.

    Args:
        session: to write in.
        name: of a user who is there.
        hashed: see `prepared_password`.
        is_due: whether she has to choose another one when she signs in.
    """
    _store_hash(session, name, hashed)
    # fault point: password-set-sessions-open — the new password and the end of all sessions are one
    # transaction: nobody stays signed in by the old one.
    for table in (tables.session, tables.invitation, tables.password_due):
        session.execute(sa.delete(table).where(table.c.user == name))
    if is_due:
        session.execute(sa.insert(tables.password_due).values(user=name))


def is_password_due(session: Session, name: str) -> bool:
    """Say whether the user has to choose a password of her own before she gets a session."""
    due = tables.password_due.c.user
    return session.scalar(sa.select(due).where(due == name)) is not None


def password_of(session: Session, name: str) -> tuple[User | None, str | None]:
    """Return an active user with the hash of her password; neither where there is none.

    Checking it takes longer than any transaction may: see `passwords.verify_password`.
    """
    user = find_user(session, name)
    if user is None:
        return None, None
    query = sa.select(tables.user.c.password_hash).where(tables.user.c.name == user.name)
    return user, session.scalar(query)


def locked_password_of(session: Session, name: str) -> tuple[User | None, str | None]:
    """Return what `password_of` does, for whoever begins a session by it or changes it.

    Until the transaction ends nobody else changes it, and nobody switches her off. The row is
    written as it is: a lock would not do, see `turns.take_turn`.
    """
    user = tables.user
    same = sa.update(user).where(user.c.folded_name == folded(name)).values(active=user.c.active)
    session.execute(same)
    # fault point: account-locked — held until the transaction ends: who changes the password comes
    # before this, and is seen here, or comes after it, and ends the session that is begun.
    return password_of(session, name)


def password_of_switched_off(session: Session, name: str) -> str | None:
    """Return the hash of the password of a user who is switched off; None of all others."""
    query = sa.select(tables.user.c.password_hash).where(
        tables.user.c.folded_name == folded(name), sa.not_(tables.user.c.active)
    )
    return session.scalar(query)


def renew_hash(session: Session, user: User, hashed: str) -> None:
    """Store the hash of the same password, made with today's parameters."""
    _store_hash(session, user.name, hashed)


def existing_user(session: Session, name: str) -> User:
    """Return an active user; raises `NotFound`."""
    user = find_user(session, name)
    if user is None:
        raise NotFound([problem(Code.NO_SUCH_USER, "user", user=name)])
    return user


def _roles(session: Session, name: str) -> frozenset[str]:
    query = sa.select(tables.user_role.c.role).where(tables.user_role.c.user == name)
    return frozenset(session.scalars(query))


def _store_hash(session: Session, name: str, hashed: str) -> None:
    session.execute(
        sa.update(tables.user).where(tables.user.c.name == name).values(password_hash=hashed)
    )
