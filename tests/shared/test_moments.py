"""Every moment is shown and read in the person's zone, and today is her day (R16, R18)."""

import json
import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Self

import pytest

from apps.fakes import FakeBrowser, FakeHome
from apps.samples import Part, Sample, app
from browser_forms import BrowserForm
from fieldpost import moments
from fieldpost.errors import Code
from fieldpost.ground import zones
from fieldpost.ground.zones import in_zone, zone_named
from fieldpost.odp.form.initial_values import initial_value
from fieldpost.replication.rows import row_to_wire
from fieldpost.schema.validation import read_text
from fieldpost.schema.value_words import words_for
from fieldpost.web.display.values import moment_words

BERLIN, AUCKLAND = zone_named("Europe/Berlin"), zone_named("Pacific/Auckland")
MOMENT = app.models["sample"].by_attribute["moment"]
WALL = app.models["sample"].by_attribute["wall"]
EDIT = "/pages/sample/records/1/edit"


def browser_with(**values: Any) -> FakeBrowser:
    browser = FakeBrowser(FakeHome(app))
    browser.home.add(Sample(id=1, name="One", **values))
    return browser


def save(browser: FakeBrowser, **values: str) -> Any:
    form = BrowserForm(browser.get(EDIT).text)
    return browser.post(EDIT, [*form.filled(**values), ("_action", "save")])


def test_what_is_typed_is_the_persons_clock() -> None:
    """09:55 in Berlin in July is 07:55 in UTC, is shown as 09:55, and travels with its offset."""
    browser = browser_with()
    with in_zone(BERLIN):
        assert 303 == save(browser, moment="2026-07-01T09:55").status
        shown = browser.get("/pages/sample/records/1").text
        again = BrowserForm(browser.get(EDIT).text).value("moment")

    (operation,) = browser.home.envelopes[0].operations
    made = browser.home.get(Sample, 1)
    assert made is not None
    assert {"moment": "2026-07-01T09:55:00+02:00"} == operation.set
    assert datetime(2026, 7, 1, 7, 55, tzinfo=UTC) == made.moment
    assert "1 Jul 2026, 09:55" in shown
    assert "2026-07-01T09:55" == again


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Berlin", "1 Jul 2026, 09:55"),
        ("Pacific/Auckland", "1 Jul 2026, 19:55"),
        ("America/St_Johns", "1 Jul 2026, 05:25"),
        ("Asia/Kathmandu", "1 Jul 2026, 13:40"),
        ("Etc/UTC", "1 Jul 2026, 07:55"),
        ("-09:30", "30 Jun 2026, 22:25"),
    ],
)
def test_every_screen_tells_one_moment_in_one_zone(zone: str, shown: str) -> None:
    """List, view, form and messages of a person have her zone; a wall clock's time has none."""
    moment = datetime(2026, 7, 1, 7, 55, tzinfo=UTC)
    browser = browser_with(moment=moment, wall=datetime.fromisoformat("2026-07-01T07:55"))
    with in_zone(zone_named(zone)):
        for address in ("/pages/sample", "/pages/sample/records/1"):
            assert shown in browser.get(address).text
        assert "1 Jul 2026, 07:55" in browser.get("/pages/sample/records/1").text
        assert "2026-07-01T07:55" == BrowserForm(browser.get(EDIT).text).value("wall")
        assert shown == moment_words("2026-07-01T07:55:00Z")
        assert shown == words_for(MOMENT, moment)
        assert [shown] == [moments.moment_words(m) for m in zones.moments_of(_wall(moment))]


def _wall(moment: datetime) -> datetime:
    return zones.local(moment).replace(tzinfo=None)


def test_an_hour_that_clocks_leave_out_is_asked_about() -> None:
    """The problem names what both clocks would show; nothing is stored."""
    with in_zone(BERLIN):
        _, fault = read_text(MOMENT, "2026-03-29T02:30", "moment")
        answer = save(browser_with(), moment="2026-03-29T02:30")

    assert fault is not None
    assert Code.HOUR_SKIPPED == fault.code
    assert (
        "Moment: clocks go forward on 29 Mar 2026, so there is no 02:30. "
        "Write 01:30 (UTC+1) or 03:30 (UTC+2)."
    ) == fault.message
    assert 422 == answer.status


@pytest.mark.parametrize("hour", ["+02:00", "+01:00"])
def test_an_hour_that_comes_twice_is_asked_about(hour: str) -> None:
    """A second control says which; it stays with the moment, and is not needed elsewhere."""
    browser = browser_with()
    with in_zone(BERLIN):
        asked = save(browser, moment="2026-10-25T02:30")
        form = BrowserForm(asked.text)
        assert (422, "") == (asked.status, form.value("moment.hour"))
        assert "Choose the first (UTC+2) or the second (UTC+1)." in asked.text
        chosen = form.filled(moment__hour=hour)
        assert 303 == browser.post(EDIT, [*chosen, ("_action", "save")]).status
        again = BrowserForm(browser.get(EDIT).text)
        words = browser.get("/pages/sample/records/1").text
        moved = browser.post(EDIT, [*again.filled(moment="2026-10-26T02:30"), ("_action", "save")])

    (first, second) = browser.home.envelopes
    assert {"moment": f"2026-10-25T02:30:00{hour}"} == first.operations[0].set
    assert f"2026-10-25T02:30:00{hour}" == second.operations[0].was["moment"]
    assert ("2026-10-25T02:30", hour) == (again.value("moment"), again.value("moment.hour"))
    assert f"02:30 (UTC+{hour[2]})" in words
    assert 303 == moved.status
    assert {"moment": "2026-10-26T02:30:00+01:00"} == second.operations[0].set


def test_both_hours_are_told_apart_in_every_comparison() -> None:
    """Python takes no two moments of such an hour for one in two zones; ours are compared right."""
    with in_zone(BERLIN):
        first = zones.local(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))

        assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert first != zones.local(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_a_form_that_travels_keeps_its_moments() -> None:
    """A draft of Berlin that is saved in Auckland means what was typed in Berlin."""
    browser = browser_with(moment=datetime(2026, 7, 1, 7, 55, tzinfo=UTC))
    with in_zone(BERLIN):
        form = BrowserForm(browser.get(EDIT).text)
    with in_zone(AUCKLAND):
        untouched = browser.post(EDIT, [*form.pairs, ("_action", "save")])
        changed = form.filled(moment="2026-07-01T10:00")
        shown = browser.post(EDIT, [*changed, ("_action", "show")])
        saved = browser.post(EDIT, [*changed, ("_action", "save")])

    made = browser.home.get(Sample, 1)
    assert made is not None
    assert untouched.headers["location"].endswith("unchanged")
    assert "2026-07-01T20:00" == BrowserForm(shown.text).value("moment")
    assert 303 == saved.status
    assert datetime(2026, 7, 1, 8, 0, tzinfo=UTC) == made.moment


def test_today_is_the_persons_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default of today is her day, also where the author took Python's own function."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(1782903600, tz)  # 2026-07-01 11:00 UTC

    monkeypatch.setattr(moments, "datetime", Clock)
    fields = app.models["sample"].by_attribute
    with in_zone(AUCKLAND):
        assert date(2026, 7, 1) == initial_value(fields["begun_on"])
        assert date(2026, 7, 1) == initial_value(fields["ended_on"])
    with in_zone(zone_named("Pacific/Kiritimati")):
        assert date(2026, 7, 2) == initial_value(fields["begun_on"])
        form = BrowserForm(FakeBrowser(FakeHome(app)).get("/pages/sample/new").text)
        assert "2026-07-02" == form.value("begun_on")


def test_a_child_rows_moment_is_the_persons_too() -> None:
    """What holds for a field of the record holds for those of its rows."""
    browser = browser_with(parts=[Part(id=1, label="P")])
    with in_zone(AUCKLAND):
        assert 303 == save(browser, **{"parts[0]__seen_at": "2026-01-01T08:00"}).status

    made = browser.home.get(Part, 1)
    assert made is not None
    assert datetime(2025, 12, 31, 19, 0, tzinfo=UTC) == made.seen_at


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Auckland"])
def test_what_travels_is_the_same_in_every_zone(zone: str) -> None:
    """A download and its proof do not depend on who looks."""
    browser = browser_with(moment=datetime(2026, 7, 1, 7, 55, tzinfo=UTC))
    with in_zone(zone_named(zone)), browser.home.session() as session:
        moment = session.get_one(Sample, 1).moment

        wire = row_to_wire(Sample.__table__, {"moment": moment})  # type: ignore[arg-type]
    assert '{"moment": "2026-07-01T07:55:00+00:00"}' == json.dumps(wire)


def test_an_offset_that_is_written_counts() -> None:
    """A moment that says its offset is that moment, whoever reads it."""
    with in_zone(AUCKLAND):
        value, fault = read_text(MOMENT, "2026-07-01T09:55+02:00", "moment")
        naive, _ = read_text(WALL, "2026-07-01T09:55", "wall")

    assert fault is None
    assert datetime(2026, 7, 1, 9, 55, tzinfo=timezone(timedelta(hours=2))) == value
    assert datetime.fromisoformat("2026-07-01T09:55") == naive


def test_zones_can_be_kept_where_there_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that starts from its memory image knows every zone."""
    zones.keep_zones()
    monkeypatch.setattr(zoneinfo, "ZoneInfo", _NoFiles)
    zones._zone_named.cache_clear()

    zone = zone_named("Asia/Kathmandu")
    assert timedelta(hours=5, minutes=45) == datetime(2026, 1, 1, tzinfo=zone).utcoffset()
    with pytest.raises(ValueError, match="Nowhere/Land"):
        zone_named("Nowhere/Land")


class _NoFiles(zoneinfo.ZoneInfo):
    def __new__(cls, key: str) -> Self:
        raise zoneinfo.ZoneInfoNotFoundError(key)
