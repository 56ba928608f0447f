"""The commands `fieldpost keys …`: list the keys that receipts are signed with, make a new one."""

from typing import Any

from sqlalchemy.orm import Session

from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.signing.keyring import PublicKey, public_keys, read_secret, rotate


def declare_keys(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "keys", "the keys that receipts are signed with")
    declare(below, "list", _list, "list keys, oldest first")
    turn = declare(below, "rotate", _rotate, "sign with a new key from now on")
    turn.add_argument(
        "--distrust",
        action="store_true",
        help="the old key is in wrong hands: it does not vouch for the new one",
    )


def _list(command: Command) -> None:
    """Print a line for each key: id, public key, when it was made, and what it is now."""
    with command.reading() as session:
        for key in public_keys(session):
            made = key.created_at.isoformat(timespec="seconds")
            command.say("\t".join((key.id, key.public, made, _state(key), _origin(key))))


def _rotate(command: Command) -> None:
    """Make a new key; its id is printed."""
    secret, distrust = read_secret(command.settings.signing_secret_file), command.options.distrust

    def work(session: Session) -> str:
        made = rotate(session, secret, distrust=distrust)
        detail = f"{made}, the one before is distrusted" if distrust else made
        record(session, COMMAND_LINE, Event.KEY_ROTATED, detail=detail)
        return made

    made = command.write(work)
    command.say(f"Receipts are signed with {made} from now on.")
    if distrust:
        command.say("Devices will say that the office's identity has changed: tell their users.")


def _state(key: PublicKey) -> str:
    if key.retired_at is None:
        return "signs"
    retired = "distrusted" if key.distrusted else "retired"
    return f"{retired} {key.retired_at.isoformat(timespec='seconds')}"


def _origin(key: PublicKey) -> str:
    return f"endorsed by {key.endorsed_by}" if key.endorsed_by else "not endorsed"
