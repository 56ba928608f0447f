"""The age of the last backup: told where a place is set, and a fault of nobody's server."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_server.backup import age
from fieldpost_server.cli.main import main
from fieldpost_server.operations.deployment import unsafe
from fieldpost_server.operations.health import Health
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now


@pytest.fixture
def settings(yard: Any) -> Any:
    """Settings with a place for backups."""
    return replace(yard.office.settings, backup=str(yard.place.folder))


def notices(yard: Any, settings: Any) -> list[str]:
    found = Health(yard.office.home, settings).check()
    assert found["ok"], found
    said: list[str] = found["notices"]
    return said


def test_no_backup_and_an_old_one_are_told(
    yard: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health and doctor say it in words; the server is no worse for it."""
    assert any("There is no backup" in words for words in notices(yard, settings))
    yard.take()
    assert [] == notices(yard, settings)
    monkeypatch.setattr(age, "utc_now", lambda: utc_now() + timedelta(hours=27))
    old = notices(yard, settings)
    with yard.office.database.read_session() as session:
        told = [each.words for each in unsafe(settings, session) if not each.asvs]

    assert any("is 27 hours old" in words for words in old)
    assert any("is 27 hours old" in words for words in told)
    assert any("on the same disk" in words for words in told)
    assert [] == notices(yard, yard.office.settings)


def test_the_age_is_told_in_seconds(yard: Any, settings: Any) -> None:
    """What watches a server reads it from `fieldpost check`."""
    assert "backup" not in Health(yard.office.home, settings).check()["ages_s"]
    yard.take()

    assert 0 <= Health(yard.office.home, settings).check()["ages_s"]["backup"] < 600


def test_backups_of_others_do_not_count(
    yard: Any, settings: Any, serve: Callable[..., Any]
) -> None:
    """In a folder that offices share, each one's own backups count, also after a restore."""
    taken = yard.take()
    other = yard.empty()
    yard.restore(taken.path, other)
    restored = serve(other)
    with restored.database.read_session() as session:
        assert age.backup_age(settings, session)[0] is not None
    renamed = sa.func.substr(tables.history.c.id, 1, 31) + "x"
    restored.run(sa.update(tables.history).values(id=renamed))
    with restored.database.read_session() as session:
        assert "There is no backup" in age.backup_age(settings, session)[1]


def test_a_place_that_cannot_be_read_is_told(yard: Any, settings: Any) -> None:
    """A drive that is gone is as bad as no backup, and stops nobody from working."""
    yard.place.folder.write_text("no folder")

    assert any("There is no backup" in words for words in notices(yard, settings))


def test_the_doctor_names_it(
    settings: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a number of ASVS, which has none for backups."""
    monkeypatch.setenv("FIELDPOST_BACKUP", settings.backup)
    options = ["--app", settings.app, "--data", str(settings.data)]
    assert 1 == main([*options, "--database", settings.database, "doctor", "--deploy"])

    assert "Backup: There is no backup" in capsys.readouterr().out
