"""Repair and discard, as both homes show them (R38, R39, R40, R41)."""

import html
import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Visit, Ward, app, visited_wards
from apps.fakes import ADA, FakeBrowser, FakeHome, envelope
from client_forms import FormReader
from fieldpost.errors import Code, InputError, problem
from fieldpost.home import SyncEntry
from fieldpost.odp.form.rows import opened_from
from fieldpost.pages import Changes
from fieldpost.users import SUPERVISOR, User
from fieldpost.wire.envelope import Envelope, Operation

SHOWN = {"score": 50, "summary": None, "kind": "first", "urgent": False}
BOSS = User("boss", "Boss", frozenset({SUPERVISOR}))


def edit(**values: Any) -> Operation:
    return Operation("update", "visit", (1,), values, SHOWN)


def edit_order(key: int, at: str, was: dict[str, Any], **values: Any) -> Operation:
    return Operation("update", "order", (key,), values, was, at)


def change(home: FakeHome, cls: Any, key: Any, **values: Any) -> None:
    """Change a row as somebody else does."""
    home.run_sql(sa.update(cls).where(cls.id == key).values(**values))


def remove_visit(home: FakeHome) -> None:
    home.run_sql(sa.delete(Order).where(Order.visit_id == 1))
    home.run_sql(sa.delete(Visit).where(Visit.id == 1))


def a_conflict(home: FakeHome, **parts: Any) -> str:
    """Return the address of a repair: Anna wants 10 points, somebody gave 70 meanwhile."""
    change(home, Visit, 1, score=70)
    return home.in_trouble(envelope(edit(score=10, summary="Anna's words")), **parts)[0]


def fields_of(text: str) -> dict[str, str]:
    return FormReader(text).fields


def opened_of(text: str) -> str:
    (found,) = re.findall(r'name="_opened" value="([^"]*)"', text)
    return html.unescape(str(found))


def words_of(text: str) -> str:
    """Return a page's words without its tags."""
    main = text.partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def versions_of(text: str, path: str) -> dict[str, tuple[str, str]]:
    """Return the buttons at a field: name to (what it puts, 'true' where the field holds it)."""
    pattern = rf'value="put:(\w+):{re.escape(path)}"[^>]*data-text="([^"]*)" aria-pressed="(\w+)"'
    return {name: (html.unescape(t), held) for name, t, held in re.findall(pattern, text)}


# what both sides changed


def test_a_field_in_question_shows_mine_theirs_and_before(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """The ordinary form holds mine, and beside it stand all three values (R38)."""
    text = browser.get(a_conflict(home)).text

    assert "10" == fields_of(text)["score"]
    assert {
        "mine": ("10", "true"),
        "theirs": ("70", "false"),
        "before": ("50", "false"),
    } == versions_of(text, "score")
    assert 'data-focus="f-score"' in text
    assert "Somebody else changed this visit after you had opened it." in words_of(text)


def test_what_only_one_side_changed_is_simply_there(browser: FakeBrowser, home: FakeHome) -> None:
    """Mine is filled in and marked, theirs is filled in, and neither is a question (R38)."""
    address = a_conflict(home)
    change(home, Visit, 1, weight=sa.text("'80.00'"))
    text = browser.get(address).text

    assert "Anna's words" == fields_of(text)["summary"]
    assert "80.00" == fields_of(text)["weight"]
    assert {} == versions_of(text, "summary")
    assert {} == versions_of(text, "weight")
    assert "Yours before: empty" in words_of(text)


def test_a_repair_is_saved_on_top_of_theirs(browser: FakeBrowser, home: FakeHome) -> None:
    """What is chosen becomes a new envelope, made on theirs, that supersedes the first (R38)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    done = browser.post(address, {**fields, "score": "15"})
    repair, visit = home.envelopes[-1], home.get(Visit, 1)

    assert (303, "/pages/visit/records/1?done=repaired") == (done.status, done.headers["location"])
    assert (address.rpartition("/")[2],) == repair.supersedes
    assert {"score": 15, "summary": "Anna's words"} == dict(repair.operations[0].set)
    assert 70 == repair.operations[0].was["score"]
    assert visit is not None
    assert 15 == visit.score


def test_a_value_is_put_into_its_field_without_javascript(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """The buttons are ordinary ones: the form comes back with the value in its place (R38)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    text = browser.post(address, {**fields, "summary": "x", "_action": "put:theirs:score"}).text

    assert ("70", "x") == (fields_of(text)["score"], fields_of(text)["summary"])
    assert ("70", "true") == versions_of(text, "score")["theirs"]


@pytest.mark.parametrize("action", ["put:", "put:mine:", "put:x:score", "put:mine:orders[9].group"])
def test_a_forged_button_puts_nothing(browser: FakeBrowser, home: FakeHome, action: str) -> None:
    """What no button says changes no field (R66)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    answer = browser.post(address, {**fields, "_action": action})

    assert 200 == answer.status
    assert fields == fields_of(answer.text)


def test_what_both_wanted_alike_is_no_question(browser: FakeBrowser, home: FakeHome) -> None:
    """A field that holds what the worker wants is left alone (R38)."""
    change(home, Visit, 1, score=70, summary="same")
    address, _ = home.in_trouble(envelope(edit(score=10, summary="same")))
    text = browser.get(address).text

    assert {} == versions_of(text, "summary")
    assert "Yours" not in words_of(text)


def test_a_lookup_is_shown_by_its_title(browser: FakeBrowser, home: FakeHome) -> None:
    """Nobody reads keys: a chosen row is named, unless it is none of hers (R38, R67)."""
    eric = "00000000-0000-0000-0000-000000000002"
    change(home, Visit, 1, patient_id=sa.text("'00000000000000000000000000000009'"))
    wanted = Operation("update", "visit", (1,), {"patient_id": eric}, {"patient_id": str(ADA)})
    text = browser.get(home.in_trouble(envelope(wanted))[0]).text
    words = words_of(text)

    assert eric == versions_of(text, "patient")["mine"][0]
    assert "Mine Eric Özil Theirs an entry that is not here Before Ada Ärmel" in words


def test_pictures_of_both_sides_are_seen(browser: FakeBrowser, home: FakeHome) -> None:
    """A signature is compared by looking at it (R38)."""

    def picture(sha: str) -> dict[str, Any]:
        return {"sha256": sha * 64, "size": 1, "type": "image/png", "name": "s.png"}

    home.run_sql(sa.text(f"UPDATE visit SET signature = '{json.dumps(picture('b'))}' WHERE id = 1"))
    wanted = Operation("update", "visit", (1,), {"signature": picture("a")}, {"signature": None})
    text = browser.get(home.in_trouble(envelope(wanted))[0]).text

    for letter in "ab":
        assert f'<img src="/attachments/{letter * 64}"' in text
    assert picture("a") == json.loads(versions_of(text, "signature")["mine"][0])


def test_links_of_both_sides_are_joined(browser: FakeBrowser, home: FakeHome) -> None:
    """What both linked is linked in the repair, and is no question (R38)."""
    home.add(Ward(code="C", name="Third"))
    home.run_sql(sa.insert(visited_wards).values({"visit": 1, "ward code": "B"}))
    change(home, Visit, 1, score=70)
    was: dict[str, Any] = {**SHOWN, "wards": []}
    wanted = Operation("update", "visit", (1,), {"score": 10, "wards": [["C"]]}, was)
    text = browser.get(home.in_trouble(envelope(wanted))[0]).text

    assert 2 == len(re.findall(r'name="wards"[^>]* checked', text))
    assert {} == versions_of(text, "wards")


def test_when_theirs_is_kept_throughout_the_entry_is_discarded(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """Nothing left to change is no envelope, and words say so (R38)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    done = browser.post(address, {**fields, "score": "70", "summary": ""})

    assert "/pages/visit/records/1?done=kept" == done.headers["location"]
    assert [address.rpartition("/")[2]] == home.discarded
    assert [] == home.envelopes
    assert "Nothing was left to change" in browser.get(done.headers["location"]).text


def test_others_may_change_it_once_more(browser: FakeBrowser, home: FakeHome) -> None:
    """A repair that meets another change is compared anew, with all that was typed (R38)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    change(home, Visit, 1, score=75)
    again = browser.post(address, {**fields, "score": "15", "summary": "typed"})

    assert 422 == again.status
    assert "once more while you repaired it" in again.text
    assert ("15", "typed") == (fields_of(again.text)["score"], fields_of(again.text)["summary"])
    assert {"mine": ("15", "true"), "theirs": ("75", "false"), "before": ("70", "false")} == (
        versions_of(again.text, "score")
    )
    assert 303 == browser.post(address, fields_of(again.text)).status


def test_several_entries_of_one_record_are_repaired_together(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """What was saved on top of a refused entry is part of its repair (R38)."""
    change(home, Visit, 1, score=70)
    then = Operation("update", "visit", (1,), {"score": 20}, {**SHOWN, "score": 10})
    address, trouble = home.in_trouble(
        envelope(edit(score=10, summary="first")), envelope(then, number=2)
    )
    text = browser.get(address).text
    browser.post(address, fields_of(text))

    assert ("20", "first") == (fields_of(text)["score"], fields_of(text)["summary"])
    assert "50" == versions_of(text, "score")["before"][0]
    assert trouble.ids == home.envelopes[-1].supersedes


def test_on_a_strict_page_each_change_by_others_is_looked_at(
    browser: FakeBrowser, home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, a field that only others changed is a question too (R38)."""
    monkeypatch.setattr(app.pages["visit"], "changes", Changes.STRICT)
    change(home, Visit, 1, score=70)
    look = Operation("look", "visit", (1,), {}, {}, "", {"orders": [[1], [2]]})
    address, _ = home.in_trouble(envelope(look, edit(summary="mine")))
    text = browser.get(address).text
    done = browser.post(address, fields_of(text))

    assert ("70", "true") == versions_of(text, "score")["theirs"]
    assert "70" == fields_of(text)["score"]
    assert 303 == done.status
    assert ["look", "look", "look", "update"] == [o.do for o in home.envelopes[-1].operations]


def test_a_draft_of_a_repair_comes_back(browser: FakeBrowser, home: FakeHome) -> None:
    """What was typed is shown again with all that stands beside the fields (R17, R38)."""
    address = a_conflict(home)
    fields = fields_of(browser.get(address).text)
    text = browser.post(address, {**fields, "summary": "typed", "_action": "show"}).text

    assert f'data-draft="{address}"' in text
    assert "typed" == fields_of(text)["summary"]
    assert 3 == len(versions_of(text, "score"))


# child rows


def test_rows_are_found_by_their_key(browser: FakeBrowser, home: FakeHome) -> None:
    """A row of mine stands where it is now, with its messages (R38, R39)."""
    home.add(Order(id=0, visit_id=1, group="early"))
    was = {"group": "urine", "share": 20}
    wrong = edit_order(2, "orders[1]", was, share=500)
    text = browser.get(home.in_trouble(envelope(wrong))[0]).text
    fields = fields_of(text)

    assert "500" == fields["orders[2].share"]
    assert "Nobody does more than all of it." in text
    assert 'id="f-orders-2-share-problem"' in text
    assert 'id="f-orders-1-share-problem"' not in text


def test_new_rows_keep_the_keys_by_which_others_know_them(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """A row that was refused and is repaired has the temporary key that it had (R31, R38)."""
    order = Operation(
        "insert", "order", (-7,), {"group": "x-ray", "share": 500, "visit_id": 1}, at="orders[2]"
    )
    dose = Operation(
        "insert",
        "dose",
        (-7, 1),
        {"number": 1, "amount": "2.00", "order_id": -7},
        at="orders[2].doses[0]",
    )
    address, _ = home.in_trouble(envelope(order, dose))
    fields = fields_of(browser.get(address).text)
    forged = {**fields, "orders[0]._new": "[-9]", "orders[3].group": "y", "orders[3]._new": "[-9]"}
    browser.post(address, {**forged, "orders[2].share": "5"})
    inserts = [o for o in home.envelopes[-1].operations if o.do == "insert"]

    assert "[-7]" == fields["orders[2]._new"]
    assert ("x-ray", "2.00") == (fields["orders[2].group"], fields["orders[2].doses[0].amount"])
    assert [(-7,), (-7, 1)] == [o.key for o in inserts[:2]]
    assert (-9,) not in [o.key for o in inserts]


def test_a_row_that_others_deleted_can_come_back(browser: FakeBrowser, home: FakeHome) -> None:
    """A row of mine that is gone is shown as a new one, and says why (R40)."""
    home.run_sql(sa.delete(Order).where(Order.id == 2))
    was = {"group": "urine", "share": 20}
    address, _ = home.in_trouble(
        envelope(edit_order(2, "orders[1]", was, share=25), edit(score=60))
    )
    text = browser.get(address).text
    fields = fields_of(text)
    browser.post(address, fields)
    back = [o for o in home.envelopes[-1].operations if o.do == "insert"]

    assert "Somebody deleted this row." in text
    assert ("urine", "25", "") == (
        fields["orders[1].group"],
        fields["orders[1].share"],
        fields["orders[1]._key"],
    )
    assert [{"group": "urine", "share": 25, "visit_id": 1}] == [dict(o.set) for o in back]


def test_a_removed_row_shows_what_others_changed_of_it(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """The box is ticked, and what would be lost stands beside it (R38)."""
    change(home, Order, 2, share=99)
    gone = Operation("delete", "order", (2,), {}, {"group": "urine", "share": 20}, "orders[1]")
    address, _ = home.in_trouble(envelope(gone))
    text = browser.get(address).text
    browser.post(address, fields_of(text))

    assert "true" == fields_of(text)["orders[1]._delete"]
    assert "Share 20 → is now 99" in words_of(text)
    assert home.get(Order, 2) is None


def test_rows_that_others_added_are_there(browser: FakeBrowser, home: FakeHome) -> None:
    """The form shows the record as it is now, and the repair leaves their rows alone (R38)."""
    address = a_conflict(home)
    home.add(Order(id=9, visit_id=1, group="theirs"))
    fields = fields_of(browser.get(address).text)
    browser.post(address, fields)

    assert "theirs" == fields["orders[2].group"]
    assert home.get(Order, 9) is not None


# new and deleted records


def test_an_invalid_new_record_is_corrected(browser: FakeBrowser, home: FakeHome) -> None:
    """Its form comes back with the words of the office at their fields (R39)."""
    values = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}
    order = Operation("insert", "order", (-5,), {"group": "b", "visit_id": -4}, at="orders[0]")
    address, trouble = home.in_trouble(
        envelope(Operation("insert", "visit", (-4,), {**values, "score": 7}), order)
    )
    text = browser.get(address).text
    done = browser.post(address, {**fields_of(text), "score": "10"})
    made = home.envelopes[-1]

    assert 'id="f-score-problem"' in text
    assert "The office could not accept what you saved." in words_of(text)
    assert 303 == done.status
    assert [(-4,), (-5,)] == [o.key for o in made.operations]
    assert trouble.ids == made.supersedes


def test_a_deleted_record_is_restored_whole(browser: FakeBrowser, home: FakeHome) -> None:
    """Everything that the form was opened on comes back as a new record, with my change (R40)."""
    with home.session() as session:
        before = opened_from(app.pages["visit"].layout, session.get(Visit, 1))
    remove_visit(home)
    address, _ = home.in_trouble(envelope(edit(score=60)), before=before)
    text = browser.get(address).text
    done = browser.post(address, fields_of(text))
    with home.session() as session:
        visit = session.get(Visit, int(done.headers["location"].rpartition("/")[2].split("?")[0]))
        assert visit is not None
        assert ["blood", "urine"] == [order.group for order in visit.orders]
        assert (60, date(2026, 11, 1)) == (visit.score, visit.visited_on)

    assert "Somebody deleted this visit after you had opened it." in words_of(text)
    assert ">Restore</button>" in text
    assert "/discard" in text


def test_a_record_can_be_restored_from_its_operation_alone(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """The office knows of a deleted record what the envelope says of it (R40)."""
    remove_visit(home)
    shown = {"patient_id": str(ADA), "visited_on": "2026-11-01", "nurse": "anna", **SHOWN}
    wanted = Operation("update", "visit", (1,), {"score": 60}, shown)
    address, _ = home.in_trouble(envelope(wanted))
    text = browser.get(address).text

    assert "are not known any more" in text
    assert ("60", str(ADA)) == (fields_of(text)["score"], fields_of(text)["patient"])
    assert 303 == browser.post(address, fields_of(text)).status


def test_a_delete_of_what_others_changed_asks_again(browser: FakeBrowser, home: FakeHome) -> None:
    """It says what was changed; deleting anyway supersedes, and a third change stops it (R40)."""
    change(home, Visit, 1, score=70)
    address, trouble = home.in_trouble(envelope(Operation("delete", "visit", (1,), {}, SHOWN)))
    text = browser.get(address).text
    opened = opened_of(text)
    change(home, Visit, 1, score=75)
    stopped = browser.post(address, {"_opened": opened, "_action": "delete"})
    again = opened_of(stopped.text)
    done = browser.post(address, {"_opened": again, "_action": "delete"})

    assert "Points of 100 50 → is now 70" in words_of(text)
    assert 422 == stopped.status
    assert "/pages/visit?done=deleted" == done.headers["location"]
    assert trouble.ids == home.envelopes[-1].supersedes
    assert home.get(Visit, 1) is None


# what cannot be repaired in a form


def test_what_has_no_place_any_more_is_listed(browser: FakeBrowser, home: FakeHome) -> None:
    """Values of fields and tables that an update took away can be copied (R41)."""
    change(home, Visit, 1, score=70)
    address, trouble = home.in_trouble(envelope(edit(score=10)))
    gone = Operation(
        "update", "visit", (1,), {"score": 10, "colour": "blue"}, {**SHOWN, "colour": ""}
    )
    lost = Operation("insert", "stain", (-3,), {"place": "sleeve"}, at="stains[0]")
    said = problem(Code.MODEL_CHANGED, "colour", what="Visit: colour")
    home.troubles["anna", trouble.ids[0]] = replace(
        trouble,
        envelopes=(replace(trouble.envelopes[0], operations=(gone, lost)),),
        problems=(problem(Code.RULES_CHANGED), said),
    )
    words = words_of(browser.get(address).text)

    assert "The app was updated after this was saved" in words
    for part in ("What has no place any more", "Colour", "blue", "Stain", "sleeve"):
        assert part in words


def stranger(**parts: Any) -> Envelope:
    return replace(envelope(edit(score=10)), **parts).sealed()


@pytest.mark.parametrize(
    ("page", "why"),
    [("gone", "is not in the app any more"), ("drugs", "You may not open the page")],
)
def test_without_its_page_an_entry_can_be_read_and_discarded(
    browser: FakeBrowser, home: FakeHome, page: str, why: str
) -> None:
    """No form, but what it holds in plain words, and the way to discard it (R39, R41)."""
    address, trouble = home.in_trouble(stranger(page=page))
    answer = browser.get(address)

    assert 200 == answer.status
    assert why in words_of(answer.text)
    assert "Points of 100 50 → is now 10" in words_of(answer.text)
    assert f'href="{address}/discard"' in answer.text
    assert 303 == browser.post(f"{address}/discard", {}).status
    assert list(trouble.ids) == home.discarded


def test_a_record_that_is_not_hers_any_more_tells_nothing(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """Out of scope there is no form, and nothing of what stands in the record (R34, R39)."""
    change(home, Visit, 1, nurse="bert", summary="Berts secret")
    address, _ = home.in_trouble(envelope(edit(score=10)))
    answer = browser.get(address)

    assert "not one of yours any more" in words_of(answer.text)
    assert "Berts secret" not in answer.text


@pytest.mark.parametrize("address", ["/repair/x", "/repair/x/discard"])
def test_what_is_settled_says_so(browser: FakeBrowser, address: str) -> None:
    """An entry that needs no repair is no error, and nobody else's is shown (R34)."""
    for answer in (browser.get(address), browser.post(address, {"score": "1"})):
        assert 404 == answer.status
        assert "nothing to repair here" in answer.text


# discarding


def test_discarding_says_what_will_be_lost(browser: FakeBrowser, home: FakeHome) -> None:
    """All values of mine, rows and pictures in number, and what hangs on it (R39)."""
    change(home, Visit, 1, score=70)
    picture = {"sha256": "a" * 64, "size": 1, "type": "image/png", "name": "p.png"}
    row = Operation("insert", "order", (-7,), {"group": "x-ray", "visit_id": 1}, at="orders[2]")
    hanging = SyncEntry("e-2", "Patients", "Eric", "", "2026-11-23T09:00:00+01:00", "waiting", "")
    wanted = Operation(
        "update", "visit", (1,), {"score": 10, "sketch": picture}, {**SHOWN, "sketch": None}
    )
    address, trouble = home.in_trouble(envelope(wanted, row), hanging=(hanging,))
    asked = browser.get(f"{address}/discard")
    words = words_of(asked.text)
    done = browser.post(f"{address}/discard", {})

    for part in ("Points of 100 50 → is now 10", "x-ray", "1 row of Order", "1 picture or file"):
        assert part in words
    assert "1 other entry waits for this one Patients: Eric" in words
    assert [] == home.envelopes
    assert (303, "/sync?done=discarded") == (done.status, done.headers["location"])
    assert list(trouble.ids) == home.discarded
    assert "Discarded" in browser.get("/sync?done=discarded").text


def test_asking_discards_nothing(browser: FakeBrowser, home: FakeHome) -> None:
    """A page that is only looked at changes nothing (R39)."""
    address = a_conflict(home)
    browser.get(f"{address}/discard")

    assert [] == home.discarded


def test_a_supervisor_sees_whose_value_it_is(home: FakeHome) -> None:
    """Who repairs the work of another reads the other's name in the place of 'Mine' (R38)."""
    change(home, Visit, 1, score=70)
    address, trouble = home.in_trouble(envelope(edit(score=10)))
    home.troubles["boss", trouble.ids[0]] = trouble
    words = words_of(FakeBrowser(home, BOSS).get(address).text)

    assert "after anna had opened it" in words
    assert "anna 10 Now 70 Before 50" in words


def test_a_device_that_cannot_store_gives_the_repair_back(
    home: FakeHome, browser: FakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store refuses, the form is there with everything in it (R22, R38)."""
    address = a_conflict(home)
    fields = {**fields_of(browser.get(address).text), "summary": "typed"}

    def full(*_: Any) -> Any:
        raise InputError([problem(Code.STORAGE_FULL)])

    monkeypatch.setattr(home, "commit", full)
    answer = browser.post(address, fields)

    assert 507 == answer.status
    assert "typed" == fields_of(answer.text)["summary"]
    assert "no space left" in answer.text
