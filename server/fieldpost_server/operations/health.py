"""Whether everything that the server needs is there."""

import tempfile
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fieldpost import __version__
from fieldpost.app import App
from fieldpost.definition.scopes import scope_failure
from fieldpost.errors import Code, FieldpostError, problem
from fieldpost_server.accounts.users import list_users
from fieldpost_server.authoring.model_fit import is_installed, misfits
from fieldpost_server.authoring.rule_names import misnamed_fields
from fieldpost_server.feed.stalls import oldest_writer
from fieldpost_server.feed.triggers import uninstalled
from fieldpost_server.home import ServerHome
from fieldpost_server.restore.restore_notices import restore_notices
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings

MOST_NAMED = 20
"""Rows that cannot be read which are named."""


def check_health(home: ServerHome, settings: Settings) -> dict[str, Any]:
    """Return whether all is well, with words.

    ``{"ok": bool, "version": …, "checks": {name: 'ok' or what to do}, "notices": [words]}``; a
    notice is what administrators should know, and no fault.
    """
    every = (
        "database",
        "models",
        "triggers",
        "horizon",
        "scopes",
        "rules",
        "rows",
        "signing",
        "attachments",
    )
    checks = dict.fromkeys(every, "ok")
    notices: list[str] = []
    checks["rules"] = " ".join(misnamed_fields(home.app)) or "ok"
    try:
        with home.session() as session:
            holder = oldest_writer(session)
            checks["models"] = _models(session.connection(), home.app)
            missing = uninstalled(session.connection(), captured_tables(home.app))
            if not missing and is_installed(session.connection()):
                checks["scopes"] = _scopes(session, home.app)
                checks["rows"] = _rows(home)
                notices = restore_notices(session)
    except SQLAlchemyError as error:
        checks["database"] = f"cannot be reached: {str(error).splitlines()[0][:200]}"
        missing, holder = [], None
    if missing:
        names = ", ".join(table.name for table in missing)
        checks["triggers"] = f"missing on {names}: run 'fieldpost db install'"
    if holder is not None and holder.age_s > settings.stalled_after_s:
        checks["horizon"] = (
            f"a transaction has been running for {holder.age_s:.0f} s and holds back the change "
            f"feed: {holder}; pulls grow until it ends"
        )
    checks["signing"] = _signing(home)
    try:
        with tempfile.TemporaryFile(dir=settings.attachments):
            pass
    except OSError as error:
        checks["attachments"] = f"the folder cannot be written: {error}"
    ok = all(words == "ok" for words in checks.values())
    return {"ok": ok, "version": __version__, "checks": checks, "notices": notices}


def _models(connection: sa.Connection, app: App) -> str:
    """Name what of the database is not as the models say."""
    if not is_installed(connection):
        return problem(Code.NOT_INSTALLED).message
    found = misfits(connection, app.base.metadata.sorted_tables)
    return " ".join(each.words for each in found[:MOST_NAMED]) or "ok"


def _scopes(session: Session, app: App) -> str:
    """Ask each scope for each user: what fails for somebody shows her nothing."""
    failing: dict[str, str] = {}
    for user in list_users(session):
        for page in app.pages_for(user):
            if page.name in failing or page.scope is None:
                continue
            if words := scope_failure(page.scope, user):
                failing[page.name] = f"that of '{page.name}' fails for {user.name} ({words})"
    return f"{'; '.join(failing.values())}: correct the app" if failing else "ok"


def _rows(home: ServerHome) -> str:
    """Name the rows that are left out of lists and downloads."""
    if not (found := home.unreadable.find()):
        return "ok"
    named = "; ".join(str(value) for value in found[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"cannot be read, and are on no device: {named}{more}. Correct them in the database"


def _signing(home: ServerHome) -> str:
    try:
        home.inbox.signer.ready()
    except FieldpostError as error:
        return str(error)
    except SQLAlchemyError:
        return "receipts cannot be signed: run 'fieldpost db install'"
    return "ok"
