"""The command line: install, serve, people, health, and the demo."""

import argparse
import gc
import getpass
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import FieldpostError
from fieldpost.home import Upload
from fieldpost.users import User
from fieldpost_server.accounts.users import add_user, find_user, give_role, list_users, set_password
from fieldpost_server.application import load_app, make_application, make_assets, make_home
from fieldpost_server.cli.envelopes import EnvelopeCommands
from fieldpost_server.cli.keys import KeyCommands
from fieldpost_server.feed.triggers import install
from fieldpost_server.http.locale import office_zone
from fieldpost_server.log import start_logging
from fieldpost_server.operations.health import check_health
from fieldpost_server.restore.timelines import begin_anew
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.attachments import AttachmentStore
from fieldpost_server.storage.database import Database

DEMO_APP = "inspections.app:app"
DEMO_PASSWORD = "demo"  # noqa: S105 - said on the demo's sign-in page
DEMO_USERS = (
    ("worker1", "Wanda Field", ("Offline",)),
    ("worker2", "Willem Field", ("Offline",)),
    ("office", "Olga Office", ()),
    ("lead", "Lea Lead", ("Supervisor",)),
    ("admin", "Ada Admin", ("Admin",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment(
            app=options.app,
            data=Path(options.data) if options.data else None,
            database=options.database,
            port=options.port,
        )
        return int(options.run(settings, options) or 0)
    except FieldpostError as error:
        for each in error.problems:
            print(each.message, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldpost", description="Offline field work.")
    parser.add_argument("--app", help="the app, as package.module:attribute (FIELDPOST_APP)")
    parser.add_argument("--data", help="folder for data (FIELDPOST_DATA)")
    parser.add_argument("--database", help="database URL (FIELDPOST_DATABASE)")
    parser.add_argument("--port", type=int, help="TCP port to listen on (PORT)")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("serve", help="serve the app").set_defaults(run=_serve)
    commands.add_parser("demo", help="serve the demo app").set_defaults(run=_demo)
    commands.add_parser("check", help="check health").set_defaults(run=_check)
    database = commands.add_parser("db", help="the database").add_subparsers(required=True)
    database.add_parser("install", help="create tables and triggers").set_defaults(run=_install)
    restored = database.add_parser("restored", help="say that it was put back to a backup")
    restored.set_defaults(run=_restored)
    EnvelopeCommands(_opened, _say).add_to(commands)
    KeyCommands(_opened, _say).add_to(commands)
    people = commands.add_parser("user", help="people").add_subparsers(required=True)
    _user_commands(people)
    return parser


def _user_commands(people: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = people.add_parser("add", help="add a user")
    add.add_argument("name")
    add.add_argument("--display-name", default="")
    add.add_argument("--role", action="append", default=[])
    add.add_argument("--password", help="asked for where it is left out")
    add.set_defaults(run=_add_user)
    role = people.add_parser("role", help="give a user a role")
    role.add_argument("name")
    role.add_argument("role")
    role.set_defaults(run=_give_role)
    password = people.add_parser("password", help="set a user's password")
    password.add_argument("name")
    password.add_argument("--password")
    password.set_defaults(run=_set_password)
    people.add_parser("list", help="list users").set_defaults(run=_list_users)


def _say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def _write(settings: Settings, work: Callable[[Session], object]) -> None:
    with _opened(settings) as database:
        database.write(work)


def _serve(settings: Settings, _: argparse.Namespace) -> None:
    start_logging()
    _set_clock(settings)
    application = make_application(settings)
    _settle_memory()
    # uvicorn's own access log is replaced by ours; the date header is the proxy's or uvicorn's
    uvicorn.run(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


def _set_clock(settings: Settings) -> None:
    """Let `date.today()` in an author's code be the office's day, too."""
    if settings.timezone and hasattr(time, "tzset"):
        office_zone(settings)
        os.environ["TZ"] = settings.timezone
        time.tzset()


def _settle_memory() -> None:
    """Take what is loaded now out of the search for garbage, and search less often.

    Every envelope makes thousands of short-lived objects, which reference counts free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _install_app(app: App, database: Database, settings: Settings) -> list[str]:
    app.base.metadata.create_all(database.engine)
    changed = install(database.engine, captured_tables(app))
    Signer(database, settings.signing_secret_file).ready()
    return changed


def _install(settings: Settings, _: argparse.Namespace) -> None:
    app = load_app(settings.app)
    with _opened(settings) as database:
        changed = _install_app(app, database, settings)
    _say(f"Installed. New triggers on: {', '.join(changed) or 'none; all were there'}.")


def _restored(settings: Settings, _: argparse.Namespace) -> None:
    """Begin a new history, so that nothing made before takes a key for another row's."""
    counted = captured_tables(load_app(settings.app))
    _write(settings, lambda session: begin_anew(session, counted))
    _say("Noted. Devices download everything with their next sync, and bring what is missing.")


def _demo(settings: Settings, options: argparse.Namespace) -> None:
    settings = Settings.from_environment(
        app=options.app or settings.app or DEMO_APP,
        data=settings.data,
        demo=True,
        port=settings.port,
        database=settings.database or None,
    )
    app = load_app(settings.app)
    with _opened(settings) as database:
        _install_app(app, database, settings)
        database.write(lambda session: _add_demo_users(session, app, settings))
        _seed(database, settings)
    names = ", ".join(name for name, _, _ in DEMO_USERS)
    _say(
        f"Open http://{settings.host}:{settings.port}/ and sign in as one of: {names}. "
        f"The password of each is '{DEMO_PASSWORD}'. Stop with Ctrl+C."
    )
    _serve(settings, options)


def _add_demo_users(session: Session, app: App, settings: Settings) -> None:
    for name, display_name, roles in DEMO_USERS:
        if find_user(session, name) is not None:
            continue
        add_user(
            session,
            name,
            DEMO_PASSWORD,
            display_name=display_name,
            roles=roles,
            known_roles=app.roles,
            seats=settings.seats,
            password_at_least=1,
        )


def _seed(database: Database, settings: Settings) -> None:
    """Run the app's hooks: `seed(session)` for rows, `attachments()` for the files they name."""
    package = settings.app.partition(":")[0].partition(".")[0]
    hooks = importlib.import_module(f"{package}.server.seed")
    database.write(hooks.seed)
    store = AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)
    for reference, content in hooks.attachments():
        # an earlier start may have ended between the rows and their files
        store.keep(Upload(reference.name, reference.type, content), User("demo"))


def _check(settings: Settings, _: argparse.Namespace) -> int:
    app = load_app(settings.app)
    home = make_home(settings, app, make_assets(settings, app))
    found = check_health(home, settings)
    home.database.close()
    _say(json.dumps(found, indent=2))
    return 0 if found["ok"] else 1


def _asked(given: str | None) -> str:
    return given if given is not None else getpass.getpass("Password: ")


def _add_user(settings: Settings, options: argparse.Namespace) -> None:
    app, password = load_app(settings.app), _asked(options.password)
    _write(
        settings,
        lambda session: add_user(
            session,
            options.name,
            password,
            display_name=options.display_name,
            roles=options.role,
            known_roles=app.roles,
            seats=settings.seats,
        ),
    )
    _say(f"Added {options.name}.")


def _give_role(settings: Settings, options: argparse.Namespace) -> None:
    app = load_app(settings.app)
    _write(
        settings,
        lambda session: give_role(
            session, options.name, options.role, known_roles=app.roles, seats=settings.seats
        ),
    )
    _say(f"{options.name} has the role {options.role}.")


def _set_password(settings: Settings, options: argparse.Namespace) -> None:
    password = _asked(options.password)
    _write(settings, lambda session: set_password(session, options.name, password))
    _say(f"Set the password of {options.name}; all sessions ended.")


def _list_users(settings: Settings, _: argparse.Namespace) -> None:
    with _opened(settings) as database, database.read_session() as session:
        for user in list_users(session):
            _say(f"{user.name}\t{user.display_name}\t{', '.join(sorted(user.roles))}")
