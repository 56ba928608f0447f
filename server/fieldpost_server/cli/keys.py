"""The commands `fieldpost keys …`: list the keys that receipts are signed with, make a new one."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager

from fieldpost_server.settings import Settings
from fieldpost_server.signing.keyring import PublicKey, public_keys, read_secret, rotate
from fieldpost_server.storage.database import Database

Opened = Callable[[Settings], AbstractContextManager[Database]]
Say = Callable[[str], None]


class KeyCommands:
    """See the module.

    Args:
        opened: opens the database of settings.
        say: prints a line.
    """

    def __init__(self, opened: Opened, say: Say) -> None:
        self.opened = opened
        self.say = say

    def add_to(self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the commands to the parser's."""
        group = commands.add_parser("keys", help="the keys that receipts are signed with")
        below = group.add_subparsers(required=True)
        below.add_parser("list", help="list keys, oldest first").set_defaults(run=self.list)
        turn = below.add_parser("rotate", help="sign with a new key from now on")
        turn.add_argument(
            "--distrust",
            action="store_true",
            help="the old key is in wrong hands: it does not vouch for the new one",
        )
        turn.set_defaults(run=self.rotate)

    def list(self, settings: Settings, _: argparse.Namespace) -> None:
        """Print a line for each key: id, public key, when it was made, and what it is now."""
        with self.opened(settings) as database, database.read_session() as session:
            for key in public_keys(session):
                made = key.created_at.isoformat(timespec="seconds")
                self.say("\t".join((key.id, key.public, made, _state(key), _origin(key))))

    def rotate(self, settings: Settings, options: argparse.Namespace) -> None:
        """Make a new key; its id is printed."""
        secret = read_secret(settings.signing_secret_file)
        with self.opened(settings) as database:
            made = database.write(lambda s: rotate(s, secret, distrust=options.distrust))
        self.say(f"Receipts are signed with {made} from now on.")
        if options.distrust:
            self.say("Devices will say that the office's identity has changed: tell their users.")


def _state(key: PublicKey) -> str:
    if key.retired_at is None:
        return "signs"
    retired = "distrusted" if key.distrusted else "retired"
    return f"{retired} {key.retired_at.isoformat(timespec='seconds')}"


def _origin(key: PublicKey) -> str:
    return f"endorsed by {key.endorsed_by}" if key.endorsed_by else "not endorsed"
