"""The command `fieldpost serve`: the server as a process."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import uvicorn
from starlette.applications import Starlette

from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, problem
from fieldpost_server.application import make_application
from fieldpost_server.authoring.device_load import loading_as_a_device
from fieldpost_server.authoring.model_fit import unready
from fieldpost_server.cli.command import Command, declare
from fieldpost_server.delivery.app_files import left_at_home
from fieldpost_server.delivery.image_offer import offer_image
from fieldpost_server.http.connections import HEADER_BYTES, MOST_CONNECTIONS, Connection
from fieldpost_server.http.locale import office_zone
from fieldpost_server.log import start_logging
from fieldpost_server.operations.deployment import DEFAULT_ACCOUNTS, OPEN_FILES, unsafe
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database


def declare_serve(commands: Any) -> None:
    """Declare the command."""
    serves = declare(commands, "serve", _serve, "serve the app")
    serves.add_argument(
        "--insecure",
        action="store_true",
        help="serve also a demo's database, files that everybody on this machine may read, or "
        "without https an address that others reach",
    )


def _serve(command: Command) -> None:
    settings, app = command.settings, command.app
    if command.options.insecure:
        settings = replace(settings, insecure=True)
        command = replace(command, settings=settings)
    with loading_as_a_device(settings.app, settings.data, app.files) as loaded:
        application = ready(command, app, loaded)
    command.say(f"Open http://{settings.host}:{settings.port}/ and sign in. Stop with Ctrl+C.")
    serve(settings, application)


def ready(command: Command, app: App, loaded: Callable[[], None]) -> Starlette:
    """Return the application, where nothing stands in the way of serving it.

    Args:
        command: whose settings count.
        app: what they name.
        loaded: waits until the app was loaded as a device would.

    Raises:
        DefinitionError: the app starts on no device, or the database is not as it needs it.
    """
    with command.database() as database:
        for words in unready(database, app):
            command.say(f"Mind: {words}")
        _need_safety(command.settings, database)
    _say_left_at_home(command, app)
    _set_clock(command.settings)
    application = make_application(command.settings)
    loaded()
    return application


def serve(settings: Settings, application: Starlette) -> None:
    """Serve the app until the process is told to end."""
    start_logging()
    _offer_image(settings, application)
    _settle_memory()
    # uvicorn's own access log is replaced by ours; the date header is the proxy's or uvicorn's
    uvicorn.run(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=10,
        http=Connection,
        h11_max_incomplete_event_size=HEADER_BYTES,
        limit_concurrency=MOST_CONNECTIONS,
        # which program in which version it is helps nobody but who looks for its faults
        server_header=False,
        # a header of a stranger is no address: only a proxy that is named is believed
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies or None,
    )


def _need_safety(settings: Settings, database: Database) -> None:
    """Raise `DefinitionError` where nothing should be served like that."""
    with database.read_session() as session:
        found = [each for each in unsafe(settings, session) if each.stops]
    if settings.demo:
        # the demo says its passwords to everybody, and is for trying on this machine
        found = [each for each in found if each.asvs not in (DEFAULT_ACCOUNTS, OPEN_FILES)]
    if found and not settings.insecure:
        more = "To serve it all the same, give 'serve --insecure' or set FIELDPOST_INSECURE=yes."
        text = " ".join([*(each.words for each in found), more])
        raise DefinitionError([problem(Code.DEFINITION, "deployment", text=text)])


def _say_left_at_home(command: Command, app: App) -> None:
    """Name data files that an app on a device would look for in vain."""
    package = command.settings.app.partition(":")[0].partition(".")[0]
    if names := left_at_home(package, app.files):
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        command.say(
            f"Mind: devices do not get {', '.join(names[:5])}{more}: App(files=…) lists what they "
            "get. Put what is for the server only into a folder 'server'."
        )


def _set_clock(settings: Settings) -> None:
    """Let `date.today()` in an author's code be the office's day, too."""
    if settings.timezone and hasattr(time, "tzset"):
        office_zone(settings)
        os.environ["TZ"] = settings.timezone
        time.tzset()


def _offer_image(settings: Settings, application: Starlette) -> None:
    """Offer the memory image, where there is one, or have it made beside the serving."""
    offer_image(settings, application.state.assets)


def _settle_memory() -> None:
    """Take what is loaded now out of the search for garbage, and search less often.

    Every envelope makes thousands of short-lived objects, which reference counts free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
