"""Whatever is asked: pull, image and registration answer in one shape and change nothing (R66)."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import garbage
from apps.clinic import Visit
from fieldpost.wire.envelope import Operation
from fieldpost_server.storage import tables
from traces import everything, is_refused

pytestmark = pytest.mark.long

ABOUT = {"user", "settings", "app_version", "signing_keys", "arrived"}
PARTS = ABOUT | {"cursor", "reset", "put", "remove", "replace", "failed", "digests"}
HEADERS = ("Fieldpost-Device", "Fieldpost-Protocol")

tables_asked = st.one_of(
    st.sampled_from(["visit", "order", "visit & ward", "ward", "Drug %s list", "fieldpost_user"]),
    st.sampled_from(["fieldpost_session", "sqlite_master", "pg_class", "", "\x00", "x" * 50]),
    st.text(max_size=9),
)


@pytest.fixture
def often(office: Any) -> settings:
    is_sqlite = office.database.engine.dialect.name == "sqlite"
    return settings(
        max_examples=200 if is_sqlite else 50,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def spoiled_headers(device: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for a device's headers, in which one may be spoiled."""
    one = st.tuples(st.sampled_from(HEADERS), garbage.header_texts | garbage.headers)
    return st.just(device.headers) | one.map(lambda pair: device.headers | {pair[0]: _bytes(pair)})


def _bytes(pair: tuple[str, bytes | str]) -> bytes:
    return pair[1] if isinstance(pair[1], bytes) else pair[1].encode("utf-8")


def test_every_pull_is_answered_and_changes_nothing(office: Any, often: settings) -> None:
    """Cursors, tables and headers of any kind: no failure, no trace, nothing private (R66, R67)."""
    device = office.device("anna")
    sound = device.cursor
    office.run(sa.update(Visit).values(score=5))
    before = everything(office)

    @often
    @given(
        st.just(sound) | garbage.cursors | garbage.damaged_cursors(sound),
        st.lists(tables_asked, max_size=5),
        st.sampled_from([1, 1, 1, 100]),
        spoiled_headers(device),
    )
    def ask(cursor: str, names: list[str], times: int, headers: dict[str, Any]) -> None:
        asked = {"cursor": cursor, "replace": names * times}
        answer = device.client.get("/sync/pull", params=asked, headers=headers)
        if is_refused(answer):
            return
        data = answer.json()
        assert PARTS == set(data)
        assert "never tell" not in answer.text
        plan = {"visit", "order", "dose", "reading", "patient", "ward", "visit & ward"}
        assert {*data["put"], *data["remove"]} <= plan
        assert all("secret" not in row for row in data["put"].get("patient", ()))
        if data["reset"]:
            assert [{}, {}, [], {}] == [data[k] for k in ("put", "remove", "replace", "digests")]
        elif cursor == sound:
            assert {name for name in names if name in plan} == set(data["replace"])

    ask()
    assert before == everything(office)


def test_every_call_for_an_image_is_answered(office: Any, often: settings) -> None:
    """An image is for the user's own device with a protocol that the server speaks (R66)."""
    device, other = office.device("anna"), office.device("bert")
    before = everything(office)

    @often
    @given(
        spoiled_headers(device) | st.just(other.headers),
        st.dictionaries(st.text("abc", max_size=3), st.text(max_size=9), max_size=2),
    )
    def ask(headers: dict[str, Any], query: dict[str, str]) -> None:
        answer = device.client.get("/sync/image", headers=headers, params=query)
        assert is_refused(answer) is (headers not in (device.headers, _spelt(device.headers)))

    ask()
    assert before == everything(office)


def _spelt(headers: dict[str, str]) -> dict[str, Any]:
    return headers | {"Fieldpost-Protocol": headers["Fieldpost-Protocol"].encode()}


def test_every_registration_is_answered(office: Any, often: settings) -> None:
    """A body that names no device of the user's own is refused and leaves no row (R66)."""
    client, other = office.client("anna"), office.device("bert", download=False)
    names = st.one_of(
        garbage.things,
        st.sampled_from([other.id, "d-", "d-1", "d-\x7f", "d-é", "web-anna", "d-" + "x" * 98]),
        st.text(max_size=8).map(lambda text: "d-" + text),
    )
    receipts = st.lists(st.text(max_size=20) | garbage.things.map(json.dumps), max_size=3)
    reports = st.tuples(garbage.things | receipts, garbage.things | garbage.cursors)
    bodies = st.one_of(
        names.map(lambda name: json.dumps({"device": name}).encode()),
        reports.map(
            lambda pair: json.dumps(
                {"device": "d-1", "forgotten": pair[0], "base": pair[1]}
            ).encode()
        ),
        names.map(lambda name: json.dumps({"device": name, "user": "bert"}).encode()),
        garbage.lines,
        st.sampled_from([b'{"device":"d-1","device":[]}', b'"device"', b'{"device":"d-\xff"}']),
    )

    @often
    @given(bodies)
    def send(body: bytes) -> None:
        before = everything(office)
        answer = client.post("/sync/device", content=body)
        if is_refused(answer):
            assert before == everything(office)
            return
        device = json.loads(body)["device"]
        found = office.rows(sa.select(tables.device.c.user).where(tables.device.c.id == device))
        assert [("anna",)] == found
        assert (device, 0) == (answer.json()["device"], answer.json()["number"])
        assert 1 == len(office.rows(sa.select(tables.history)))

    send()


def test_every_question_about_envelopes_is_answered(office: Any, often: settings) -> None:
    """Ids of any kind are answered or refused, and nothing of others is told (R66)."""
    device, other = office.device("anna", download=False), office.device("bert", download=False)
    theirs = other.envelope(Operation("update", "visit", (2,), {"score": 5}, {"score": None}))
    other.push(theirs)
    before = everything(office)
    ids = st.lists(garbage.things | st.just(theirs.id), max_size=3)
    bodies = st.one_of(
        ids.map(lambda each: json.dumps({"envelopes": each}).encode()),
        garbage.things.map(lambda thing: json.dumps({"envelopes": thing}).encode()),
        garbage.lines,
        st.just(json.dumps({"envelopes": ["x"] * 1_001}).encode()),
    )

    @often
    @given(bodies, spoiled_headers(device))
    def ask(body: bytes, headers: dict[str, Any]) -> None:
        answer = device.client.post("/sync/receipts", content=body, headers=headers)
        assert is_refused(answer) or not answer.text

    ask()
    assert before == everything(office)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "//", "http://office:x"])
def test_an_origin_that_is_no_address_is_foreign(office: Any, origin: str) -> None:
    """A header that cannot be read as an address is not the server's own (R65, R66)."""
    answer = office.client().post("/sync/device", content=b"{}", headers={"Origin": origin})

    assert is_refused(answer)
    assert "foreign_origin" == answer.json()["error"]["code"]


@pytest.mark.parametrize("length", ["9" * 5000, "1" * 30])
def test_a_length_of_many_digits_is_refused(office: Any, length: str) -> None:
    """No number is too long to be refused (R66)."""
    client = office.client("anna")
    answer = client.post("/sync/device", content=b"{}", headers={"Content-Length": length})

    assert is_refused(answer)
