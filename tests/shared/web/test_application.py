"""Lists and forms, as both homes show them: on SQLite in memory, without event loop or threads."""

import html
import json
import re
import uuid
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from apps.clinic import Order, Patient, Visit, Ward
from apps.fakes import ADA, BERT, DOCTOR, FakeBrowser, FakeHome
from fieldpost.app import App
from fieldpost.pages import Page

NEW = {"patient": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}


def fields_of(text: str) -> dict[str, str]:
    """Return what the form of a page would post, untouched."""
    found: dict[str, str] = {}
    form = re.search(r'<form class="record".*?</form>', text, re.DOTALL)
    assert form is not None
    for tag in re.finditer(r"<(input|textarea|select)\b(.*?)>", form[0], re.DOTALL):
        marks = dict(re.findall(r'(\w+)="(.*?)"', tag[2], re.DOTALL))
        name = marks.get("name", "")
        if not name or marks.get("type") in ("file", "submit"):
            continue
        if marks.get("type") == "checkbox" and not re.search(r"\bchecked\b", tag[2]):
            continue
        value = marks.get("value", "")
        rest = form[0][tag.end() :]
        if tag[1] == "textarea":
            value = rest.partition("</textarea>")[0]
        elif tag[1] == "select":
            options = rest.partition("</select>")[0]
            chosen = re.search(r'value="([^"]*)" selected', options)
            value = chosen[1] if chosen else ""
        found[name] = html.unescape(value)
    return found


def control(text: str, name: str) -> str:
    """Return the tag of the control with this name that is not hidden."""
    tags = re.findall(rf'<(?:input|select|textarea)\b[^>]*name="{re.escape(name)}"[^>]*>', text)
    return str(next(tag for tag in tags if 'type="hidden"' not in tag))


def first_cells(text: str) -> list[str]:
    return [html.unescape(t) for t in re.findall(r'<td [^>]*><a href="[^"]*">(.*?)</a>', text)]


# lists


def test_the_menu_shows_only_pages_that_the_user_may_open(home: FakeHome) -> None:
    """A page of another role is not even named (R34)."""
    mine, theirs = FakeBrowser(home).get("/"), FakeBrowser(home, DOCTOR).get("/")

    assert "/pages/visit" in mine.text
    assert "/pages/drugs" not in mine.text
    assert "/pages/drugs" in theirs.text


def test_a_list_shows_only_the_scope(browser: FakeBrowser, home: FakeHome) -> None:
    """Rows of others are not listed (R8, R67)."""
    assert ["Ada Ärmel", "Eric Özil"] == first_cells(browser.get("/pages/patient").text)
    assert ["Berts Own"] == first_cells(FakeBrowser(home, BERT).get("/pages/patient").text)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ärm", ["Ada Ärmel"]),
        ("ÄRM", ["Ada Ärmel"]),
        ("özil", ["Eric Özil"]),
        ("e-1", ["Eric Özil"]),
        ("a e", ["Ada Ärmel"]),
        ("ada eric", []),
        ("%25", []),
        ("_", []),
        ("'", []),
    ],
)
def test_search_finds_every_word_in_any_case(
    browser: FakeBrowser, words: str, found: list[str]
) -> None:
    """Umlauts fold as people expect; SQL's own signs are just signs (R10)."""
    address = words if "%" in words else quote_plus(words)

    assert found == first_cells(browser.get(f"/pages/patient?q={address}").text)


def test_lists_are_searched_by_what_they_show(browser: FakeBrowser, home: FakeHome) -> None:
    """The title of a lookup and the words of a choice are found (R10)."""
    home.add(Visit(id=9, patient_id=ADA, visited_on=date(2026, 1, 1), nurse="anna"))

    assert 2 == len(first_cells(browser.get("/pages/visit?q=%C3%A4rmel").text))
    assert 0 == len(first_cells(browser.get("/pages/visit?q=follow").text))
    assert 1 == len(first_cells(browser.get("/pages/visit?q=2026-11").text))


def test_lists_are_sorted_folded_and_with_empty_values_last(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """Sorting is by several columns, up or down, and case does not matter (R10)."""
    home.add(
        Patient(id=uuid.UUID(int=20), name="zoe", carer="anna", insured=True, number="Z"),
        Patient(id=uuid.UUID(int=21), name="Bea", carer="anna"),
    )

    def names(sort: str) -> list[str]:
        return first_cells(browser.get(f"/pages/patient?sort={sort}").text)

    assert ["Ada Ärmel", "Bea", "Eric Özil", "zoe"] == names("")
    assert ["zoe", "Eric Özil", "Bea", "Ada Ärmel"] == names("-name")
    assert "zoe" == names("-insured,name")[0]
    assert "Bea" == names("number")[-1]
    assert "Bea" == names("-number")[-1]


def test_unknown_and_private_columns_do_not_sort(browser: FakeBrowser) -> None:
    """The order of a list tells nothing about what the user may not read (R67)."""
    for sort in ("secret", "-secret", "nonsense", ",,,", "name;drop"):
        assert 200 == browser.get(f"/pages/patient?sort={sort}").status


def test_lists_come_in_pages(browser: FakeBrowser, home: FakeHome) -> None:
    """A list shows fifty rows; the way on and back is a link (R10, R12)."""
    home.add(*(Patient(id=uuid.uuid4(), name=f"P {n:03}", carer="anna") for n in range(60)))
    first = browser.get("/pages/patient?q=P")
    second = browser.get("/pages/patient?q=P+0&page=2")

    assert 50 == len(first_cells(first.text))
    assert 'rel="next"' in first.text
    assert 'rel="prev"' not in first.text
    assert 10 == len(first_cells(second.text))
    assert "60 in all, page 2 of 2" in second.text


@pytest.mark.parametrize("number", ["0", "-1", "99999", "abc", "²", ""])
def test_any_number_of_a_page_shows_a_page(browser: FakeBrowser, number: str) -> None:
    """A page that does not exist shows the nearest one (R66)."""
    assert 200 == browser.get(f"/pages/patient?page={quote(number)}").status


def test_what_a_record_holds_is_shown_as_text_never_as_markup(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """Text of others cannot run in the page (R65)."""
    home.run_sql(sa.update(Patient).where(Patient.id == ADA).values(name="<script>x</script>"))
    for address in ("/pages/patient", f"/pages/patient/records/{ADA}", "/pages/visit"):
        text = browser.get(address).text

        assert "<script>x" not in text
        assert "&lt;script&gt;x" in text


# records


def test_a_record_is_shown_with_its_child_lists(browser: FakeBrowser) -> None:
    """A view has all fields in words, and the rows below them (R13)."""
    text = browser.get("/pages/visit/records/1").text

    for words in ("Ada Ärmel", "1 Nov 2026", "70.50", "Points of 100", "blood", "urine"):
        assert words in text


@pytest.mark.parametrize(
    "address",
    [
        "/pages/visit/records/2",
        "/pages/visit/records/2/edit",
        "/pages/visit/records/2/delete",
        f"/pages/patient/records/{uuid.UUID(int=9)}",
        "/pages/visit/records/77",
        "/pages/visit/records/abc",
        "/pages/visit/records/1,2",
        "/pages/visit/records/99999999999999999999999999",
        "/pages/nonsense",
        "/nonsense",
    ],
)
def test_what_is_not_there_or_not_hers_is_not_found(browser: FakeBrowser, address: str) -> None:
    """A record of somebody else looks exactly as one that does not exist (R34, R67)."""
    answer = browser.get(address)

    assert 404 == answer.status
    assert "Berts Own" not in answer.text


def test_a_page_of_another_role_is_refused(home: FakeHome) -> None:
    """Guessing the address does not help (R34)."""
    assert 403 == FakeBrowser(home).get("/pages/drugs").status
    assert 200 == FakeBrowser(home, DOCTOR).get("/pages/drugs").status


def test_a_read_only_page_has_no_forms(browser: FakeBrowser) -> None:
    """A page that is only read offers no way to write, and refuses all (R34)."""
    assert "/pages/ward/new" not in browser.get("/pages/ward").text
    for address in ("new", "records/B/edit", "records/B/delete"):
        assert 403 == browser.get(f"/pages/ward/{address}").status
        assert 403 == browser.post(f"/pages/ward/{address}", {"name": "New"}).status


def test_keys_of_text_have_addresses(browser: FakeBrowser, home: FakeHome) -> None:
    """A key may hold spaces, slashes, commas and percent signs (R36)."""
    home.add(*(Ward(code=code, name=f"ward {code}") for code in ("a,b", "50%25", "ä/edit", "?#&")))
    text = browser.get("/pages/ward").text
    links = {html.unescape(a) for a in re.findall(r'href="(/pages/ward/records/[^"]*)"', text)}

    assert 6 == len(links)
    for link in links:
        assert 200 == browser.get(link).status
    assert any("ward ä/edit" in browser.get(link).text for link in links)


# forms


def test_a_new_form_shows_defaults(browser: FakeBrowser) -> None:
    """Columns' defaults stand in the form from the beginning (R15)."""
    fields = fields_of(browser.get("/pages/visit/new").text)

    assert ("anna", "first", "") == (fields["nurse"], fields["kind"], fields["_opened"])


def test_saving_a_new_form_leads_to_the_record(browser: FakeBrowser, home: FakeHome) -> None:
    """One form is one envelope; after it the record is shown with the words (R2, R21)."""
    answer = browser.post(
        "/pages/visit/new",
        {**NEW, "orders[0]._key": "", "orders[0].group": "x-ray", "orders[0].share": "5"},
    )

    assert (303, "/pages/visit/records/3?done=saved") == (
        answer.status,
        answer.headers["location"],
    )
    assert ["visit", "order"] == [o.model for o in home.envelopes[0].operations]
    shown = browser.get(answer.headers["location"])
    assert "x-ray" in shown.text


def test_an_untouched_form_makes_no_envelope(browser: FakeBrowser, home: FakeHome) -> None:
    """Saving what was not changed succeeds and makes nothing (R18)."""
    fields = fields_of(browser.get("/pages/visit/records/1/edit").text)
    answer = browser.post("/pages/visit/records/1/edit", fields)

    assert 303 == answer.status
    assert [] == home.envelopes


def test_an_edit_changes_only_what_was_changed(browser: FakeBrowser, home: FakeHome) -> None:
    """Two who edit different fields of one record both get their way (R37)."""
    fields = fields_of(browser.get("/pages/visit/records/1/edit").text)
    home.run_sql(sa.update(Visit).where(Visit.id == 1).values(summary="by others"))
    fields["score"] = "55"
    answer = browser.post("/pages/visit/records/1/edit", fields)
    visit = home.get(Visit, 1)

    assert 303 == answer.status
    assert visit is not None
    assert (55, "by others") == (visit.score, visit.summary)


def test_child_rows_are_removed_by_their_box(browser: FakeBrowser, home: FakeHome) -> None:
    """A ticked 'Remove' deletes the row when the form is saved (R13)."""
    fields = fields_of(browser.get("/pages/visit/records/1/edit").text)
    assert 303 == browser.post(
        "/pages/visit/records/1/edit", {**fields, "orders[0]._delete": "true"}
    ).status  # fmt: skip

    assert home.get(Order, 1) is None
    assert home.get(Order, 2) is not None


def test_adding_a_row_keeps_everything_that_was_typed(browser: FakeBrowser) -> None:
    """Rows are added at any depth without losing a letter, right or wrong (R13, R22)."""
    typed = {**NEW, "score": "not yet", "summary": "<b>a\nb", "orders[0].group": "blood"}
    first = browser.post("/pages/visit/new", {**typed, "_action": "add:orders"})
    fields = fields_of(first.text)
    second = browser.post("/pages/visit/new", {**fields, "_action": "add:orders[0].doses"})
    again = fields_of(second.text)

    assert (200, 200) == (first.status, second.status)
    assert typed == {name: again[name] for name in typed}
    assert "orders[1].group" in again
    assert "orders[0].doses[0].amount" in again
    assert "orders[1].doses[0].amount" not in again


@pytest.mark.parametrize(
    "action", ["add:", "add:nonsense", "add:orders[9].doses", "add:score", "add:orders[0]"]
)
def test_adding_nowhere_shows_the_form_again(browser: FakeBrowser, action: str) -> None:
    """A forged place adds nothing and breaks nothing (R66)."""
    assert 200 == browser.post("/pages/visit/new", {**NEW, "_action": action}).status


def test_problems_stand_at_their_fields(browser: FakeBrowser, home: FakeHome) -> None:
    """All problems at once, marked for screen readers, with what was typed still there (R16)."""
    answer = browser.post(
        "/pages/visit/new",
        {
            **NEW,
            "visited_on": "soon",
            "urgent": "true",
            "orders[2].group": "",
            "orders[2].share": "7",
        },
    )

    assert 422 == answer.status
    for path, words in (
        ("visited_on", "must be a date"),
        ("summary", "Say why it is urgent."),
        ("orders[2].group", "Fill in Group."),
    ):
        tag = control(answer.text, path)
        described = re.search(r'aria-describedby="([^" ]+)', tag)
        assert 'aria-invalid="true"' in tag
        assert described is not None
        problem = re.search(rf'id="{described[1]}">(.*?)</p>', answer.text, re.DOTALL)
        assert problem is not None
        assert words in problem[1]
    assert 'aria-invalid="true"' not in control(answer.text, "score")
    assert "soon" == fields_of(answer.text)["visited_on"]
    assert "3 things are not right yet" in answer.text
    assert [] == home.envelopes


def test_a_conflict_shows_the_form_again_with_both_values(
    browser: FakeBrowser, home: FakeHome
) -> None:
    """Nothing typed is lost, nothing of others is overwritten (R37, R38)."""
    fields = fields_of(browser.get("/pages/visit/records/1/edit").text)
    home.run_sql(sa.update(Visit).where(Visit.id == 1).values(score=60))
    answer = browser.post("/pages/visit/records/1/edit", {**fields, "score": "55"})
    visit = home.get(Visit, 1)

    assert 422 == answer.status
    assert 'aria-invalid="true"' in control(answer.text, "score")
    assert "it is now &#39;60&#39;, this entry says &#39;55&#39;" in answer.text
    assert "55" == fields_of(answer.text)["score"]
    assert visit is not None
    assert 60 == visit.score


def test_deleting_asks_first(browser: FakeBrowser, home: FakeHome) -> None:
    """The way to delete has a page of its own; GET changes nothing."""
    asked = browser.get("/pages/visit/records/1/delete")
    before = home.get(Visit, 1)
    done = browser.post("/pages/visit/records/1/delete", {})

    assert 200 == asked.status
    assert before is not None
    assert (303, "/pages/visit?done=deleted") == (done.status, done.headers["location"])
    assert home.get(Visit, 1) is None


def test_a_delete_that_is_refused_says_why(browser: FakeBrowser, home: FakeHome) -> None:
    """Rows that others refer to stay, with the number of those others (R19)."""
    answer = browser.post(f"/pages/patient/records/{ADA}/delete", {})

    assert 422 == answer.status
    assert "1 of Visit still refer to it" in answer.text
    assert home.get(Patient, ADA) is not None


DAMAGED: list[Any] = [
    "{",
    "[]",
    "7",
    '"x"',
    '{"key": [1]}',
    '{"key": "x", "values": {}, "children": {}}',
    '{"key": [1], "values": {"score": "x"}, "children": {}}',
    '{"key": [1], "values": [], "children": {}}',
    '{"key": [1], "values": {}, "children": {"orders": [7]}}',
    '{"key": [1], "values": {}, "children": {"orders": 7}}',
    "[" * 20_000,
]


@pytest.mark.parametrize("opened", DAMAGED, ids=lambda text: str(text)[:40])
def test_a_damaged_form_is_refused_in_words(browser: FakeBrowser, opened: str) -> None:
    """What the browser sends back is as untrusted as everything else (R66)."""
    answer = browser.post("/pages/visit/records/1/edit", {**NEW, "_opened": opened})

    assert 400 <= answer.status < 500
    assert "cannot be read" in answer.text


def test_a_forged_key_reaches_no_row_of_others(browser: FakeBrowser, home: FakeHome) -> None:
    """Whatever the hidden fields say, the scope holds (R34)."""
    opened = {"key": [2], "values": {"score": None}, "children": {}}
    answer = browser.post(
        "/pages/visit/records/1/edit", {"score": "5", "_opened": json.dumps(opened)}
    )
    visit = home.get(Visit, 2)

    assert 422 == answer.status
    assert visit is not None
    assert visit.score is None


def test_a_temporary_address_leads_to_the_real_one(browser: FakeBrowser, home: FakeHome) -> None:
    """A link from before the sync still works after it (R31)."""
    browser.post("/pages/visit/new", NEW)
    (temporary,) = home.keys.known
    answer = browser.get(f"/pages/visit/records/{temporary[1]}?done=saved")

    assert (303, "/pages/visit/records/3?done=saved") == (
        answer.status,
        answer.headers["location"],
    )


def test_field_workers_have_the_button_and_others_do_not(home: FakeHome) -> None:
    """It is there for field workers, and on a device for whoever has work there (R24)."""
    assert 'id="sync"' in FakeBrowser(home).get("/").text
    assert 'id="sync"' in FakeBrowser(home, DOCTOR).get("/").text
    home.kind = "server"
    assert 'id="sync"' not in FakeBrowser(home, DOCTOR).get("/").text


def test_lookups_offer_only_the_scope(browser: FakeBrowser, home: FakeHome) -> None:
    """What may be chosen is what may be seen (R8, R67)."""
    text = browser.get("/pages/visit/new").text

    assert "Ada Ärmel" in text
    assert "Berts Own" not in text
    assert "Berts Own" in FakeBrowser(home, BERT).get("/pages/visit/new").text


def test_other_methods_are_refused(browser: FakeBrowser) -> None:
    """A list cannot be posted to."""
    assert 405 == browser.post("/pages/visit", {}).status


def test_dates_of_a_list_are_in_words(browser: FakeBrowser, home: FakeHome) -> None:
    """People read words, programs ISO 8601 (R63)."""
    home.add(Visit(id=8, patient_id=ADA, visited_on=date(2026, 1, 31) + timedelta(1), nurse="anna"))

    assert "1 Feb 2026" in browser.get("/pages/visit").text


class Store(DeclarativeBase):
    pass


class Shelf(Store):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Box(Store):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship()


@pytest.mark.parametrize("action", ["save", "show", "add:x"])
@pytest.mark.parametrize("number", ["99999999999", "9" * 25, "-1", "0"])
def test_a_forged_choice_is_a_problem_not_a_crash(action: str, number: str) -> None:
    """A number that no key can be is refused at its field, and shown again (R66)."""
    pages = [Page(Box, form=["name", "shelf"]), Page(Shelf)]
    browser = FakeBrowser(FakeHome(App("Store", Store, pages)))
    answer = browser.post("/pages/box/new", {"name": "", "shelf": number, "_action": action})

    assert (422 if action == "save" else 200) == answer.status
