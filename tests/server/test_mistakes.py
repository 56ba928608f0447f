"""Mistakes of an author, each said in words, with its place, before anybody meets it (R61)."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
)

from apps.offices import office_like
from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError
from fieldpost.loading import load_app
from fieldpost.pages import Page
from fieldpost_server.authoring import device_load
from fieldpost_server.authoring.device_load import load_as_a_device
from fieldpost_server.authoring.model_fit import misfits
from fieldpost_server.cli.main import main
from fieldpost_server.storage.database import Database

SOUND = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from fieldpost.app import App
from fieldpost.pages import Page


class Base(DeclarativeBase):
    pass


class Site(Base):
    __tablename__ = "site"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


app = App("Sites", Base, pages=[Page(Site, offline=True)])
"""

NOWHERE = "name: Mapped[str] = mapped_column(sa.ForeignKey('x.y'))"

Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return a function that writes the module `mistaken`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write_module(text: str) -> None:
        (tmp_path / "mistaken.py").write_text(text)

    yield write_module
    sys.modules.pop("mistaken", None)


LOADED: dict[str, tuple[str, str, Code, str]] = {
    "no app is named": (SOUND, "", Code.APP_MISSING, "Set FIELDPOST_APP to where your App is"),
    "spaces only": (SOUND, "  ", Code.APP_MISSING, "Set FIELDPOST_APP"),
    "no such module": (SOUND, "misteken:app", Code.APP_NOT_IMPORTABLE, "there is no 'misteken'"),
    "no such submodule": (
        SOUND,
        "mistaken.app:app",
        Code.APP_NOT_IMPORTABLE,
        "'mistaken.app' cannot be found",
    ),
    "no such attribute": (SOUND, "mistaken:ap", Code.APP_NOT_FOUND, "it has: app."),
    "an attribute that is no app": (SOUND, "mistaken:Base", Code.APP_NOT_FOUND, "it has: app."),
    "an import that is not there": (
        "\n\nimport nowhere\n" + SOUND,
        "mistaken:app",
        Code.APP_FAILED,
        "mistaken.py, line 3: ModuleNotFoundError: No module named 'nowhere'",
    ),
    "a name that is not there": (
        "from fieldpost.app import Ap\n" + SOUND,
        "mistaken:app",
        Code.APP_FAILED,
        "mistaken.py, line 1: ImportError: cannot import name 'Ap'",
    ),
    "no Python": ("def :\n", "mistaken:app", Code.APP_FAILED, "mistaken.py, line 1: SyntaxError"),
    "a misspelt parameter of a page": (
        SOUND.replace("offline=True", "ofline=True"),
        "mistaken:app",
        Code.APP_FAILED,
        "mistaken.py, line 18: TypeError: Page.__init__() got an unexpected keyword argument 'ofl",
    ),
    "a misspelt model of a page": (
        SOUND.replace("Page(Site", "Page(Sites"),
        "mistaken:app",
        Code.APP_FAILED,
        "mistaken.py, line 18: NameError: name 'Sites' is not defined",
    ),
    "no primary key": (
        SOUND.replace("primary_key=True", ""),
        "mistaken:app",
        Code.APP_FAILED,
        "line 12: ArgumentError: Mapper Mapper[Site(site)] could not assemble any primary key",
    ),
    "postponed annotations": (
        "from __future__ import annotations\n" + SOUND.replace("Mapped[str]", "Mapped[Nothing]"),
        "mistaken:app",
        Code.APP_FAILED,
        "which models cannot read: take it out.",
    ),
    "a foreign key that leads nowhere": (
        SOUND.replace("name: Mapped[str]", NOWHERE),
        "mistaken:app",
        Code.DEFINITION,
        "could not find table 'x'",
    ),
    "no mapped class": (
        SOUND.replace("Page(Site", "Page(int"),
        "mistaken:app",
        Code.DEFINITION,
        "needs a mapped class",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", LOADED)
def test_an_app_that_cannot_be_loaded_says_why_and_where(
    mistake: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file and a line of her own, what is wrong, what to do; the trace for those who ask."""
    text, name, code, words = LOADED[mistake]
    write(text)

    with pytest.raises(DefinitionError) as caught:
        load_app(name)
    sys.modules.pop("mistaken", None)
    assert 1 == main(["--app", name, "--data", str(tmp_path / "data"), "db", "install"])
    said = capsys.readouterr().err

    assert [code] == [p.code for p in caught.value.problems]
    assert words in caught.value.problems[0].message
    assert caught.value.problems[0].message + "\n" == said


def test_the_trace_is_shown_to_who_asks(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks for the cause of a cause gets it all."""
    write("import nowhere\n")

    assert 1 == main(["--verbose", "--app", "mistaken:app", "--data", str(tmp_path), "check"])
    assert "Traceback" in capsys.readouterr().err


ON_DEVICES: dict[str, tuple[str, str]] = {
    "a package of the server": ("import httpx", "No module named 'httpx'"),
    "a part of the server": ("import fieldpost_server.settings", "No module named 'fieldpost_serv"),
    "a module that browsers lack": ("import readline", "No module named 'readline'"),
}


@pytest.mark.parametrize("mistake", ON_DEVICES)
def test_what_no_device_has_is_refused_before_it_is_served(mistake: str, write: Write) -> None:
    """An import that only this server has is named with its file and line (R61)."""
    line, words = ON_DEVICES[mistake]
    write(f"import json\n{line}\n{SOUND}")

    with pytest.raises(DefinitionError) as caught:
        load_as_a_device("mistaken:app")

    assert [Code.APP_NOT_ON_DEVICES] == [p.code for p in caught.value.problems]
    assert f"mistaken.py, line 2: ModuleNotFoundError: {words}" in str(caught.value)


def test_a_type_that_no_device_stores_is_refused(write: Write) -> None:
    """A device keeps its rows in SQLite: what that has no type for is said on the server."""
    write(
        SOUND.replace(
            "name: Mapped[str]",
            "name: Mapped[str]\n    tags: Mapped[list[str] | None] = "
            "mapped_column(sa.ARRAY(sa.String))",
        )
    )

    with pytest.raises(DefinitionError) as caught:
        load_as_a_device("mistaken:app")
    assert "ARRAY" in str(caught.value)


def test_an_app_in_order_is_loaded_as_a_device_would(write: Write) -> None:
    """What devices have is enough: the demo app, and one of a single module."""
    write(SOUND)

    load_as_a_device("mistaken:app")
    load_as_a_device("inspections.app:app")


COMMANDS = (["user", "list"], ["db", "install"], ["serve"])
DATABASES = {
    "no URL": ("nonsense", "is no address of a database that Fieldpost works with: no URL"),
    "another kind": ("mysql://u:secret@h/d", "Fieldpost works with: 'mysql'"),
    "nobody listens": ("postgresql://u:secret@127.0.0.1:1/d", "The database cannot be reached: "),
    "no folder": ("sqlite:////proc/nowhere/x.sqlite3", "The database cannot be reached: "),
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", DATABASES)
def test_a_database_that_cannot_be_had_is_one_message(
    kind: str,
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, no trace, no password in it."""
    url, words = DATABASES[kind]
    monkeypatch.setattr(device_load, "_asked", lambda *_: {})
    options = ["--app", "apps.oddments:app", "--data", str(tmp_path), "--database", url]

    assert 1 == main([*options, *command])

    said = capsys.readouterr().err
    assert words in said
    assert "secret" not in said
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("command", [["serve"], ["user", "list"], ["envelopes", "list"]])
def test_before_the_installation_the_command_is_named(
    command: list[str],
    tmp_path: Path,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`serve` on an empty database says what to do; nobody meets a page that fails."""
    monkeypatch.setattr(device_load, "_asked", lambda *_: {})
    options = ["--app", "apps.oddments:app", "--data", str(tmp_path), "--database", database_url]

    assert 1 == main([*options, *command])
    assert "Run 'fieldpost db install' first." in capsys.readouterr().err


def test_another_server_program_logs_the_command(
    office: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the app is served without the command, the log says what to do, without a trace."""
    with office_like(office, app="apps.oddments:app", database="", data=office.settings.data) as it:
        answer = it.client().post("/sign-in", data={"name": "anna", "password": "correct horse"})

    assert answer.status_code in (500, 503)
    assert "The office has trouble of its own." in answer.text
    said = [vars(r)["fields"]["why"] for r in caplog.records if r.message == "set up wrongly"]
    assert ["Fieldpost's tables are not in the database. Run 'fieldpost db install' first."] == said


# a database that does not fit the models


class Base(DeclarativeBase):
    pass


class Site(Base):
    __tablename__ = "site"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    town: Mapped[str | None]
    size: Mapped[int | None]
    large: Mapped[bool] = mapped_column(default=False)


TABLE = Base.metadata.tables["site"]
AS_IT_IS = {
    "id": "INTEGER PRIMARY KEY",
    "name": "VARCHAR(40) NOT NULL",
    "town": "TEXT",
    "size": "INTEGER",
    "large": "BOOLEAN NOT NULL",
}
MISFITS: dict[str, tuple[dict[str, str], str, bool]] = {
    "a column that is missing": ({"town": ""}, "has no column 'town'", True),
    "words for a number": ({"size": "VARCHAR(10)"}, "'size' of 'site' is VARCHAR(length=10)", True),
    "a number for words": ({"town": "INTEGER"}, "'town' of 'site' is INTEGER()", True),
    "a shorter text": ({"name": "VARCHAR(10) NOT NULL"}, "holds 10 characters", False),
    "what must be there": ({"town": "TEXT NOT NULL"}, "must have a value in the database", False),
    "what nobody knows": ({"extra": "TEXT NOT NULL"}, "no row can be added", False),
}
FITS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one more": {"extra": "TEXT"},
    "one more with a default": {"extra": "TEXT DEFAULT 'x' NOT NULL"},
    "a longer text": {"name": "VARCHAR(80) NOT NULL"},
    "what may be empty there": {"name": "VARCHAR(40)"},
    "what fills itself in": {"large": "BOOLEAN DEFAULT false NOT NULL"},
}


def found_in(database: Database, changes: dict[str, str]) -> list[Any]:
    columns = {**AS_IT_IS, **changes}
    lines = ", ".join(f"{name} {kind}" for name, kind in columns.items() if kind)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE site ({lines})")
        return misfits(connection, [TABLE])


@pytest.mark.parametrize("kind", MISFITS)
def test_what_does_not_fit_is_named(database: Database, kind: str) -> None:
    """Table and column are said, and whether pages fail or some saves."""
    changes, words, stops = MISFITS[kind]

    (found,) = found_in(database, changes)

    assert words in found.words
    assert ("site", stops) == (found.table, found.stops)


@pytest.mark.parametrize("kind", FITS)
def test_what_fits_is_no_matter(database: Database, kind: str) -> None:
    """Nobody is told of differences that hurt nobody."""
    assert [] == found_in(database, FITS[kind])


def test_a_missing_table_is_named(database: Database) -> None:
    """All of them are, at once."""
    with database.engine.connect() as connection:
        (found,) = misfits(connection, [TABLE])

    assert found.words.startswith("The table 'site' is not there.")


def test_a_view_is_no_table(database: Database) -> None:
    """No trigger sees a view change, so it is refused before devices have its rows."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE VIEW site AS SELECT 1 AS id, 'x' AS name, 'y' AS town, 2 AS size, true AS large"
        )
        (found,) = misfits(connection, [TABLE])

    assert found.stops
    assert "'site' is a view" in found.words


def test_every_door_says_so(
    tmp_path: Path,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Installation, check and start name what a migration forgot, and nothing is served (R61)."""
    monkeypatch.setattr(device_load, "_asked", lambda *_: {})
    options = ["--app", "apps.oddments:app", "--data", str(tmp_path), "--database", database_url]
    assert 0 == main([*options, "db", "install"])
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE thing DROP COLUMN rate")
    database.close()
    capsys.readouterr()

    for command in (["db", "install"], ["serve"], ["check"]):
        assert 1 == main([*options, *command])
        said = capsys.readouterr()
        assert "The table 'thing' has no column 'rate'." in said.err + said.out


# what the app itself says


class Other(DeclarativeBase):
    pass


class Town(Other):
    __tablename__ = "town"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    lasts: Mapped[Any | None] = mapped_column(sa.Interval)
    tags: Mapped[Any | None] = mapped_column(sa.JSON)
    mayor_id: Mapped[int | None] = mapped_column(sa.ForeignKey("town.id"))
    mayor: Mapped["Town | None"] = relationship(remote_side="Town.id")
    twice: Mapped[int] = column_property(sa.literal_column("2", sa.Integer))

    @property
    def shout(self) -> str:
        return self.name.upper()


NAMED = {
    "lasts": "Town.lasts is a column of the type Interval, which no form or list holds.",
    "tags": "Town.tags is a column of the type JSON, which no form or list holds.",
    "twice": "Town.twice is computed, and a page shows what is stored",
    "shout": "Town.shout is computed, and a page shows what is stored",
    "mayor.name": "Town has no field 'mayor.name': a page shows what belongs to its own rows.",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_that_is_no_field_says_what_it_is(name: str) -> None:
    """'Has no field' is said of what is not there at all."""
    hows: list[dict[str, Any]] = [{"list": [name]}, {"form": ["name", name]}, {"sort": [name]}]
    for how in hows:
        with pytest.raises(DefinitionError) as caught:
            App("Towns", Other, pages=[Page(Town, **{"form": ["name"], **how})])
        assert NAMED[name] in str(caught.value)


def test_a_calculated_attribute_does_no_harm() -> None:
    """A model may have one, as long as no page shows it."""
    app = App("Towns", Other, pages=[Page(Town)])

    assert ["id", "name", "mayor"] == list(app.models["town"].fields)


def test_a_column_that_no_form_fills_is_refused() -> None:
    """A row that could never be saved is not offered."""

    class Third(DeclarativeBase):
        pass

    class Plan(Third):
        __tablename__ = "plan"
        id: Mapped[int] = mapped_column(primary_key=True)
        steps: Mapped[Any] = mapped_column(sa.JSON)

    with pytest.raises(DefinitionError, match=r"Plan\.steps must have a value, and no form holds"):
        App("Plans", Third, pages=[Page(Plan)])
    App("Plans", Third, pages=[Page(Plan, create=False)])


def test_a_schema_of_its_own_is_refused() -> None:
    """Two tables of one name would be one on a device: which schema counts is the database's."""

    class Third(DeclarativeBase):
        pass

    class Plan(Third):
        __tablename__ = "plan"
        __table_args__ = {"schema": "office"}  # noqa: RUF012 - SQLAlchemy's way
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(DefinitionError, match="Plan is in the schema 'office'"):
        App("Plans", Third, pages=[Page(Plan)])
