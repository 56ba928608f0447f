"""What an administrator set for pages in the Project Designer, over what the app's author wrote."""

import hashlib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.text.canonical import canonical
from fieldpost.users import User
from fieldpost.wire.limits import Limits
from fieldpost_server.storage import tables

_MADE = 2
"""Counts how plans are made: with another number devices ask for all of their tables."""

# every call of a device asks for it
_CHOSEN = sa.select(tables.page_setting.c.page, tables.page_setting.c.offline)


def offline_pages(session: Session, app: App) -> frozenset[str]:
    """Return the names of the pages that are marked offline, as of the session's snapshot."""
    chosen = {row.page: row.offline for row in session.connection().execute(_CHOSEN)}
    return frozenset(p.name for p in app.pages.values() if chosen.get(p.name, p.offline))


def offline_pages_for(session: Session, app: App, user: User) -> list[Page]:
    """Return the offline pages that a user may open."""
    marked = offline_pages(session, app)
    return [page for page in app.pages_for(user) if page.name in marked]


def set_offline(session: Session, app: App, name: str, *, offline: bool) -> None:
    """Mark a page offline, or take the mark away; raises `NotFound`."""
    page = app.page(name)
    table = tables.page_setting
    session.execute(sa.delete(table).where(table.c.page == page.name))
    session.execute(sa.insert(table).values(page=page.name, offline=offline))


def settings_for(app: App, user: User, offline: Iterable[Page], limits: Limits) -> dict[str, Any]:
    """Return what a device needs to know: offline pages, all that may be opened, its limits."""
    lock = app.lock_after
    return {
        **({} if lock is None else {"lock_after_s": int(lock.total_seconds())}),
        "limits": limits.to_json(),
        "offline": [page.name for page in offline],
        "pages": [page.name for page in app.pages_for(user)],
    }


def plan_id(user: User, offline: Iterable[Page], app_version: str) -> str:
    """Return a short id of everything that decides which rows a user's device has.

    A cursor carries it: when it differs (roles, page settings, another app), the tables are sent
    whole.
    """
    marked = [page.name for page in offline]
    content = canonical([user.name, sorted(user.roles), marked, app_version, _MADE])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
