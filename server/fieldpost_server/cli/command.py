"""A command as it was called, and the one way in which commands are declared."""

import argparse
import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.loading import load_app
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no other name for it
"""Where a parser takes its commands from."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it was called.

    Attributes:
        settings: of the server.
        options: what stood behind the command's name.
    """

    settings: Settings
    options: argparse.Namespace

    @property
    def app(self) -> App:
        """Return the author's app; raises `DefinitionError`."""
        return load_app(self.settings.app)

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def show(self, data: Any) -> None:
        """Print plain data as JSON."""
        self.say(json.dumps(data, indent=2, ensure_ascii=False))

    def password(self) -> str:
        """Return the option ``--password``; where it is left out, ask for it."""
        given: str | None = self.options.password
        return given if given is not None else getpass.getpass("Password: ")

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open the database until the block ends."""
        database = Database(self.settings.database_url)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a snapshot of the database."""
        with self.database() as database, database.read_session() as session:
            yield session

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction; see `Database.write`."""
        with self.database() as database:
            # fault point: command-unwritten — one command is one transaction, and says what it has
            # done only after that: whoever reads no such words runs it again.
            return database.write(work)

    def store(self, database: Database) -> AttachmentStore:
        """Return the attachments store."""
        settings = self.settings
        return AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)


Work = Callable[[Command], int | None]
"""What a command does; it returns the exit status, None where all went well."""


def group(commands: "Commands[argparse.ArgumentParser]", name: str, words: str) -> Any:
    """Declare a group; returns where its own commands are declared."""
    return commands.add_parser(name, help=words).add_subparsers(required=True)


def declare(
    commands: "Commands[argparse.ArgumentParser]", name: str, work: Work, words: str
) -> argparse.ArgumentParser:
    """Declare a command; returns its parser, for its options."""
    parser = commands.add_parser(name, help=words)
    parser.set_defaults(work=work)
    return parser
