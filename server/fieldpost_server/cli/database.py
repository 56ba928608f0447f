"""The commands `fieldpost db …`: install the tables and triggers, say that it was put back."""

from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.authoring.model_fit import fit, unready
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.feed.triggers import install
from fieldpost_server.inbox.envelope_references import rebuild_envelope_references
from fieldpost_server.restore.timelines import begin_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.database import Database


def declare_database(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "db", "the database")
    declare(below, "install", _install, "create tables and triggers")
    declare(below, "restored", _restored, "say that it was put back to a backup")


def install_app(app: App, database: Database, secret_file: str) -> list[str]:
    """Create tables, triggers and the first signing key; return the tables with new triggers.

    Args:
        app: whose tables they are.
        database: where they are to be.
        secret_file: see `Settings.signing_secret_file`.

    Raises:
        DefinitionError: tables that are there are not those of the models.
    """
    app.base.metadata.create_all(database.engine)
    fit(database, app)
    # fault point: tables-without-triggers — health says that triggers are missing; the command is
    # run again, and whatever was written meanwhile is in a table that is recorded as changed whole.
    changed = install(database.engine, captured_tables(app))
    # fault point: open-envelopes-unnoted — the command is run again; what is not noted is collected
    # at the earliest after the time of grace.
    database.write(rebuild_envelope_references)
    # fault point: installed-without-key — whichever process first signs a receipt makes the key.
    Signer(database, secret_file).ready()
    return changed


def _install(command: Command) -> None:
    app = command.app
    with command.database() as database:
        changed = install_app(app, database, command.settings.signing_secret_file)
        found = unready(database, app)
    for words in found:
        command.say(f"Mind: {words}")
    command.say(f"Installed. New triggers on: {', '.join(changed) or 'none; all were there'}.")


def _restored(command: Command) -> None:
    """Begin a new history, so that nothing made before takes a key for another row's."""
    counted = captured_tables(command.app)

    def work(session: Session) -> None:
        begin_timeline(session, counted)
        record(session, COMMAND_LINE, Event.DATABASE_RESTORED)

    command.write(work)
    command.say(
        "Noted. Devices download everything with their next sync, and bring what is missing."
    )
