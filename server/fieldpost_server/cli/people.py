"""The commands `fieldpost user …`: add people, give them roles and passwords, list them."""

from typing import Any

from fieldpost_server.accounts.users import add_user, give_role, list_users, set_password, take_role
from fieldpost_server.cli.command import Command, declare, group


def declare_people(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "user", "people")
    add = declare(below, "add", _add, "add a user")
    add.add_argument("name")
    add.add_argument("--display-name", default="")
    add.add_argument("--role", action="append", default=[])
    add.add_argument("--password", help="asked for where it is left out")
    role = declare(below, "role", _change_role, "give a user a role, or take it")
    role.add_argument("name")
    role.add_argument("role")
    role.add_argument("--take", action="store_true", help="take it")
    password = declare(below, "password", _set_password, "set a user's password")
    password.add_argument("name")
    password.add_argument("--password")
    declare(below, "list", _list, "list users")


def _add(command: Command) -> None:
    options, known, seats = command.options, command.app.roles, command.settings.seats
    password = command.password()
    command.write(
        lambda session: add_user(
            session,
            options.name,
            password,
            display_name=options.display_name,
            roles=options.role,
            known_roles=known,
            seats=seats,
        )
    )
    command.say(f"Added {options.name}.")


def _change_role(command: Command) -> None:
    name, role = command.options.name, command.options.role
    if command.options.take:
        command.write(lambda session: take_role(session, name, role))
        command.say(f"{name} does not have the role {role}.")
        return
    known, seats = command.app.roles, command.settings.seats
    command.write(lambda session: give_role(session, name, role, known_roles=known, seats=seats))
    command.say(f"{name} has the role {role}.")


def _set_password(command: Command) -> None:
    name, password = command.options.name, command.password()
    command.write(lambda session: set_password(session, name, password))
    command.say(f"Set the password of {name}; all sessions ended.")


def _list(command: Command) -> None:
    with command.reading() as session:
        for user in list_users(session):
            roles = ", ".join(sorted(user.roles))
            command.say(f"{user.name}\t{user.display_name}\t{roles}")
