"""The office's zone and spelling, and those of a worker's device (R16, R18, R36)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from apps import samples
from apps.samples import Sample
from browser_forms import BrowserForm
from fieldpost.errors import DefinitionError
from fieldpost_server.application import make_application
from fieldpost_server.http.locale import machine_zone, office_mark, office_zone
from fieldpost_server.settings import Settings

SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}
NINE = {"moment": datetime(2026, 7, 1, 7, 55, tzinfo=UTC)}


@pytest.fixture
def office(open_office: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server in Berlin, with one row."""
    standard = cast(dict[str, Any], Settings.__init__.__kwdefaults__)
    monkeypatch.setitem(standard, "timezone", "Europe/Berlin")
    monkeypatch.setitem(standard, "decimal_mark", ",")

    def fill(session: Any) -> None:
        session.add(Sample(id=1, name="One", money=12, **NINE))

    return open_office(samples.app, fill, ("sample", "part"))


def test_the_office_sees_and_types_its_own_zone(office: Any) -> None:
    """What is typed in the office's zone is stored as that moment, and shown so (R36)."""
    client, address = office.client("dora"), "/pages/sample/records/1"
    shown = client.get(address, headers=SHELL).text
    form = BrowserForm(client.get(f"{address}/edit", headers=SHELL).text)
    filled = dict(form.filled(moment="2026-12-01T08:00", money="1.234,5"))
    answer = client.post(f"{address}/edit", data={**filled, "_action": "save"}, headers=SHELL)

    assert "1 Jul 2026, 09:55" in shown
    assert ("2026-07-01T09:55", "12,00") == (form.value("moment"), form.value("money"))
    assert 303 == answer.status_code, answer.text
    ((moment, money),) = office.rows(sa.select(Sample.moment, Sample.money))
    assert datetime(2026, 12, 1, 7, 0, tzinfo=UTC) == moment
    assert "1234.50" == str(money)


def test_what_sql_wrote_is_a_moment_too(office: Any) -> None:
    """`now()` of another program is shown in the office's zone, as everything else is."""
    office.run(sa.text("UPDATE sample SET moment = CURRENT_TIMESTAMP WHERE id = 1"))
    ((moment,),) = office.rows(sa.select(Sample.moment))
    shown = office.client("dora").get("/pages/sample", headers=SHELL).text

    assert abs((datetime.now(UTC) - moment).total_seconds()) < 600
    berlin = moment.astimezone(office_zone(office.settings))
    assert f"{berlin:%H:%M}" in shown


def test_a_workers_device_says_how_she_sees_moments(office: Any) -> None:
    """A page that only the server has is told in the zone of the rest of her screens."""
    client = office.client("anna")
    hers = {**SHELL, "Fieldpost-Zone": "Pacific/Auckland", "Fieldpost-Mark": "."}

    shown = client.get("/pages/sample/records/1", headers=hers).text
    assert ("1 Jul 2026, 19:55" in shown, "12.00" in shown) == (True, True)
    odd = {**SHELL, "Fieldpost-Zone": "../../etc/passwd", "Fieldpost-Mark": "x"}
    assert "1 Jul 2026, 09:55" in client.get("/pages/sample/records/1", headers=odd).text
    assert "1 Jul 2026, 09:55" in office.client("dora").get("/pages/sample", headers=hers).text


def test_an_envelope_of_the_office_carries_its_offset(office: Any) -> None:
    """Moments are kept with the offset of whoever saved them."""
    client, address = office.client("dora"), "/pages/sample/records/1/edit"
    filled = dict(BrowserForm(client.get(address, headers=SHELL).text).filled(plain="x"))
    client.post(address, data={**filled, "_action": "save"}, headers=SHELL)

    ((content,),) = office.rows(sa.text("SELECT content FROM fieldpost_envelope"))
    assert '"saved_at":"20' in content
    assert "+01:00" in content or "+02:00" in content


@pytest.mark.parametrize(
    ("setting", "value"), [("timezone", "Berlin/Mitte"), ("decimal_mark", ";")], ids=str
)
def test_a_setting_that_is_none_is_named(tmp_path: Path, setting: str, value: str) -> None:
    """A server with a zone or mark that does not exist says so before it serves anything."""
    how = {setting: value}
    settings = Settings(app="apps.samples:app", data=tmp_path, **how)  # type: ignore[arg-type]

    with pytest.raises(DefinitionError, match=value):
        make_application(settings, cast(Any, object()))


def test_without_a_setting_the_servers_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone of the machine is found by name, so that summer and winter are right."""
    monkeypatch.setenv("TZ", "America/St_Johns")

    assert "America/St_Johns" == str(machine_zone())
    assert machine_zone() == office_zone(Settings())
    assert "." == office_mark(Settings())
