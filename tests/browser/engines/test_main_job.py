"""The main job where Chromium is not: in Firefox and in WebKitGTK, each on a profile that stays."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser.engines.filling import change_the_first, inspect, photo, repair
from browser.engines.person import Person
from browser.office import Office
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser

NewPerson = Callable[..., Person]

WHOLE = """
    select i.id, i.status, i.signature, f.note, f.photos
    from inspection i join finding f on f.inspection_id = i.id
    where i.remarks = ?
"""


def test_the_main_job_is_done_in_every_engine(
    new_person: NewPerson, office: Office, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Sign in, work without a network, die, sync, repair, sign out: nothing lost, nothing left.

    R1, R6, R7, R21, R23, R26, R38, R42, R49.
    """
    worker = new_person()
    worker.sign_in("worker1")
    worker.until_started()
    assert "private window" not in worker.words()

    office.stop()
    proxy.target = None
    inspect(worker, "Made in the dark", photo(tmp_path))
    refused = change_the_first(worker, "11")

    worker.engine.kill()
    worker.engine.open()
    worker.start("/pages/inspection")
    assert 2 == worker.words().count("Waiting")
    worker.click("link", "", "tbody tr:first-child")
    for words in ("Made in the dark", "Loose rail at the top"):
        worker.reads(words)

    proxy.target = office.start()
    told = ask(office, "update inspection set score = 22 where id = ? returning id", refused)
    assert [(refused,)] == told
    assert "attention" == worker.sync()
    number = is_whole_at(office)

    repair(worker, "33")
    assert "clean" == worker.sync()
    assert [(33,)] == ask(office, "select score from inspection where id = ?", refused)
    assert number == is_whole_at(office)

    worker.sign_out()
    worker.reads("Nothing is left on this device")
    assert {"databases": 0, "caches": 0, "workers": 0, "local": 0, "session": 0} == worker.left()


def is_whole_at(office: Office) -> int:
    """Return the key of the inspection at the office, which has all of it once."""
    ((key, status, signature, note, photos),) = ask(office, WHOLE, "Made in the dark")
    assert ("closed", "Loose rail at the top") == (status, note)
    for each in [json.loads(signature), *json.loads(photos)]:
        kept = office.data / "attachments" / each["sha256"][:2] / each["sha256"]
        assert each["size"] == kept.stat().st_size
    return int(key)


def ask(office: Office, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the office's database as another program does."""
    with sqlite3.connect(office.data / "fieldpost.sqlite3", timeout=30) as database:
        return database.execute(sql, values).fetchall()
