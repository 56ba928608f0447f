"""The commands `fieldpost device …`: list devices, revoke one."""

from typing import Any

from sqlalchemy.orm import Session

from fieldpost_server.accounts.devices import devices, find_device
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.devices.revocations import ORDER_WORDS, revoke_device
from fieldpost_server.devices.standings import standings
from fieldpost_server.inbox.dependencies import missing_numbers


def declare_devices(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "device", "devices")
    listed = declare(below, "list", _list, "list devices, the last heard of first")
    listed.add_argument("--user", help="only hers")
    words = "revoke a device for good; it wipes itself at its next contact"
    revoked = declare(below, "revoke", _revoke, words)
    revoked.add_argument("device")
    handing = "let it send first what it has not sent"
    revoked.add_argument("--hand-over", action="store_true", help=handing)


def _list(command: Command) -> None:
    """Print a line for each: id, user, name, newest number, missing ones, last contact, state."""
    with command.reading() as session:
        found = devices(session, command.options.user)
        told = standings(session, [each.id for each in found])
        for each in found:
            missing = ",".join(f"{a}-{b}" for a, b in missing_numbers(session, each.id))
            seen = each.last_seen_at.isoformat(timespec="seconds")
            standing = told.get(each.id)
            is_empty = standing is not None and standing.emptied_at is not None
            state = "revoked" if each.revoked else "in use"
            state = f"{state}, wiped" if is_empty else state
            words = (each.id, each.user, each.name, str(each.number), missing, seen, state)
            command.say("\t".join(words))


def _revoke(command: Command) -> None:
    identity, hand_over = command.options.device, command.options.hand_over

    def work(session: Session) -> str:
        device = find_device(session, identity)
        revoke_device(session, device, hand_over=hand_over)
        detail = f"{device.id}, {ORDER_WORDS[hand_over]}"
        record(session, COMMAND_LINE, Event.DEVICE_REVOKED, device.user, detail)
        return device.user

    command.say(
        f"Revoked {identity} of {command.write(work)}; sessions that it used ended. At its next "
        f"contact it {ORDER_WORDS[hand_over]}, and wipes itself."
    )
