"""The commands of the database: `fieldpost db …`, `fieldpost backup`, `fieldpost restore`."""

import sys
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, problem
from fieldpost_server.accounts.security_events import COMMAND_LINE, Event, record
from fieldpost_server.authoring.model_fit import fit, unready
from fieldpost_server.backup.faults import fault
from fieldpost_server.backup.manifest import MANIFEST
from fieldpost_server.backup.place import Place
from fieldpost_server.backup.programs import Programs
from fieldpost_server.backup.restoration import Restoration
from fieldpost_server.backup.taking import take_backup
from fieldpost_server.backup.verification import Verified, verify
from fieldpost_server.cli.command import Command, declare, group
from fieldpost_server.feed.triggers import install
from fieldpost_server.restore.timelines import begin_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.database import Database


def declare_database(commands: Any) -> None:
    """Declare the commands."""
    below = group(commands, "db", "the database")
    declare(below, "install", _install, "create tables and triggers")
    declare(below, "restored", _restored, "say that it was put back to a backup")
    backup = declare(commands, "backup", _backup, "take a backup while the server runs")
    backup.add_argument("target", nargs="?", help="the folder of backups (FIELDPOST_BACKUP)")
    backup.add_argument("--keep", type=_count, default=0, help="delete all but so many")
    backup.add_argument("--json", action="store_true", help="print what was done as JSON")
    restore = declare(commands, "restore", _restore, "put a backup back, or only verify it")
    restore.add_argument("source", help="a backup, or a folder of backups: then the newest")
    restore.add_argument("--verify", action="store_true", help="change nothing, look at every byte")
    restore.add_argument("--replace", action="store_true", help="put a SQLite database aside")
    restore.add_argument("--files", action="store_true", help="put only attachments back")
    restore.add_argument("--digest", help="the digest that the backup must have")
    restore.add_argument("--json", action="store_true", help="print what was found as JSON")


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


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _backup(command: Command) -> int:
    """Take a backup; the status is 3 where it lacks files that the office itself lacks."""
    options, settings = command.options, command.settings
    named = options.target or settings.backup
    if not named:
        raise fault(Code.NO_BACKUP_PLACE)
    place, programs = Place(Path(named)), Programs(settings.postgres_bin)
    app = command.app
    with command.database() as database:
        taken = take_backup(app, command.store(database), place, programs, keep=options.keep)
    if options.json:
        command.show(taken.to_json())
    else:
        for words in taken.words():
            command.say(words)
    if not taken.missing:
        return 0
    named = ", ".join(taken.missing[:3]) + (" …" if len(taken.missing) > 3 else "")
    lacking = problem(Code.FILES_MISSING, "backup", count=len(taken.missing), named=named)
    print(lacking.message, file=sys.stderr)
    # 2 is what a mistyped command ends with
    return 3


def _restore(command: Command) -> int:
    """Verify a backup, and put it back unless that is all that is wanted."""
    options, programs = command.options, Programs(command.settings.postgres_bin)
    found = verify(_backup_at(Path(options.source)), programs)
    manifest = found.manifest
    if manifest is not None and options.digest not in (None, manifest.digest):
        raise fault(Code.BACKUP_OTHER, backup=found.path.name, digest=manifest.digest)
    if options.verify:
        return _say_verified(command, found)
    restoration = Restoration(command.settings, command.app, found, programs)
    if options.files:
        put, there = restoration.restore_files()
        told = {"attachments": {"put": put, "there": there}}
        words = [f"{put} attachments were put back, {there} were there."]
    else:
        restored = restoration.restore(replace=options.replace)
        told, words = restored.to_json(), restored.words()
    if options.json:
        command.show(told)
    else:
        command.say("\n".join(words))
    return 0


def _say_verified(command: Command, found: Verified) -> int:
    if command.options.json:
        command.show(found.to_json())
    elif not found.faults:
        command.say(found.words())
    for each in found.problems:
        print(each.message, file=sys.stderr)
    return 1 if found.faults else 0


def _backup_at(source: Path) -> Path:
    """Return the backup that is meant: this one, or the newest in a folder of backups."""
    if (source / MANIFEST).exists():
        # a link to a backup may be a person's; links inside of one are nobody's
        return source.resolve()
    newest = next(iter(Place(source).backups()), None)
    if newest is None:
        raise fault(Code.NO_BACKUP, place=source)
    return newest.path
