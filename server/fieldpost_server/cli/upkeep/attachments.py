"""The commands `fieldpost attachments …`: what nothing refers to, and the table of references."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.feed.reference_triggers import rebuild_references
from fieldpost_server.feed.triggers import schema_of
from fieldpost_server.inbox.envelope_references import rebuild_envelope_references
from fieldpost_server.operations.collection import Unused, collect, note_unused, unused
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.storage.tables import utc_now


def declare_attachments(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "attachments", "files that were uploaded")
    words = "delete those that nothing refers to, after the time of grace"
    collecting = declare(below, "collect", _collect, words)
    collecting.add_argument("--dry-run", action="store_true", help="only name them")
    words = "write anew which rows and envelopes refer to which"
    declare(below, "rebuild", _rebuild, words)


def _collect(command: Command) -> None:
    """Print a line for each with --dry-run: digest, bytes, since when, whether it would go now."""
    before = utc_now() - timedelta(days=command.settings.keep_unused_days)
    is_kept = not command.settings.keep_unused_days
    with command.database() as database:
        if command.options.dry_run:
            with database.read_session() as session:
                found = unused(session)
            for each in found:
                goes = not is_kept and each.since is not None and each.since < before
                command.say(_line(each, goes=goes))
            return
        if is_kept:
            command.say("FIELDPOST_KEEP_UNUSED_DAYS is 0: nothing is deleted.")
            return
        # fault point: collect-command-half-done — as in housekeeping, which goes on with the rest.
        database.write(note_unused)
        store, every = command.store(database), captured_tables(command.app)
        uploads, files = store.delete_abandoned(before), collect(store, before, every)
    command.say(f"Deleted {files} attachments that nothing refers to, and {uploads} old uploads.")


def _line(each: Unused, *, goes: bool) -> str:
    since = each.since.isoformat(timespec="seconds") if each.since else "now"
    return "\t".join((each.sha256, str(each.size), since, "goes" if goes else "stays"))


def _rebuild(command: Command) -> None:
    every = captured_tables(command.app)

    def work(session: Session) -> tuple[int, int]:
        connection = session.connection()
        rows = rebuild_references(connection, every, schema_of(connection))
        return rows, rebuild_envelope_references(session)

    with command.database() as database, database.current_session() as session:
        rows, envelopes = work(session)
    command.say(f"Noted {rows} references of rows, and the files of {envelopes} open envelopes.")
