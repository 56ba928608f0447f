"""The command `fieldpost doctor`: what is unsafe about how this server is run."""

from typing import Any

from fieldpost_server.cli.command import Command, declare
from fieldpost_server.operations.deployment import unsafe


def declare_doctor(commands: Any) -> None:
    """Declare the command."""
    doctor = declare(commands, "doctor", _doctor, "say what is unsafe about this server")
    doctor.add_argument(
        "--deploy", action="store_true", help="as it is for a server that others reach"
    )


def _doctor(command: Command) -> int:
    with command.reading() as session:
        found = unsafe(command.settings, session)
    if not command.options.deploy:
        found = [each for each in found if each.stops]
    for each in found:
        command.say(f"ASVS {each.asvs}: {each.words}" if each.asvs else f"Backup: {each.words}")
    if not found:
        command.say("Nothing unsafe was found.")
    return 1 if found else 0
