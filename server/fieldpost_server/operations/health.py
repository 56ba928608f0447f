"""Whether everything that the server needs is there."""

import tempfile
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fieldpost import __version__
from fieldpost.app import App
from fieldpost.definition.scopes import scope_failure
from fieldpost.errors import Code, FieldpostError, problem
from fieldpost_server.accounts.users import list_users
from fieldpost_server.authoring.model_fit import is_installed, misfits
from fieldpost_server.authoring.rule_names import misnamed_fields
from fieldpost_server.backup.age import backup_age
from fieldpost_server.feed.stalls import oldest_writer
from fieldpost_server.feed.triggers import uninstalled
from fieldpost_server.home import ServerHome
from fieldpost_server.restore.restore_notices import restore_notices
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.storage.seldom_looks import SeldomLook

MOST_NAMED = 20
"""Rows that cannot be read which are named."""


MODELS_KEEP_S = 600
"""For how long it is believed that the database is as the models say, in seconds."""

MODELS_DOUBT_S = 60
"""The same of what differs: a migration puts it right while the server runs."""

CHECKS = (
    "database",
    "models",
    "triggers",
    "horizon",
    "scopes",
    "tables",
    "rules",
    "rows",
    "signing",
    "attachments",
)


class Health:
    """Says whether everything that the server needs is there.

    Args:
        home: of the server.
        settings: of the server.
    """

    def __init__(self, home: ServerHome, settings: Settings) -> None:
        self.home = home
        self.settings = settings
        self._misfits = SeldomLook(self._compare, MODELS_KEEP_S, MODELS_DOUBT_S)
        self._backup_age: int | None = None

    def check(self) -> dict[str, Any]:
        """Return whether all is well, with words.

        ``{"ok": bool, "version": …, "checks": {name: 'ok' or what to do}, "notices": [words],
        "ages_s": {name: age}}``; a notice is what administrators should know, and no fault.
        Checks that cost much are not made each time: of these it is said how many seconds old
        they are, and so of the last backup where a place for backups is set.
        """
        checks = dict.fromkeys(CHECKS, "ok")
        notices: list[str] = []
        checks["rules"] = " ".join(misnamed_fields(self.home.app)) or "ok"
        try:
            with self.home.session() as session:
                notices = self._ask_the_database(session, checks)
        except SQLAlchemyError as error:
            checks["database"] = f"cannot be reached: {str(error).splitlines()[0][:200]}"
        checks["signing"] = _signing(self.home)
        checks["attachments"] = _attachments(self.settings)
        return {
            "ok": all(words == "ok" for words in checks.values()),
            "version": __version__,
            "checks": checks,
            "notices": notices,
            "ages_s": self._ages(),
        }

    def _ask_the_database(self, session: Session, checks: dict[str, str]) -> list[str]:
        home, connection = self.home, session.connection()
        checks["horizon"] = _horizon(session, self.settings)
        is_there = is_installed(connection)
        found = self._misfits.get() if is_there else [problem(Code.NOT_INSTALLED).message]
        checks["models"] = " ".join(found) or "ok"
        if missing := uninstalled(connection, captured_tables(home.app)):
            names = ", ".join(table.name for table in missing)
            checks["triggers"] = f"missing on {names}: run 'fieldpost db install'"
        elif is_there:
            checks["scopes"] = _scopes(session, home.app)
            checks["rows"] = _rows(home)
            checks["tables"] = _tables(home)
            # no fault: whoever asks whether people may be sent here is not told of it
            self._backup_age, words = backup_age(self.settings, session)
            return [*restore_notices(session), *([words] if words else [])]
        return []

    def _compare(self) -> list[str]:
        """Return in words what of the database is not as the models say."""
        with self.home.session() as session:
            found = misfits(session.connection(), self.home.app.base.metadata.sorted_tables)
        return [each.words for each in found[:MOST_NAMED]]

    def _ages(self) -> dict[str, int]:
        ages = {
            "models": self._misfits.age_s,
            "rows": self.home.unreadable.age_s,
            "backup": self._backup_age,
        }
        return {name: round(age) for name, age in ages.items() if age is not None}


def _horizon(session: Session, settings: Settings) -> str:
    holder = oldest_writer(session)
    if holder is None or holder.age_s <= settings.stalled_after_s:
        return "ok"
    return (
        f"a transaction has been running for {holder.age_s:.0f} s and holds back the change "
        f"feed: {holder}; pulls grow until it ends"
    )


def _attachments(settings: Settings) -> str:
    try:
        with tempfile.TemporaryFile(dir=settings.attachments):
            return "ok"
    except OSError as error:
        return f"the folder cannot be written: {error}"


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


def _tables(home: ServerHome) -> str:
    """Name the tables of which nothing can be sent."""
    said = [*home.unreadable.tables(), *home.failures.words()]
    return f"{'; '.join(said[:MOST_NAMED])}. Correct the app or the database" if said else "ok"


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
