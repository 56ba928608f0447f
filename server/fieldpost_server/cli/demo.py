"""The command `fieldpost demo`: installs, fills and serves the demo app."""

import importlib
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.home import Upload
from fieldpost.users import User
from fieldpost_server.accounts.users import add_user, find_user
from fieldpost_server.authoring.device_load import loading_as_a_device
from fieldpost_server.cli.command import Command, declare
from fieldpost_server.cli.database import install_app
from fieldpost_server.cli.serve import ready, serve
from fieldpost_server.operations.deployment import mark_demo
from fieldpost_server.settings import Settings
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


def declare_demo(commands: Any) -> None:
    """Declare the command."""
    declare(commands, "demo", _demo, "serve the demo app")


def _demo(command: Command) -> None:
    settings = Settings.from_environment(
        app=command.settings.app or DEMO_APP,
        data=command.settings.data,
        demo=True,
        port=command.settings.port,
        database=command.settings.database or None,
    )
    command = replace(command, settings=settings)
    app = command.app
    with loading_as_a_device(settings.app, settings.data, app.files) as loaded:
        _install(command, app)
        application = ready(command, app, loaded)
    names = ", ".join(name for name, _, _ in DEMO_USERS)
    command.say(
        f"Open http://{settings.host}:{settings.port}/ and sign in as one of: {names}. "
        f"The password of each is '{DEMO_PASSWORD}'. Stop with Ctrl+C."
    )
    serve(settings, application)


def _install(command: Command, app: App) -> None:
    settings = command.settings
    with command.database() as database:
        install_app(app, database, settings.signing_secret_file)
        # fault point: demo-without-users — each step of the demo's start is done where it is
        # missing and left where it is there: the next start goes on.
        database.write(lambda session: _add_users(session, app, settings.seats))
        database.write(mark_demo)
        _seed(command, database)


def _add_users(session: Session, app: App, seats: int) -> None:
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
            seats=seats,
            password_at_least=1,
        )


def _seed(command: Command, database: Database) -> None:
    """Run the app's hooks: `seed(session)` for rows, `attachments()` for the files they name."""
    package = command.settings.app.partition(":")[0].partition(".")[0]
    hooks = importlib.import_module(f"{package}.server.seed")
    database.write(hooks.seed)
    store = command.store(database)
    for reference, content in hooks.attachments():
        # fault point: demo-rows-without-files — the rows are there and some of their files are not:
        # the next start keeps all of them again, and those that are there stay as they are.
        store.keep(Upload(reference.name, reference.type, content), User("demo"))
