"""What every server of the tests needs: assets that nobody asks for, and people."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.routing import Route

from fieldpost.app import App
from fieldpost_server.accounts.users import give_role
from fieldpost_server.application import make_application
from fieldpost_server.storage import tables


@dataclass
class NoAssets:
    """Stands for what the browser loads."""

    app_version: str = "1"

    @property
    def manifest(self) -> dict[str, str]:
        return {"python_version": "none"}

    def python_script(self) -> bytes:
        return b""

    def url(self, name: str) -> str:
        return f"/assets/{name}"

    def shell_html(self) -> str:
        return "<!doctype html><title>Shell</title>"

    def routes(self) -> list[Route]:
        return []


def add_without_password(session: Session, app: App, name: str, *roles: str) -> None:
    """Add somebody whose session is begun by the test: a password costs its time."""
    values = {"name": name, "folded_name": name, "password_hash": "-"}
    session.execute(sa.insert(tables.user).values(display_name=name.title(), **values))
    for role in roles:
        give_role(session, name, role, known_roles=app.roles, seats=100)


@contextmanager
def office_like(office: Any, **settings: Any) -> Iterator[Any]:
    """Serve the database of the fixture `office` with changed settings."""
    changed = replace(office.settings, **settings)
    made = type(office)(changed, make_application(changed, office.home.asset.__self__))
    try:
        yield made
    finally:
        made.close()
