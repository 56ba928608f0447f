"""Warming up before a memory snapshot: what is imported or compiled late is done now.

The snapshot holds the heap but not the file system: a module, a codec or a template that is first
wanted after the restore would not be found.
"""

import encodings.idna
import encodings.latin_1
import encodings.utf_8  # noqa: F401 - codecs are imported by name when first used
import importlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fieldpost.app import App
from fieldpost.ground.zones import keep_zones
from fieldpost.users import OFFLINE, User
from fieldpost.web.framework.templates import environment
from fieldpost_client.platform.host import HostPlatform
from fieldpost_client.replica.replica import Replica
from fieldpost_client.replica.working_copy import make_working_copy
from fieldpost_client.warmup.rehearsal import add_rows, rehearse, replay_all

_LATE = (
    # there is none outside of a browser; inside, `main` wants it right after the restore
    "fieldpost_client.platform.browser",
    "_strptime",
    "decimal",
    "html.entities",
    "json.encoder",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.ext.asyncio",
    "starlette.formparsers",
    "starlette.middleware.errors",
    "starlette.middleware.exceptions",
    "python_multipart.multipart",
    "email.message",
    "http.cookies",
    "unicodedata",
    "urllib.parse",
    "uuid",
)
"""Modules that others import inside functions."""


async def warm_up(make: Callable[[App, Any], Any], app: App) -> None:
    """Show lists and forms over a database in memory, and save some; never waits for anything."""
    for name in _LATE:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # optional to whoever imports it
    # the person's zone is known after the restore only, when there are no files to read it from
    with suppress(ModuleNotFoundError):
        keep_zones()
    for name in environment().list_templates():
        environment().get_template(name)
    client = make(app, HostPlatform())
    home = client.home
    user = User("nobody", "Nobody", frozenset(app.roles) | {OFFLINE})
    home.state = replace(
        home.state,
        user=user,
        device="d-warm",
        cursor="0",
        pieces=["0"],
        settings={"offline": list(app.pages), "pages": list(app.pages)},
    )
    home.swap(make_working_copy(app, Replica(app), user, (), {}))
    add_rows(app, home.copy.replica, user)
    for path in _paths(app):
        await client.request({"method": "GET", "path": path, "headers": {}, "body": None})
    for page in app.pages.values():
        if page.create:
            # an empty form has problems: it is read, checked and shown again, never saved
            await client.request(
                {
                    "method": "POST",
                    "path": f"/pages/{page.name}/new",
                    "body": "_action=show",
                    "headers": {"content-type": "application/x-www-form-urlencoded"},
                }
            )
            await rehearse(home, page)
    replay_all(home)
    home.close()


def _paths(app: App) -> list[str]:
    paths = ["/", "/sync", "/nowhere"]
    for page in app.pages.values():
        paths += [f"/pages/{page.name}", f"/pages/{page.name}?q=a", f"/pages/{page.name}/records/1"]
        if page.create:
            paths.append(f"/pages/{page.name}/new")
    return paths
