"""The commands `fieldpost device …`: list devices, revoke one."""

from typing import Any

from sqlalchemy.orm import Session

from fieldpost_server.accounts.devices import devices, find_device, revoke
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.inbox.dependencies import missing_numbers


def declare_devices(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "device", "devices")
    listed = declare(below, "list", _list, "list devices, the last heard of first")
    listed.add_argument("--user", help="only hers")
    declare(below, "revoke", _revoke, "revoke a device for good").add_argument("device")


def _list(command: Command) -> None:
    """Print a line for each: id, user, name, newest number, missing ones, last contact, state."""
    with command.reading() as session:
        for each in devices(session, command.options.user):
            missing = ",".join(f"{a}-{b}" for a, b in missing_numbers(session, each.id))
            seen = each.last_seen_at.isoformat(timespec="seconds")
            state = "revoked" if each.revoked else "in use"
            words = (each.id, each.user, each.name, str(each.number), missing, seen, state)
            command.say("\t".join(words))


def _revoke(command: Command) -> None:
    identity = command.options.device

    def work(session: Session) -> str:
        device = find_device(session, identity)
        revoke(session, device)
        record(session, COMMAND_LINE, Event.DEVICE_REVOKED, device.user, device.id)
        return device.user

    command.say(f"Revoked {identity} of {command.write(work)}; sessions that it used ended.")
