"""A form is saved once on a device, however often it is sent (R21, R26)."""

from typing import Any

NEW = "/pages/inspection/new"


def filled(desk: Any, path: str = NEW, **fields: str) -> dict[str, str]:
    given = {"site": "1", "inspected_on": "2026-11-23", "remarks": "Typed"}
    return {**desk.form(path), **(given if path == NEW else {}), **fields}


def test_a_double_tap_makes_one_record(desk: Any) -> None:
    """The second answer leads to the same record, and one envelope waits."""
    fields = filled(desk)
    first, second = (desk.post(NEW, fields) for _ in range(2))

    assert 303 == first["status"]
    assert first["headers"]["location"] == second["headers"]["location"]
    assert 1 == desk.remarks().count("Typed")
    assert 1 == len(desk.home.outbox.entries)


def test_it_holds_after_a_restart_and_after_a_sync(desk: Any) -> None:
    """What was saved once stays so: killed and started again, sent, and in the history."""
    fields = filled(desk)
    desk.post(NEW, fields)
    desk.restart()
    again = desk.post(NEW, fields)
    desk.sync()
    after = desk.post(NEW, fields)

    assert [303, 303] == [again["status"], after["status"]]
    assert 1 == desk.remarks().count("Typed")
    assert 0 == len(desk.home.outbox.entries)


def test_it_holds_where_an_edit_was_folded_in(desk: Any) -> None:
    """Two forms that became one envelope are both known, and each says what it said."""
    fields = filled(desk)
    record = desk.post(NEW, fields)["headers"]["location"].partition("?")[0]
    edit = filled(desk, f"{record}/edit", remarks="Edited")
    desk.post(f"{record}/edit", edit)
    desk.restart()
    answers = [desk.post(NEW, fields), desk.post(f"{record}/edit", edit)]

    assert [303, 303] == [answer["status"] for answer in answers]
    assert ["Edited"] == [words for words in desk.remarks() if words != "Of ann"]
    assert 1 == len(desk.home.outbox.entries)


def test_a_new_record_filled_in_otherwise_is_refused_with_a_way(desk: Any) -> None:
    """After the back button: no second record, and a link to the first."""
    fields = filled(desk)
    record = desk.post(NEW, fields)["headers"]["location"].partition("?")[0]
    answer = desk.post(NEW, {**fields, "remarks": "Typed after that"})

    assert 422 == answer["status"]
    assert f'href="{record}"' in answer["body"]
    assert "Typed after that" in answer["body"]
    assert 1 == len(desk.home.outbox.entries)


def test_a_deletion_sent_twice_is_one(desk: Any) -> None:
    """The second answer is that it is deleted."""
    path = "/pages/inspection/records/1/delete"
    fields = desk.form(path)
    answers = [desk.post(path, fields) for _ in range(2)]

    assert ["/pages/inspection?done=deleted"] * 2 == [a["headers"]["location"] for a in answers]
    assert 1 == len(desk.home.outbox.entries)


def test_what_was_discarded_may_be_saved_anew(desk: Any) -> None:
    """Whoever gave a form up and sends it all the same means it."""
    fields = filled(desk)
    desk.post(NEW, fields)
    (entry,) = desk.home.outbox.entries.values()
    desk.post(f"/repair/{entry.envelope.id}/discard", {})
    answer = desk.post(NEW, fields)

    assert 303 == answer["status"]
    assert 1 == desk.remarks().count("Typed")
