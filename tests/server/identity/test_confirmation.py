"""Before what matters is changed, whoever is signed in shows again that it is she (R65)."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from apps.offices import office_like
from apps.openid_providers import SETTINGS
from apps.soft_passkey import SoftPasskey
from fieldpost_server.identity.confirmation import CONFIRMED

LONG = 16 * 60
GIVE = {"user": "bert", "role": "Admin", "give": "true"}
ASKED = "Show that it is you"


@pytest.fixture
def whole(office: Any) -> Iterator[Any]:
    """A server with all forms that there may be."""
    with office_like(office, **SETTINGS) as made:
        yield made


@pytest.fixture
def admin(whole: Any, people: Any) -> Any:
    """An administrator who has been signed in for a while."""
    client = whole.client("admin")
    people.clock(LONG)
    return client


def test_the_guard_stands_before_every_form_of_its_table(whole: Any) -> None:
    """No path of the table is misspelt, and each takes forms (R65)."""
    posted = {
        route.path
        for route in whole.application.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    }

    assert set() == CONFIRMED - posted


@pytest.mark.parametrize("path", sorted(CONFIRMED))
def test_who_was_signed_in_for_long_is_asked(admin: Any, path: str) -> None:
    """Nothing is changed before that, whatever the form says (R65)."""
    data = {**GIVE, "id": "x", "password": "four words of mine", "role:Admin": "1"}
    answer = admin.post(path.format(user="bert"), data=data)

    assert (422, True) == (answer.status_code, ASKED in answer.text)


def test_a_fresh_session_is_not_asked(office: Any) -> None:
    """Signing in is showing who one is (R65)."""
    assert 303 == office.client("admin").post("/people/role", data=GIVE).status_code


@pytest.mark.passes("confirmation-missed")
def test_the_form_goes_on_with_the_password(people: Any, admin: Any, events: Any) -> None:
    """What was filled in is not lost, and for a while nobody asks again (R65)."""
    page = admin.post("/people/role?user=bert", data=GIVE).text
    assert 'action="/people/role?user=bert"' in page
    assert '<input type="hidden" name="role" value="Admin">' in page
    answer = admin.post(
        "/people/role?user=bert", data={**GIVE, "confirm_password": "correct horse"}
    )

    assert "/people?user=bert&done=saved" == answer.headers["location"]
    assert ("confirmed", "admin", "with the password") in events("admin")
    assert 303 == admin.post("/people/role", data={**GIVE, "role": "Doctor"}).status_code
    people.clock(LONG)
    assert 422 == admin.post("/people/role", data={**GIVE, "give": "false"}).status_code


def test_a_wrong_password_changes_nothing_and_is_counted(
    people: Any, admin: Any, events: Any
) -> None:
    """Whoever finds a browser open guesses as slowly as at the door (R65)."""
    answers = [
        admin.post("/people/role", data={**GIVE, "confirm_password": "wrong"}) for _ in range(6)
    ]

    assert [422] * 5 + [429] == [each.status_code for each in answers]
    assert answers[5].headers["retry-after"].isdigit()
    assert ("sign-in refused", "admin", "not confirmed") in events("admin")
    assert [] == [e for e in events("bert") if e[0] == "role given"]
    people.clock(3600)
    right = admin.post("/people/role", data={**GIVE, "confirm_password": "correct horse"})
    assert 303 == right.status_code


@pytest.mark.parametrize(("verified", "status"), [(True, 303), (False, 422)])
def test_a_passkey_does_where_its_device_has_seen_her(
    office: Any, people: Any, verified: bool, status: int
) -> None:
    """A key that anybody can touch stands for no password (R65)."""
    client, key = office.client("admin"), SoftPasskey(verified=verified)
    people.add_passkey(client, key)
    people.clock(LONG)
    options = client.post("/account/confirm/options").json()
    data = {**GIVE, "confirm_credential": key.sign(options)}

    assert "required" == options["userVerification"]
    assert status == client.post("/people/role", data=data).status_code
    people.clock(LONG)
    assert 422 == client.post("/people/role", data=data).status_code


@pytest.mark.passes("confirmation-unasked", "confirmation-unjudged")
def test_a_challenge_of_the_door_confirms_nothing(office: Any, people: Any) -> None:
    """What is signed for one purpose is worthless for another (R65)."""
    client, key = office.client("admin"), SoftPasskey()
    people.add_passkey(client, key)
    people.clock(LONG)
    client.post("/account/confirm/options")
    enrol = client.post("/account/factors/passkey/options").json()
    data = {**GIVE, "confirm_credential": key.sign(enrol)}

    assert 422 == client.post("/people/role", data=data).status_code


def test_confirming_is_of_one_session(office: Any, people: Any) -> None:
    """Another browser of hers is asked for itself (R65)."""
    one, two = office.client("admin"), office.client("admin")
    people.clock(LONG)
    one.post("/people/role", data={**GIVE, "confirm_password": "correct horse"})

    assert 422 == two.post("/people/role", data=GIVE).status_code


def test_who_may_not_is_refused_also_when_she_has_confirmed(office: Any, people: Any) -> None:
    """The guard opens nothing (R34)."""
    client = office.client("dora")
    people.clock(LONG)
    answer = client.post("/people/role", data={**GIVE, "confirm_password": "correct horse"})

    assert 403 == answer.status_code


@pytest.mark.parametrize("path", ["/people/sessions", "/account/sessions", "/sign-out"])
def test_what_takes_a_way_in_away_is_never_held_up(admin: Any, path: str) -> None:
    """In an emergency nobody looks for a password first (R65)."""
    answer = admin.post(path, data={"user": "bert", "session": "all"})

    assert 303 == answer.status_code


def test_what_a_form_held_is_shown_as_text(admin: Any) -> None:
    """The fields that are sent again are no markup (R66)."""
    mark = '"><script>alert(1)</script>'
    page = admin.post(f"/people/role?user={mark}", data={mark: mark, "user": mark}).text

    assert "<script>alert" not in page
