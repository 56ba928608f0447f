"""The commands `fieldpost user …`: add people, give roles and passwords, end sessions, list."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost_server.accounts.invitations import invite
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.accounts.session_list import end_all, end_one, sessions_of
from fieldpost_server.accounts.users import (
    Account,
    add_user,
    existing_user,
    find_account,
    give_role,
    list_accounts,
    prepared_password,
    store_password,
    switch_off,
    switch_on,
    take_role,
)
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.factors.second_factors import reset_factors
from fieldpost_server.factors.taken_over import give_back


def declare_people(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "user", "people")
    add = declare(below, "add", _add, "add a user")
    add.add_argument("name")
    add.add_argument("--display-name", default="")
    add.add_argument("--role", action="append", default=[])
    add.add_argument("--password", help="asked for where it is left out")
    add.add_argument("--invite", action="store_true", help="print a link instead of a password")
    for name, work, words in (
        ("off", _off, "let nobody sign in as a user, and end her sessions"),
        ("on", _on, "let a user sign in again"),
        ("invite", _invite, "print a link by which a user sets a password of her own, once"),
        ("sessions", _sessions, "list a user's sessions"),
        ("reset-factors", _reset_factors, "remove a user's second factors and recovery codes"),
        ("give-back", _give_back, "end all ways into an account that somebody else may be in"),
    ):
        declare(below, name, work, words).add_argument("name")
    role = declare(below, "role", _change_role, "give a user a role, or take it")
    role.usage = "fieldpost user role [give|take] NAME ROLE [--take]"
    role.add_argument("words", nargs="+")
    role.add_argument("--take", action="store_true", help="take it")
    password = declare(below, "password", _set_password, "set a user's password")
    password.add_argument("name")
    password.add_argument("--password")
    password.add_argument("--once", action="store_true", help="she must choose another one")
    listed = declare(below, "list", _list, "list users")
    listed.add_argument("--all", action="store_true", help="also those who are switched off")
    end = declare(below, "end-sessions", _end_sessions, "end a user's sessions")
    end.add_argument("name")
    end.add_argument("--session", help="only this one, by its id of the list")


def _add(command: Command) -> None:
    options, known, settings = command.options, command.app.roles, command.settings
    password = None if options.invite else command.password()

    def work(session: Session) -> str:
        add_user(
            session,
            options.name,
            password,
            display_name=options.display_name,
            roles=options.role,
            known_roles=known,
            seats=settings.seats,
        )
        roles = ", ".join(options.role)
        record(session, COMMAND_LINE, Event.USER_ADDED, options.name, roles)
        return _invited(session, command) if options.invite else ""

    code = command.write(work)
    command.say(f"Added {options.name}.")
    if code:
        _say_link(command, code)


def _off(command: Command) -> None:
    _written(command, Event.SWITCHED_OFF, switch_off)
    command.say(f"Switched {command.options.name} off; all sessions ended.")


def _on(command: Command) -> None:
    seats = command.settings.seats
    _written(
        command, Event.SWITCHED_ON, lambda session, name: switch_on(session, name, seats=seats)
    )
    command.say(f"Switched {command.options.name} on.")


def _invite(command: Command) -> None:
    _say_link(command, command.write(lambda session: _invited(session, command)))


def _invited(session: Session, command: Command) -> str:
    name = command.options.name
    record(session, COMMAND_LINE, Event.INVITED, name)
    return invite(session, name, timedelta(hours=command.settings.invitation_hours))


def _say_link(command: Command, code: str) -> None:
    settings = command.settings
    address = settings.origin.rstrip("/") or f"http://{settings.host}:{settings.port}"
    command.say(f"{address}/invitation?code={code}")
    command.say(f"The link works once, and for {settings.invitation_hours} hours.")


def _change_role(command: Command) -> None:
    options, words = command.options, command.options.words
    do = words.pop(0) if len(words) == 3 and words[0] in ("give", "take") else ""
    if len(words) != 2:
        raise InputError([problem(Code.NOT_ALLOWED, "role", label="fieldpost user role")])
    (name, role), known, seats = words, command.app.roles, command.settings.seats

    def work(session: Session) -> None:
        if options.take or do == "take":
            take_role(session, name, role)
            record(session, COMMAND_LINE, Event.ROLE_TAKEN, name, role)
            return
        give_role(session, name, role, known_roles=known, seats=seats)
        record(session, COMMAND_LINE, Event.ROLE_GIVEN, name, role)

    command.write(work)
    has = "does not have" if options.take or do == "take" else "has"
    command.say(f"{name} {has} the role {role}.")


def _set_password(command: Command) -> None:
    options = command.options
    with command.reading() as session:
        name = existing_user(session, options.name).name
    hashed = prepared_password(name, command.password())

    def work(session: Session) -> None:
        store_password(session, name, hashed, is_due=options.once)
        record(session, COMMAND_LINE, Event.PASSWORD_SET, name)

    command.write(work)
    command.say(f"Set the password of {name}; all sessions ended.")


def _list(command: Command) -> None:
    with command.reading() as session:
        for account in list_accounts(session):
            if account.active or command.options.all:
                command.say(_line(account, with_state=command.options.all))


def _line(account: Account, *, with_state: bool) -> str:
    user = account.user
    words = [user.name, user.display_name, ", ".join(sorted(user.roles))]
    if with_state:
        words.append("on" if account.active else "off")
    return "\t".join(words)


def _sessions(command: Command) -> None:
    """Print a line for each: id, browser, address, begun, last used."""
    with command.reading() as session:
        user = find_account(session, command.options.name).user
        for each in sessions_of(session, user.name, command.settings):
            times = (each.created_at, each.last_seen_at)
            told = [moment.isoformat(timespec="seconds") for moment in times]
            command.say("\t".join((each.id, each.browser, each.address, *told)))


def _end_sessions(command: Command) -> None:
    options = command.options

    def work(session: Session) -> int:
        user = find_account(session, options.name).user
        if options.session is None:
            count = end_all(session, user.name)
        else:
            count = end_one(session, user.name, options.session)
        if count:
            record(session, COMMAND_LINE, Event.SESSIONS_ENDED, user.name, str(count))
        return count

    command.say(f"Ended {command.write(work)} of the sessions of {options.name}.")


def _reset_factors(command: Command) -> None:
    def work(session: Session) -> int:
        user = find_account(session, command.options.name).user
        count = reset_factors(session, user.name)
        record(session, COMMAND_LINE, Event.FACTORS_RESET, user.name, str(count))
        return count

    command.say(f"Removed {command.write(work)} second factors of {command.options.name}.")


def _give_back(command: Command) -> None:
    name, lasts = command.options.name, timedelta(hours=command.settings.invitation_hours)
    code = command.write(lambda session: give_back(session, name, COMMAND_LINE, lasts))
    command.say(
        f"Nothing that let in as {name} does any more: password, sessions, invitations, second "
        "factors, recovery codes, links to a provider."
    )
    if code:
        _say_link(command, code)
    else:
        command.say(f"{name} is switched off, and gets no invitation.")


def _written(command: Command, what: Event, work: Any) -> None:
    name = command.options.name

    def write(session: Session) -> None:
        work(session, name)
        record(session, COMMAND_LINE, what, name)

    command.write(write)
