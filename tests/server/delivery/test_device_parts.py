"""What an app needs of what devices do not get is found when it is packed (R9, R61)."""

import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from fieldpost.errors import Code, DefinitionError
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.packing.cache import Cache, cache_folder

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
Pack = Callable[..., Assets]


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """Pack an app of these sources; returns what devices get."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = tmp_path / "meadow"
    package.mkdir()
    (package / "__init__.py").write_text("")
    cache = Cache(cache_folder(ROOT / ".data"))

    def run(**sources: str) -> Assets:
        for name, source in {"app": "", **sources}.items():
            (package / f"{name}.py").write_text(source, "utf-8")
        return Assets("meadow.app:app", ROOT / "pwa", ROOT / "node_modules", cache=cache)

    return run


def names_on(assets: Assets) -> set[str]:
    """Return the paths of all modules that devices get."""
    urls = [entry["url"] for entry in assets.manifest["wheels"]]
    urls += [e["url"] for e in assets.manifest["pyodide"]["files"] if e["url"].endswith(".zip")]
    found = set[str]()
    for url in urls:
        found |= set(zipfile.ZipFile(BytesIO(assets.asset(url))).namelist())
    return found


NEEDS = {
    "import xml.etree.ElementTree": {"xml/etree/ElementTree.py", "xml/__init__.py"},
    "import sqlite3": {"sqlite3/__init__.py"},
    "from xml import dom": {"xml/dom/minidom.py"},
    "from sqlalchemy.dialects.postgresql import JSONB": {
        "sqlalchemy/dialects/postgresql/json.py",
        "sqlalchemy/dialects/postgresql/base.py",
    },
    "from sqlalchemy.dialects import mysql": {"sqlalchemy/dialects/mysql/types.py"},
    "def f():\n    import statistics": {"statistics.py", "fractions.py"},
    "try:\n    import tomllib\nexcept ImportError:\n    pass": {"tomllib/_parser.py"},
    "from importlib import import_module\nimport_module('graphlib')": {"graphlib.py"},
    "HANDLER = 'logging.handlers'": {"logging/handlers.py"},
    "import http.server": {"http/server.py", "socketserver.py"},
    "import idna": {"idna/core.py", "idna/idnadata.py"},
    "from starlette.testclient import TestClient": {"starlette/testclient.py"},
    "import unittest.mock": {"unittest/mock.py", "unittest/case.py", "argparse.py"},
}


@pytest.mark.parametrize("source", NEEDS)
def test_what_the_app_imports_is_there_all_the_same(pack: Pack, source: str) -> None:
    """Of what is left out, an app gets what it imports, and what that imports in turn."""
    assert set() == NEEDS[source] - names_on(pack(app=source))


def test_modules_beside_the_apps_own_count_too(pack: Pack) -> None:
    """What a module imports that another names only when it runs is there as well."""
    found = names_on(pack(app="", other="def f():\n    import colorsys"))

    assert "colorsys.py" in found


def test_what_nobody_needs_is_left_out(pack: Pack) -> None:
    """An app that imports nothing of it gets no other database's dialects, and no debugger."""
    found = names_on(pack(app="import datetime, decimal, json, random, re, typing, uuid"))

    for path in (
        *("pdb.py", "xml/etree/ElementTree.py", "statistics.py", "argparse.py", "_pydatetime.py"),
        *("sqlalchemy/dialects/postgresql/base.py", "idna/core.py", "starlette/testclient.py"),
    ):
        assert path not in found


def test_what_an_app_needs_more_changes_nothing_else(pack: Pack) -> None:
    """The runtime keeps its addresses, whatever an update imports: it is not loaded again (R53)."""
    before, after = pack(app="x = 1").manifest, pack(app="import xml.etree").manifest
    urls = [{e["url"] for e in (*m["pyodide"]["files"], *m["wheels"])} for m in (before, after)]

    assert before["pyodide"]["base"] == after["pyodide"]["base"]
    new = sorted(url.rpartition("/")[2].partition("-")[0] for url in urls[1] - urls[0])
    assert ["meadow", "python_stdlib.zip"] == new


def test_former_shells_find_the_standard_library(pack: Pack) -> None:
    """A page that was loaded before an update looks for it beside the runtime (R56)."""
    assets = pack(app="import colorsys")
    base = assets.manifest["pyodide"]["base"]
    (listed,) = (e for e in assets.manifest["pyodide"]["files"] if e["url"].endswith(".zip"))

    assert not listed["url"].startswith(base)
    assert assets.asset(listed["url"]) == assets.asset(f"{base}python_stdlib.zip")


ABSENT = {
    "import tkinter": "tkinter",
    "def f():\n    from multiprocessing import Pool": "multiprocessing",
    "import multiprocessing.pool": "multiprocessing.pool",
    "async def f():\n    import readline": "readline",
    "import sqlalchemy.testing": "sqlalchemy.testing",
    "def f():\n    import psycopg": "psycopg",
    "from concurrent.futures.process import ProcessPoolExecutor": "concurrent.futures.process",
    "import json.nothing": "json.nothing",
    "with suppress(ValueError):\n    import curses": "curses",
}


@pytest.mark.parametrize("source", ABSENT)
def test_what_no_device_has_stops_the_server(pack: Pack, source: str) -> None:
    """It is named with file and line when the app is packed, also inside functions."""
    with pytest.raises(DefinitionError) as caught:
        pack(app=f"import json\n{source}")

    (problem,) = caught.value.problems
    assert Code.APP_NOT_ON_DEVICES == problem.code
    line = source.count("\n") + 2
    assert f"meadow/app.py, line {line}: " in problem.message
    assert f"'{ABSENT[source]}'" in problem.message


def test_all_such_places_are_named_at_once(pack: Pack) -> None:
    """Also those in modules that the app only comes to import; nobody mends one after another."""
    with pytest.raises(DefinitionError) as caught:
        pack(app="def f():\n    from . import deep\nimport tkinter", deep="import turtle, curses")

    named = sorted(problem.message.split("'")[1] for problem in caught.value.problems)
    assert ["curses", "tkinter", "turtle"] == named


PREPARED = (
    "try:\n    import tkinter\nexcept ImportError:\n    tkinter = None",
    "try:\n    import tkinter\nexcept (ValueError, ModuleNotFoundError):\n    pass",
    "try:\n    import tkinter\nexcept:\n    pass",
    "with contextlib.suppress(ImportError):\n    import tkinter",
    "if TYPE_CHECKING:\n    import tkinter",
    "if typing.TYPE_CHECKING:\n    from psycopg import Connection",
    "from os.path import join\nimport os.path, collections.abc, sys, _sqlite3",
    "from meadow.server import prices",
    "def f():\n    from .server import prices",
    "import fieldpost.errors, sqlalchemy.orm, jinja2",
    "NAME = 'tkinter.ttk'",
)


@pytest.mark.parametrize("source", PREPARED)
def test_what_an_app_is_prepared_for_stops_nothing(pack: Pack, source: str) -> None:
    """An import that may fail, one for the type checker, and what every device has are no fault."""
    assert pack(app=source).manifest["wheels"]


def test_a_program_beside_the_app_stops_nothing(pack: Pack) -> None:
    """What the app never imports may need what devices have not."""
    assert pack(app="", fill="import tkinter", broken="def (").manifest["wheels"]
