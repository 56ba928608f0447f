"""docs/backup.md, as somebody follows it in whose office it burns (R61)."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fault_points import ROOT

PAGE = (ROOT / "docs" / "backup.md").read_text("utf-8")
FIELDPOST = """#!/bin/sh
exec {python} -c 'import sys; from fieldpost_server.cli.main import main; sys.exit(main())' "$@"
"""


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language, in their order."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", PAGE, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def run(yard: Any, folder: Path, script: str, **more: str) -> str:
    """Run what the page says as it stands, but for the places."""
    for place in ("/mnt/backups", "/srv/fieldpost-new"):
        script = script.replace(place, str(folder / place.rpartition("/")[2]))
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "fieldpost").write_text(FIELDPOST.format(python=sys.executable))
    (programs / "fieldpost").chmod(0o700)
    paths = [ROOT / "tests", *(ROOT / part for part in ("shared", "server", "pwa/py", "examples"))]
    settings = yard.office.settings
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), yard.programs.folder, os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "FIELDPOST_APP": settings.app,
        "FIELDPOST_DATA": str(settings.data),
        "FIELDPOST_DATABASE": settings.database,
        "FIELDPOST_POSTGRES_BIN": yard.programs.folder,
        **more,
    }
    done = subprocess.run(
        ["bash", "-euc", script], env=environment, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_for_sqlite_works(yard: Any, tmp_path: Path) -> None:
    """Every command of the page, one after the other: a backup is taken, proven and put back."""
    yard.work("one")
    take, verify, restore, look = blocks("sh")
    run(yard, tmp_path, take + verify)
    said = run(yard, tmp_path, "unset FIELDPOST_DATABASE\n" + restore + look)

    assert "Restored what there was" in said
    assert '"ok": true' in said
    assert "sound" in said
    made = tmp_path / "fieldpost-new"
    assert (made / "fieldpost.sqlite3").is_file()
    assert 1 == len([p for p in (made / "attachments").rglob("??/*") if p.is_file()])


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_page_for_postgresql_works(yard: Any, tmp_path: Path, postgres: Any) -> None:
    """The same with a database that `createdb` makes."""
    yard.work("one")
    take, verify, _, look = blocks("sh")
    (restore,) = blocks("postgresql")
    url = sa.make_url(yard.office.settings.database)
    where = {"PGHOST": str(url.query["host"]), "PGUSER": str(url.username)}
    try:
        run(yard, tmp_path, take + verify)
        said = run(yard, tmp_path, restore + look, **where)
    finally:
        postgres.drop("fieldpost_new")

    assert "Restored what there was" in said
    assert '"ok": true' in said
    assert "sound" in said
