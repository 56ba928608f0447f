"""One server for many stories: its database is emptied between them, not made anew."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import errands
from apps.errands import CHIEF, Errand, Item, Memo, Place, errand_stop
from apps.offices import NoAssets, add_without_password
from fieldpost.users import User
from fieldpost_server.accounts.sessions import COOKIE, start_session
from fieldpost_server.application import make_application
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.feed import triggers
from fieldpost_server.feed.changes import prune_changes
from fieldpost_server.home import ServerHome
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

VERSION = "1"
WORKERS = ("ann", "bob")
MODELS: dict[str, Any] = {"errand": Errand, "item": Item, "place": Place, "memo": Memo}
TABLES = {name: model.__table__ for name, model in MODELS.items()} | {"errand_stop": errand_stop}


class Office:
    """The server with its database, and the one event loop that everything here runs on."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings = Settings(
            # the workers of hundreds of stories are the same few people
            app="apps.errands:app",
            data=folder,
            database=url,
            quota_devices=0,
            quota_images=0,
            quota_sessions=0,
        )
        self.runner = asyncio.Runner()
        self.application: Any = None
        self.restart()
        errands.Base.metadata.create_all(self.engine)
        triggers.install(self.engine, captured_tables(errands.app))
        self.cookies = {name: self._sign_in(name) for name in (*WORKERS, CHIEF)}

    @property
    def home(self) -> ServerHome:
        return cast(ServerHome, self.application.state.home)

    @property
    def engine(self) -> sa.Engine:
        return self.home.database.engine

    def restart(self) -> None:
        """Begin anew from what is in the database."""
        engine = None if self.application is None else self.engine
        self.application = make_application(self.settings, cast(Assets, NoAssets(VERSION)))
        if engine is None:
            sa.event.listen(self.engine, "connect", _hurry)
            return
        # connections and compiled statements hold nothing of a story, and cost most of the time
        self.home.database.close()
        engine.dispose()
        self.home.database.engine = engine

    def close(self) -> None:
        self.home.database.close()
        self.runner.close()

    def run(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Do something as another program does: plain SQL in one transaction."""
        with self.engine.begin() as connection:
            return work(connection)

    def rows(self, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def empty(self) -> None:
        """Forget the last story; the changes of this very emptying stay in the feed."""
        self.home.database.write(_forget)

    def _sign_in(self, name: str) -> str:
        def work(session: Session) -> str:
            roles = ["Offline"] if name in WORKERS else []
            add_without_password(session, errands.app, name, *roles)
            return f"{COOKIE}={start_session(session, User(name))}"

        return self.home.database.write(work)


def _forget(session: Session) -> None:
    # as the product forgets: changes that are only deleted were never missed by anybody, and
    # digests from before them would be believed
    prune_changes(session, older_than=tables.utc_now() + timedelta(days=1), at_least=0)
    connection = session.connection()
    own = (tables.settlement, tables.envelope, tables.key, tables.device)
    for table in (*own, *reversed(errands.Base.metadata.sorted_tables)):
        connection.execute(sa.delete(table))
    if connection.dialect.name == "postgresql":
        for name in ("errand", "item"):
            connection.execute(sa.text(f"SELECT setval('{name}_id_seq', 1, false)"))


def _hurry(connection: Any, _: Any) -> None:
    """Do not wait for the disk: no story cuts the power of the office."""
    if hasattr(connection, "autocommit") and hasattr(connection, "info"):
        before, connection.autocommit = connection.autocommit, True
        connection.execute("SET synchronous_commit = off")
        connection.autocommit = before
    else:
        connection.execute("PRAGMA synchronous = OFF")
