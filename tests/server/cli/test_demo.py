"""The demo is made once, and goes on where an interrupted start stopped."""

import importlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldpost_server.cli import demo
from fieldpost_server.cli.main import main
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database


class _Died(Exception):
    """A death between two steps, as far as one process can play it."""


@pytest.mark.long
@pytest.mark.passes("demo-without-users", "demo-rows-without-files", "power-cut", "write-lock-held")
def test_a_start_that_died_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Died before the users, then among the files: the third start has each thing once (R60)."""
    hooks = importlib.import_module("inspections.server.seed")
    served = list[Settings]()
    monkeypatch.setattr(demo, "serve", lambda settings, _: served.append(settings))
    files = list(hooks.attachments())

    def dies(*_: object) -> object:
        raise _Died

    def dies_late() -> object:
        yield files[0]
        raise _Died

    for place, name, death in ((demo, "_add_users", dies), (hooks, "attachments", dies_late)):
        with monkeypatch.context() as changed:
            changed.setattr(place, name, death)
            with pytest.raises(_Died):
                main(["--data", str(tmp_path), "demo"])
    assert 0 == main(["--data", str(tmp_path), "demo"])

    (settings,) = served
    database = Database(settings.database_url)
    try:
        with database.read_session() as session:
            users = session.scalars(sa.select(tables.user.c.name)).all()
            kept = session.scalar(sa.select(sa.func.count()).select_from(tables.attachment))
    finally:
        database.close()
    assert sorted(name for name, _, _ in demo.DEMO_USERS) == sorted(users)
    assert len({reference.sha256 for reference, _ in files}) == kept
