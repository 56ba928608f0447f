"""The command line: which commands there are, and how one is run."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from fieldpost.errors import Code, FieldpostError, Problem, problem
from fieldpost_server.application import make_assets, make_home
from fieldpost_server.authoring.device_load import load_as_a_device
from fieldpost_server.authoring.model_fit import database_problem
from fieldpost_server.cli.command import Command, declare
from fieldpost_server.cli.database import declare_database
from fieldpost_server.cli.demo import declare_demo
from fieldpost_server.cli.devices import declare_devices
from fieldpost_server.cli.doctor import declare_doctor
from fieldpost_server.cli.envelopes import declare_envelopes
from fieldpost_server.cli.keys import declare_keys
from fieldpost_server.cli.people import declare_people
from fieldpost_server.cli.serve import declare_serve
from fieldpost_server.cli.upkeep.attachments import declare_attachments
from fieldpost_server.cli.upkeep.build import declare_build
from fieldpost_server.cli.upkeep.quotas import declare_quotas
from fieldpost_server.operations.health import Health
from fieldpost_server.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the process's exit status."""
    options = _parser().parse_args(arguments)
    # database, key and attachments are nobody else's on this machine
    os.umask(0o077)
    try:
        settings = Settings.from_environment(
            app=options.app,
            data=Path(options.data) if options.data else None,
            database=options.database,
            port=options.port,
        )
        return int(options.work(Command(settings, options)) or 0)
    except FieldpostError as error:
        return _failed(error, error.problems, verbose=options.verbose)
    except SQLAlchemyError as error:
        return _failed(error, [database_problem(error)], verbose=options.verbose)
    except OSError as error:
        fault = problem(Code.FILES_FAILED, cause=str(error))
        return _failed(error, [fault], verbose=options.verbose)


def _failed(error: Exception, problems: Sequence[Problem], *, verbose: bool) -> int:
    """Say what stopped a command; how it came to that only where somebody wants to know."""
    if verbose:
        traceback.print_exception(error)
    for message in dict.fromkeys(each.message for each in problems):
        print(message, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldpost", description="Offline field work.")
    parser.add_argument("--app", help="the app, as package.module:attribute (FIELDPOST_APP)")
    parser.add_argument("--data", help="folder for data (FIELDPOST_DATA)")
    parser.add_argument("--database", help="database URL (FIELDPOST_DATABASE)")
    parser.add_argument("--port", type=int, help="TCP port to listen on (PORT)")
    parser.add_argument("--verbose", action="store_true", help="show how a failure came about")
    commands = parser.add_subparsers(required=True, metavar="command")
    declare_serve(commands)
    declare_demo(commands)
    declare_attachments(commands)
    declare_build(commands)
    declare(commands, "check", _check, "check health")
    declare_database(commands)
    declare_devices(commands)
    declare_doctor(commands)
    declare_envelopes(commands)
    declare_keys(commands)
    declare_people(commands)
    declare_quotas(commands)
    return parser


def _check(command: Command) -> int:
    settings = command.settings
    app = command.app
    load_as_a_device(settings.app, app.files)
    home = make_home(settings, app, make_assets(settings, app))
    found = Health(home, settings).check()
    home.database.close()
    command.show(found)
    return 0 if found["ok"] else 1
