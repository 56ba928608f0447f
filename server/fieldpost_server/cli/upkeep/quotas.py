"""The commands `fieldpost quota …`: who has taken how much today, and a fresh start for a user."""

from typing import Any

from sqlalchemy.orm import Session

from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.accounts.users import existing_user
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.quotas.kinds import limits_of
from fieldpost_server.quotas.usage import free, usages


def declare_quotas(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "quota", "what users have taken today")
    listed = declare(below, "list", _list, "list it, who is nearest to a quota first")
    listed.add_argument("--near", action="store_true", help="only who is near or over one")
    declare(below, "free", _free, "let a user begin her day anew").add_argument("user")


def _list(command: Command) -> None:
    """Print a line for each: user, what of, taken, quota, share in percent."""
    with command.reading() as session:
        for each in usages(session, limits_of(command.settings)):
            if each.is_near or not command.options.near:
                words = (each.user, str(each.kind), str(each.used), str(each.most))
                command.say("\t".join((*words, f"{round(100 * each.share)} %")))


def _free(command: Command) -> None:
    def work(session: Session) -> tuple[str, int]:
        name = existing_user(session, command.options.user).name
        record(session, COMMAND_LINE, Event.QUOTA_FREED, name)
        return name, free(session, name)

    name, count = command.write(work)
    command.say(f"Forgot what {name} has taken today ({count} counts).")
