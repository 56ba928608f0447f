"""The second step of signing in: codes, recovery codes, and what an attacker tries (R65, R66)."""

from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from apps.offices import office_like
from fieldpost_server.storage import tables

SHELL = {"Fieldpost-Shell": "1"}
STEP_S = 30


@pytest.fixture
def phone(office: Any, people: Any) -> Any:
    """The authenticator app of dora."""
    return people.add_app(office.client("dora"))[0]


def test_a_password_alone_lets_nobody_in(office: Any, people: Any, phone: Any) -> None:
    """After it comes the page of the second step, and the session begins with the code (R65)."""
    client = office.client()
    answer = people.sign_in(client, "dora", next="/pages/visit")

    assert (303, "/sign-in/second?next=%2Fpages%2Fvisit") == (
        answer.status_code,
        answer.headers["location"],
    )
    assert not people.is_in(client)
    page = client.get("/sign-in/second?next=/pages/visit")
    assert (200, True) == (page.status_code, 'name="code"' in page.text)
    done = people.show_code(client, phone.code(), next="/pages/visit")
    assert (303, "/pages/visit") == (done.status_code, done.headers["location"])
    assert people.is_in(client)


def test_the_dialog_of_a_device_goes_the_same_way(office: Any, people: Any, phone: Any) -> None:
    """The shell is led to the same page, and hears 204 once she is in (R65)."""
    client = office.client()
    first = client.post(
        "/sign-in", data={"name": "dora", "password": "correct horse"}, headers=SHELL
    )

    assert (303, "data-second" in client.get(first.headers["location"]).text) == (
        first.status_code,
        True,
    )
    wrong = client.post("/sign-in/second", data={"code": "000000"}, headers=SHELL)
    right = client.post("/sign-in/second", data={"code": phone.code()}, headers=SHELL)
    assert [422, 204] == [wrong.status_code, right.status_code]
    assert people.is_in(client)


@pytest.mark.parametrize("apart", [-STEP_S, 0, STEP_S])
def test_clocks_may_differ_by_a_step(office: Any, people: Any, phone: Any, apart: int) -> None:
    """The code before and the one after let in, too (RFC 6238)."""
    people.clock(STEP_S)
    client = office.client()
    people.sign_in(client, "dora")

    assert 303 == people.show_code(client, phone.code(apart)).status_code


@pytest.mark.parametrize("apart", [-10 * STEP_S, -2 * STEP_S, 2 * STEP_S, 10 * STEP_S])
def test_codes_of_other_times_let_nobody_in(
    office: Any, people: Any, phone: Any, apart: int
) -> None:
    """What was read from a screen some minutes ago is worthless (R65)."""
    people.clock(20 * STEP_S)
    client = office.client()
    people.sign_in(client, "dora")

    assert 422 == people.show_code(client, phone.code(apart)).status_code
    assert not people.is_in(client)


def test_a_code_is_used_once(office: Any, people: Any, phone: Any) -> None:
    """Whoever looks over her shoulder is too late, within the same half minute (R65)."""
    code = phone.code()
    for status in (303, 422):
        client = office.client()
        people.sign_in(client, "dora")
        assert status == people.show_code(client, code).status_code
    # an older code within the window is used with it
    people.sign_in(client, "dora")
    assert 422 == people.show_code(client, phone.code(-STEP_S)).status_code


def test_the_code_that_has_set_it_up_is_used(office: Any, people: Any) -> None:
    """The first code of all counts as used, too (R65)."""
    client = office.client("dora")
    page = client.post("/account/factors/authenticator")
    code = pyotp.TOTP(people.secret_in(page)).at(tables.utc_now())
    assert 200 == people.confirm_app(client, page, code).status_code
    other = office.client()
    people.sign_in(other, "dora")

    assert 422 == people.show_code(other, code).status_code


def test_guessing_codes_is_slow_and_a_right_password_does_not_begin_anew(
    office: Any, people: Any, phone: Any
) -> None:
    """The count goes over all sign-ins: whoever has the password tries five and waits (R65)."""
    statuses = []
    for _ in range(8):
        client = office.client()
        people.sign_in(client, "dora")
        statuses.append(people.show_code(client, "000000").status_code)

    assert [422] * 5 + [429] * 3 == statuses
    assert people.show_code(client, phone.code()).headers["retry-after"].isdigit()
    assert not people.is_in(client)


@pytest.mark.long
@pytest.mark.usefixtures("phone")
def test_waiting_begins_no_new_count(office: Any, people: Any) -> None:
    """The wait grows to a day: in a month of guessing there are few dozen guesses (R65)."""
    month, guesses, gone = 30 * 24 * 3600, 0, 0
    while gone < month:
        client = office.client()
        people.sign_in(client, "dora")
        answer = people.show_code(client, "000000")
        guesses += answer.status_code == 422
        wait = int(answer.headers.get("retry-after", "1"))
        people.clock(wait)
        gone += wait

    assert guesses < 60


def test_a_browser_of_hers_waits_for_no_stranger(office: Any, people: Any, phone: Any) -> None:
    """Who has her password guesses elsewhere; a browser that she has used lets her in (R65)."""
    hers = office.client()
    people.sign_in(hers, "dora")
    people.show_code(hers, phone.code())
    hers.post("/sign-out")
    for _ in range(8):
        stranger = office.client()
        people.sign_in(stranger, "dora")
        people.show_code(stranger, "000000")
    people.clock(STEP_S)
    people.sign_in(hers, "dora")

    assert 303 == people.show_code(hers, phone.code()).status_code


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "\x7f", "."])
def test_without_the_first_step_there_is_no_second(
    office: Any, people: Any, phone: Any, token: str
) -> None:
    """A code alone is nothing, whatever the cookie says (R65)."""
    client = office.client()
    client.cookies.set("fieldpost_half", token)

    assert 422 == people.show_code(client, phone.code()).status_code
    assert 422 == client.post("/sign-in/second/passkey", data={"credential": "{}"}).status_code
    assert 303 == client.get("/sign-in/second").status_code
    assert not people.is_in(client)


def test_one_persons_code_lets_no_other_in(office: Any, people: Any, phone: Any) -> None:
    """A second factor is its user's only (R65)."""
    bert, _ = people.add_app(office.client("bert"))
    client = office.client()
    people.sign_in(client, "bert")

    assert 422 == people.show_code(client, phone.code()).status_code
    assert 303 == people.show_code(client, bert.code()).status_code


@pytest.mark.parametrize("ends", ["time", "password", "off", "reset", "signed in"])
def test_a_half_sign_in_ends(office: Any, people: Any, phone: Any, ends: str) -> None:
    """By time, a new password, switching off, a reset, or the sign-in itself (R65)."""
    client, admin = office.client(), office.client("admin")
    people.sign_in(client, "dora")
    if ends == "time":
        people.clock(601)
    elif ends == "password":
        mine = {"user": "dora", "password": "four words of mine"}
        admin.post("/people/password", data=mine)
    elif ends == "off":
        admin.post("/people/active", data={"user": "dora", "active": "false"})
    elif ends == "reset":
        admin.post("/people/factors", data={"user": "dora"})
    else:
        half = client.cookies["fieldpost_half"]
        people.show_code(client, phone.code())
        client = office.client()
        client.cookies.set("fieldpost_half", half)
        people.clock(STEP_S)
    answer = people.show_code(client, phone.code())

    assert (422, True) == (answer.status_code, "Begin again" in answer.text)
    assert not people.is_in(client)


def test_after_ten_wrong_codes_the_password_is_asked_for(
    office: Any, people: Any, phone: Any
) -> None:
    """A half sign-in is no door that stays ajar (R65)."""
    client = office.client()
    people.sign_in(client, "dora")
    for _ in range(10):
        people.clock(3600 * 25)
        office.run(sa.update(tables.half_sign_in).values(expires_at=_later()))
        people.show_code(client, "000000")
    people.clock(3600 * 25)
    office.run(sa.update(tables.half_sign_in).values(expires_at=_later()))

    assert "Begin again" in people.show_code(client, phone.code()).text


def _later() -> datetime:
    return tables.utc_now() + timedelta(days=3)


def test_a_recovery_code_lets_in_once(office: Any, people: Any, events: Any) -> None:
    """However it is typed; what is kept of it opens nothing (R65)."""
    _, answer = people.add_app(office.client("dora"))
    codes = people.recovery_codes(answer)

    assert 10 == len(set(codes))
    assert not any(code in repr(office.rows(sa.select(tables.recovery_code))) for code in codes)
    typed = codes[0].upper().replace("-", " ")
    for status in (303, 422):
        client = office.client()
        people.sign_in(client, "dora")
        assert status == people.show_code(client, typed).status_code
    assert ("recovery code used", "dora", "9 left") in events("dora")
    people.sign_in(client, "dora")
    people.show_code(client, codes[1])
    assert "8 recovery codes left" in client.get("/account").text


@pytest.mark.usefixtures("phone")
@pytest.mark.parametrize(
    "code", ["", " ", "12345", "1234567", "१२३४५६", "0" * 2000, "\0", "000000\n"]
)
def test_what_is_no_code_lets_nobody_in(office: Any, people: Any, code: str) -> None:
    """Other digits than those of a code, none and too many are answered as a wrong one (R66)."""
    client = office.client()
    people.sign_in(client, "dora")

    assert 422 == people.show_code(client, code).status_code
    assert not people.is_in(client)


@pytest.mark.passes("code-unjudged", "code-used", "half-sign-in-over", "recovery-code-used")
def test_the_log_of_security_events_tells_of_it(
    office: Any, people: Any, phone: Any, events: Any
) -> None:
    """Who had the password and not the code is seen by administrators (R65)."""
    client = office.client()
    people.sign_in(client, "dora")
    people.show_code(client, "000000")
    people.show_code(client, phone.code())

    assert [
        ("second factor added", "dora", "authenticator app: Authenticator app"),
        ("recovery codes made", "dora", ""),
        ("second factor asked", "", ""),
        ("sign-in refused", "", "the code was wrong"),
    ] == events("dora")


def test_an_invitation_stands_for_the_password_only(office: Any, people: Any, phone: Any) -> None:
    """Who makes a link for somebody is not in by that: the code is asked for (R65)."""
    admin, thief = office.client("admin"), office.client()
    page = admin.post("/people/invitation", data={"user": "dora"}).text
    code = page.split("/invitation?code=")[1].split('"')[0]
    answer = thief.post("/invitation", data={"code": code, "password": "four words of mine"})

    assert (303, "/sign-in/second") == (answer.status_code, answer.headers["location"])
    assert not people.is_in(thief)
    assert 303 == people.show_code(thief, phone.code()).status_code


def test_a_secret_is_sealed_where_the_server_has_one(
    office: Any, people: Any, tmp_path: Any
) -> None:
    """A dump of the database makes no codes; with another secret it is said in words (R65)."""
    files = {name: tmp_path / name for name in ("one", "other")}
    for name, file in files.items():
        file.write_text(f"{name} secret " * 10)
    with office_like(office, signing_secret_file=str(files["one"])) as sealed:
        phone, _ = people.add_app(sealed.client("dora"))
        client = sealed.client()
        people.sign_in(client, "dora")
        assert 303 == people.show_code(client, phone.code()).status_code
    people.clock(STEP_S)

    assert phone.secret not in repr(office.rows(sa.select(tables.authenticator)))
    with office_like(office, signing_secret_file=str(files["other"])) as other:
        client = other.client()
        people.sign_in(client, "dora")
        answer = people.show_code(client, phone.code())
        assert (503, True) == (answer.status_code, "cannot read" in answer.text)


def test_a_sealed_secret_of_one_row_opens_no_other(office: Any, people: Any, tmp_path: Any) -> None:
    """Whoever can write into the database gives nobody a secret that she knows (R65)."""
    file = tmp_path / "secret"
    file.write_text("a secret of the server " * 3)
    with office_like(office, signing_secret_file=str(file)) as sealed:
        phone, _ = people.add_app(sealed.client("bert"))
        people.add_app(sealed.client("dora"))
        table = tables.authenticator
        (kept,) = office.rows(sa.select(table.c.secret).where(table.c.user == "bert"))[0]
        office.run(sa.update(table).where(table.c.user == "dora").values(secret=kept))
        client = sealed.client()
        people.sign_in(client, "dora")

        assert 503 == people.show_code(client, phone.code()).status_code
