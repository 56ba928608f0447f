"""A form never changes what nobody touched: each kind of field, whatever its column holds (R18)."""

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from apps.fakes import FakeBrowser, FakeHome
from apps.samples import ROWS, Sample, Thing, Value, app, every_statement, unreadable
from browser_forms import BrowserForm
from fieldpost.ground.zones import in_zone, zone_named
from fieldpost.odp.form.posted_moments import UNFINISHED
from fieldpost.schema.unreadable import keep_reading


@pytest.fixture(scope="module")
def browser() -> FakeBrowser:
    """A browser of a home with rows of another program."""
    home = FakeHome(app)
    keep_reading(home.engine, strict=True)
    with home.engine.begin() as connection:
        for statement in every_statement("sqlite"):
            connection.exec_driver_sql(statement)
    return FakeBrowser(home)


def stored(home: FakeHome, number: int) -> dict[str, Any]:
    """Return a record as it is stored, each value with the type that the database has it in."""
    with home.engine.connect() as connection:
        found: dict[str, Any] = {}
        for table, key in (("sample", "id"), ("part", "sample_id"), ("sample_thing", "sample_id")):
            query = sa.text(f"SELECT * FROM {table} WHERE {key} = {number}")
            for row in connection.execute(query).mappings():
                found |= {f"{table}.{n}": (type(v).__name__, v) for n, v in row.items()}
    return found


@pytest.mark.long
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("number", range(ROWS))
def test_an_untouched_form_changes_nothing(browser: FakeBrowser, number: int, zone: str) -> None:
    """Opened and saved as it is, nothing had changed, and the row is as it was, to the byte."""
    address = f"/pages/sample/records/{number}/edit"
    before, envelopes = stored(browser.home, number), len(browser.home.envelopes)
    with in_zone(zone_named(zone)):
        form = BrowserForm(browser.get(address).text)
        answer = browser.post(address, [*form.pairs, ("_action", "save")])

    assert (303, "unchanged") == (answer.status, answer.headers["location"].partition("=")[2])
    assert before == stored(browser.home, number)
    assert envelopes == len(browser.home.envelopes)


@pytest.mark.parametrize("number", range(ROWS))
def test_a_change_elsewhere_changes_only_that(browser: FakeBrowser, number: int) -> None:
    """Another field is edited: only that one is in the envelope and changes in the row."""
    address = f"/pages/sample/records/{number}/edit"
    before = stored(browser.home, number)
    with in_zone(zone_named("Europe/Berlin")):
        form = BrowserForm(browser.get(address).text)
        filled = form.filled(state="changed", **{"parts[0]__label": "New"})
        answer = browser.post(address, [*filled, ("_action", "save")])

    assert 303 == answer.status, answer.text
    changes = [o.set for o in browser.home.envelopes[-1].operations]
    assert [{"state": "changed"}, {"label": "New"}] == changes
    expected = {**before, "sample.state": ("str", "changed"), "part.label": ("str", "New")}
    assert expected == stored(browser.home, number)


@pytest.mark.parametrize("number", range(ROWS))
def test_every_row_can_be_looked_at(browser: FakeBrowser, number: int) -> None:
    """Whatever its columns hold, its record is shown."""
    assert 200 == browser.get(f"/pages/sample/records/{number}").status


@pytest.mark.long
@pytest.mark.parametrize(("number", "value"), unreadable("sqlite").items())
def test_what_cannot_be_read_is_in_no_form(browser: FakeBrowser, number: int, value: Value) -> None:
    """A form could only lose it: the record is shown with the word for it, and stays as it is."""
    address, before = f"/pages/sample/records/{number}", stored(browser.home, number)
    shown = browser.get(address)
    refused = [browser.get(f"{address}/edit"), browser.post(f"{address}/delete", {})]

    assert (200, True) == (shown.status, "unreadable" in shown.text), value
    assert [422, 422] == [answer.status for answer in refused]
    assert before == stored(browser.home, number)


@pytest.mark.parametrize("column", app.pages["sample"].list)
def test_every_row_can_be_listed(browser: FakeBrowser, column: str) -> None:
    """A row with a value that its column's type cannot read does not end its list."""
    answers = [browser.get(f"/pages/sample?sort={sign}{column}") for sign in ("", "-")]

    assert [200, 200] == [answer.status for answer in answers]


def test_an_untouched_new_row_is_what_its_columns_say() -> None:
    """A new form saved with nothing but a name: NULL, empty text and defaults as declared."""
    browser = FakeBrowser(FakeHome(app))
    form = BrowserForm(browser.get("/pages/sample/new").text)
    answer = browser.post("/pages/sample/new", [*form.filled(name="N"), ("_action", "save")])

    assert 303 == answer.status, answer.text
    made = browser.home.get(Sample, 1)
    assert made is not None
    assert ("", "", "open", 3) == (made.never_null, made.server_empty, made.state, made.level)
    assert (None, False, None, None) == (made.answer, made.flag, made.plain, made.moment)
    assert made.made_at is not None


def test_what_is_emptied_in_a_new_row_stays_empty() -> None:
    """A default that somebody took out of the form does not come back behind her."""
    browser = FakeBrowser(FakeHome(app))
    form = BrowserForm(browser.get("/pages/sample/new").text)
    assert form.value("ended_on")
    filled = form.filled(name="N", ended_on="", never_null="")
    answer = browser.post("/pages/sample/new", [*filled, ("_action", "save")])

    assert 303 == answer.status, answer.text
    made = browser.home.get(Sample, 1)
    assert made is not None
    assert (None, "") == (made.ended_on, made.never_null)


@pytest.mark.parametrize(
    ("text", "stored_as"), [("", None), ("true", True), ("false", False)], ids=repr
)
def test_a_yes_or_no_has_three_states(text: str, stored_as: bool | None) -> None:
    """Not answered is neither yes nor no, and can be chosen again."""
    browser = FakeBrowser(FakeHome(app))
    browser.home.add(Sample(id=1, name="N", kind=None, answer=True))
    form = BrowserForm(browser.get("/pages/sample/records/1/edit").text)
    browser.post("/pages/sample/records/1/edit", [*form.filled(answer=text), ("_action", "save")])

    made = browser.home.get(Sample, 1)
    assert made is not None
    assert stored_as is made.answer


def test_a_text_that_must_not_be_null_can_be_emptied() -> None:
    """Where the column says that an empty text will do, emptying it is no problem and no NULL."""
    browser = FakeBrowser(FakeHome(app))
    browser.home.add(Sample(id=1, name="N", never_null="x", plain="y"))
    form = BrowserForm(browser.get("/pages/sample/records/1/edit").text)
    filled = form.filled(never_null="", plain="")
    answer = browser.post("/pages/sample/records/1/edit", [*filled, ("_action", "save")])

    made = browser.home.get(Sample, 1)
    assert 303 == answer.status, answer.text
    assert made is not None
    assert ("", None) == (made.never_null, made.plain)


def test_a_row_whose_key_holds_a_separator_can_be_edited() -> None:
    """A scanner's separator in a key of another program does not hide its row."""
    browser = FakeBrowser(FakeHome(app))
    browser.home.run_sql(sa.text("INSERT INTO thing VALUES ('a' || char(29) || 'b', 'Ladder')"))
    address = html.unescape(re.findall(r'href="(/pages/thing/records/[^"]*)"', _listed(browser))[0])
    form = BrowserForm(browser.get(f"{address}/edit").text)
    answer = browser.post(f"{address}/edit", [*form.filled(name="Rope"), ("_action", "save")])

    made = browser.home.get(Thing, "a\x1db")
    assert 303 == answer.status, answer.text
    assert made is not None
    assert "Rope" == made.name


def test_without_javascript_the_browser_itself_refuses_half_a_date() -> None:
    """The page does not switch the browser's own checks off; the shell does, and marks instead."""
    text = FakeBrowser(FakeHome(app)).get("/pages/sample/new").text
    (form,) = re.findall(r"<form class=\"record\"[^>]*>", text)

    assert "novalidate" not in form
    assert 'type="date"' in text


def test_a_draft_of_half_a_date_says_so_when_it_comes_back() -> None:
    """What was half typed is gone, the word for it stays; nothing is taken for empty."""
    browser = FakeBrowser(FakeHome(app))
    form = BrowserForm(browser.get("/pages/sample/new").text)
    filled = form.filled(name="N", ended_on=UNFINISHED)
    shown = browser.post("/pages/sample/new", [*filled, ("_action", "show")])
    saved = browser.post("/pages/sample/new", [*filled, ("_action", "save")])

    assert (200, 422) == (shown.status, saved.status)
    for page in (shown, saved):
        assert 'id="f-ended_on-problem">Ended on must be a date' in page.text
        assert re.search(r'id="f-ended_on" type="date"[^>]* value="" data-unfinished', page.text)


def _listed(browser: FakeBrowser) -> str:
    return browser.get("/pages/thing").text


@pytest.mark.long
def test_a_record_linked_to_more_than_a_thousand_rows_keeps_them() -> None:
    """However many rows another program has linked: no edit unlinks them, and it can be deleted."""
    browser = FakeBrowser(FakeHome(app))
    browser.home.add(Sample(id=1, name="N"), *(Thing(code=f"c{n}", name="T") for n in range(1_500)))
    browser.home.run_sql(sa.text("INSERT INTO sample_thing SELECT 1, code FROM thing"))
    form = BrowserForm(browser.get("/pages/sample/records/1/edit").text)
    untouched = browser.post("/pages/sample/records/1/edit", [*form.pairs, ("_action", "save")])
    filled = form.filled(plain="new")
    changed = browser.post("/pages/sample/records/1/edit", [*filled, ("_action", "save")])

    assert (303, "unchanged") == (untouched.status, untouched.headers["location"].partition("=")[2])
    assert 303 == changed.status, changed.text
    assert [{"plain": "new"}] == [o.set for o in browser.home.envelopes[-1].operations]
    with browser.home.session() as session:
        assert 1_500 == session.scalar(sa.text("SELECT count(*) FROM sample_thing"))
    assert 303 == browser.post("/pages/sample/records/1/delete", {}).status
