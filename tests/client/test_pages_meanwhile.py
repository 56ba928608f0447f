"""Every page opens while entries wait, whatever they did (R21)."""

from typing import Any

import pytest

from inspections.models import Inspection

RECORDS = "/pages/inspection/records"
PAGES = ("/", "/pages/inspection", "/pages/inspection?sort=-score", "/pages/site", "/sync")


def _new(desk: Any) -> str:
    desk.add("Made here")
    return str(min(row.id for row in desk.rows()))


def _edited(desk: Any) -> None:
    desk.save(f"{RECORDS}/1/edit", score="17")


def _deleted(desk: Any, key: str = "1") -> None:
    assert desk.post(f"{RECORDS}/{key}/delete", {})["status"] == 303


def _edited_and_deleted(desk: Any) -> None:
    _edited(desk)
    _deleted(desk)


def _made_and_deleted(desk: Any) -> None:
    _deleted(desk, _new(desk))


def _changed_by_others(desk: Any, office: Any) -> None:
    office.change(1, score=22)
    assert desk.sync()["outcome"] == "done"


@pytest.mark.parametrize("synced", [False, True], ids=["waiting", "synced"])
@pytest.mark.parametrize("do", [_new, _edited, _deleted, _edited_and_deleted, _made_and_deleted])
def test_every_page_opens(desk: Any, office: Any, do: Any, *, synced: bool) -> None:
    """Lists, menu and sync page are there, also after a restart, and after a conflict (R21)."""
    do(desk)
    if synced:
        _changed_by_others(desk, office)
    for _ in range(2):
        entries = [each.envelope.id for each in desk.home.outbox.entries.values()]
        for path in (*PAGES, *(f"/entries/{each}" for each in entries)):
            assert (path, 200) == (path, desk.get(path)["status"])
        desk.restart()


def test_a_deleted_record_is_in_no_list(desk: Any) -> None:
    """The list after a deletion that waits shows what is left, marked as before (R23)."""
    desk.add("Made here")
    _deleted(desk)
    assert ["Made here"] == desk.remarks()
    body = desk.get("/pages/inspection?done=deleted")["body"]
    assert (1, 1) == (body.count('<tr class="waiting">'), body.count("<tr") - 1)
    assert [] == [row for row in desk.rows(Inspection) if row.id == 1]
