"""Many-to-many fields on a device: ticked without a signal, merged at the office (R14, R37)."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from inspections.models import Equipment, Inspection, inspection_equipment

EDIT = "/pages/inspection/records/1/edit"
NAMES = ("Camera", "Ladder", "Level")


@pytest.fixture(autouse=True)
def equipment(office: Any) -> None:
    """Three tools with the keys 1 to 3; the first inspection was made with the camera."""

    def work(session: Any) -> None:
        session.add_all(Equipment(id=key, name=name) for key, name in enumerate(NAMES, 1))
        session.flush()
        camera = {"inspection_id": 1, "equipment_id": 1}
        session.execute(sa.insert(inspection_equipment).values(camera))

    office.write(work)


def used(holder: Any, key: int = 1) -> list[str]:
    """Return what an inspection was made with, at the office or on a device."""
    opened = holder.database.read_session if hasattr(holder, "database") else holder.home.session
    with opened() as session:
        return sorted(each.name for each in session.get_one(Inspection, key).equipment)


def test_a_ticked_box_is_there_at_once_and_after_a_restart(office: Any, desk: Any) -> None:
    """What is linked without a signal is shown at once, and survives a power cut (R21, R23)."""
    assert desk.form(EDIT)["equipment"] == "[1]"
    desk.save(EDIT, equipment="[[1], [3]]")
    assert used(desk) == ["Camera", "Level"]
    assert "Camera, Level" in desk.get("/pages/inspection/records/1")["body"]

    desk.restart()
    assert used(desk) == ["Camera", "Level"]
    assert used(office) == ["Camera"]

    assert desk.sync()["outcome"] == "done"
    assert used(office) == used(desk) == ["Camera", "Level"]


def test_what_two_devices_tick_is_all_linked(
    office: Any, desk: Any, make_desk: Callable[..., Any]
) -> None:
    """Two devices of one worker link and unlink without a conflict (R37)."""
    other = make_desk()
    other.download()
    desk.save(EDIT, equipment="[[1], [3]]")
    other.save(EDIT, equipment="[[2]]")

    assert [desk.sync()["outcome"], other.sync()["outcome"]] == ["done", "done"]
    assert used(office) == used(other) == ["Ladder", "Level"]
    desk.sync()
    assert used(desk) == ["Ladder", "Level"]


def test_links_of_a_new_record_get_its_real_key(office: Any, desk: Any) -> None:
    """A record saved and changed twice before a sync ends linked as it was left (R31)."""
    address = desk.add("With tools", equipment="[[2]]")["headers"]["location"].partition("?")[0]
    desk.save(f"{address}/edit", equipment="[[2], [3]]")
    desk.save(f"{address}/edit", equipment="[[3]]", remarks="Done")
    assert len(desk.home.outbox.entries) == 1

    assert desk.sync()["outcome"] == "done"
    (made,) = [row for row in office.rows() if row.remarks == "Done"]
    assert used(office, made.id) == used(desk, made.id) == ["Level"]


def test_links_are_kept_while_work_waits_for_a_sync(office: Any, desk: Any) -> None:
    """A newer replica with links of others' making and one's own pending ones merge (R46)."""

    def add_ladder(session: Any) -> None:
        ladder = {"inspection_id": 1, "equipment_id": 2}
        session.execute(sa.insert(inspection_equipment).values(ladder))

    office.write(add_ladder)
    desk.save(EDIT, equipment="[[1], [3]]")

    assert desk.sync()["outcome"] == "done"
    assert used(office) == used(desk) == ["Camera", "Ladder", "Level"]
