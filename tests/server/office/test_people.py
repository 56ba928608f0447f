"""People: accounts, roles, passwords, invitations and sessions by page (R5, R57, R65)."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import InputError
from fieldpost_server.accounts.invitations import invite, take_invitation
from fieldpost_server.accounts.users import NO_PASSWORD
from fieldpost_server.storage import tables

OWN = "four words of hers"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"


def sign_in(client: Any, name: str, password: str = "correct horse", **headers: str) -> Any:
    data = {"name": name, "password": password}
    return client.post("/sign-in", data=data, headers=headers)


def code_in(text: str) -> str:
    found = re.search(r"/invitation\?code=([\w-]+)", text)
    assert found is not None, text
    return found[1]


def added(admin: Any, name: str, **more: str) -> Any:
    return admin.post("/people", data={"user": name, **more})


def change(client: Any, what: str, user: str, **fields: str) -> Any:
    return client.post(f"/people/{what}", data={"user": user, **fields})


CHANGES = [
    ("", {"user": "new"}),
    ("/role", {"user": "dora", "role": "Admin", "give": "true"}),
    ("/active", {"user": "anna", "active": "false"}),
    ("/password", {"user": "anna", "password": OWN}),
    ("/invitation", {"user": "anna"}),
    ("/sessions", {"user": "anna", "session": "all"}),
]


@pytest.mark.parametrize("user", ["anna", "dora", ""])
def test_people_are_for_administrators(office: Any, user: str) -> None:
    """Nobody else sees or changes an account, whatever the address (R34)."""
    client = office.client(user or None)
    kept = [tables.user, tables.user_role, tables.session, tables.invitation]
    before = [office.rows(sa.select(table)) for table in kept]
    answers = [client.get("/people"), client.get("/people?user=anna")]
    answers += [client.post(f"/people{below}", data=data) for below, data in CHANGES]

    assert {403 if user else 303} == {each.status_code for each in answers}
    assert before == [office.rows(sa.select(table)) for table in kept]


def test_somebody_who_is_added_sets_her_own_password_and_is_signed_in(office: Any) -> None:
    """The link, or its QR code, is all that she needs; it works once (R65)."""
    shown = added(office.client("admin"), "zoë", **{"role:Doctor": "true"})
    code, zoe = code_in(shown.text), office.client()

    assert "<svg" in shown.text
    assert "zoë" in zoe.get("/invitation", params={"code": code}).text
    taken = zoe.post("/invitation", data={"code": code, "password": OWN})
    assert (303, "/") == (taken.status_code, taken.headers["location"])
    assert 200 == zoe.get("/", headers={"Accept": "text/html"}).status_code
    again = office.client().post("/invitation", data={"code": code, "password": "another word"})
    assert 410 == again.status_code
    assert "was used before" in again.text
    assert 303 == sign_in(office.client(), "zoë", OWN).status_code
    assert [("zoë", "Doctor")] == office.rows(
        sa.select(tables.user_role).where(tables.user_role.c.user == "zoë")
    )


def test_an_invitation_is_in_no_backup(office: Any) -> None:
    """The link holds a secret that only its digest is kept of (R65)."""
    code = code_in(added(office.client("admin"), "zoe").text)
    kept = office.rows(sa.select(tables.invitation)) + office.rows(sa.select(tables.security_event))

    assert code not in repr(kept)


def test_an_invitation_ends_by_time(office: Any) -> None:
    """A link that somebody finds later opens nothing (R65)."""
    code = office.write(lambda session: invite(session, "anna", timedelta(seconds=-1)))
    answer = office.client().get("/invitation", params={"code": code})

    assert 410 == answer.status_code
    assert "anna" not in answer.text


@pytest.mark.passes("invitation-taken", "invited-unanswered", "user-added-unanswered")
@pytest.mark.parametrize("password", ["", "short", "password", "x" * 3000])
def test_a_bad_password_leaves_the_invitation(office: Any, password: str) -> None:
    """Whoever chooses badly is told so and chooses again (R65)."""
    code, zoe = code_in(added(office.client("admin"), "zoe").text), office.client()
    answer = zoe.post("/invitation", data={"code": code, "password": password})

    assert answer.status_code in (400, 413)
    assert 'role="alert"' in answer.text
    assert 303 == zoe.post("/invitation", data={"code": code, "password": OWN}).status_code


def test_nobody_signs_in_without_a_password(office: Any) -> None:
    """Somebody who was invited and has not come yet has none that could be guessed (R65)."""
    added(office.client("admin"), "zoe")
    (stored,) = office.rows(
        sa.select(tables.user.c.password_hash).where(tables.user.c.name == "zoe")
    )

    for password in ("", NO_PASSWORD, stored[0]):
        assert 422 == sign_in(office.client(), "zoe", password).status_code


def test_a_password_that_others_know_is_replaced_at_the_next_sign_in(office: Any) -> None:
    """With the administrator's password there is no session, only the way to one's own (R65)."""
    admin, dora = office.client("admin"), office.client("dora")
    set_one = change(admin, "password", "dora", password="words of the office")

    assert (303, 401) == (set_one.status_code, dora.get("/sync/pull").status_code)
    fresh = office.client()
    sent = sign_in(fresh, "dora", "words of the office")
    assert "/invitation?code=" in sent.headers["location"]
    assert "fieldpost_session" not in fresh.cookies
    code = code_in(sent.headers["location"])
    assert 303 == fresh.post("/invitation", data={"code": code, "password": OWN}).status_code
    assert "/" == sign_in(office.client(), "dora", OWN).headers["location"]


@pytest.mark.passes("password-set-unanswered")
def test_a_device_is_told_where_to_replace_the_password(office: Any) -> None:
    """The shell's question has no place for a new one: its words say where there is (R65)."""
    change(office.client("admin"), "password", "anna", password="words of the office")
    asked = {"Fieldpost-Shell": "1"}
    answer = sign_in(office.client(), "anna", "words of the office", **asked)

    assert 422 == answer.status_code
    assert "Open http://office/sign-in" in answer.text


def test_who_is_switched_off_is_out_at_once_and_told_so(office: Any) -> None:
    """Her sessions and invitations end; only with her password she learns why (R46)."""
    admin, dora = office.client("admin"), office.client("dora")
    code = code_in(change(admin, "invitation", "dora").text)

    assert 303 == change(admin, "active", "dora", active="false").status_code
    assert 401 == dora.get("/sync/pull").status_code
    assert 410 == dora.get("/invitation", params={"code": code}).status_code
    right, wrong = sign_in(office.client(), "dora"), sign_in(office.client(), "dora", "a wrong one")
    assert (422, 422) == (right.status_code, wrong.status_code)
    assert "Your account is switched off" in right.text
    assert "switched off" not in wrong.text
    assert 303 == change(admin, "active", "dora", active="true").status_code
    assert 303 == sign_in(office.client(), "dora").status_code


def test_nobody_switches_the_last_administrator_off(office: Any) -> None:
    """Neither herself nor the only one of all: somebody must be able to undo it."""
    admin = office.client("admin")
    assert 409 == change(admin, "active", "admin", active="false").status_code
    assert 409 == change(admin, "role", "admin", role="Admin", give="false").status_code
    change(admin, "role", "dora", role="Admin", give="true")

    assert 409 == change(admin, "active", "admin", active="false").status_code
    assert 303 == change(office.client("dora"), "active", "admin", active="false").status_code
    refused = change(office.client("dora"), "role", "dora", role="Admin", give="false")
    assert 409 == refused.status_code
    assert "only administrator" in refused.text


def test_sessions_are_seen_and_ended(office: Any) -> None:
    """An administrator sees where somebody is signed in, and ends one or all (R65)."""
    admin, one, other = office.client("admin"), office.client(), office.client("dora")
    sign_in(one, "dora", **{"User-Agent": IPHONE})
    page = admin.get("/people?user=dora").text
    ids = re.findall(r'name="session" value="([0-9a-f]{16})"', page)

    assert "Safari on iPhone" in page
    assert 2 == len(ids)
    for foreign in ("", "%", "0" * 16, ids[0][:15] + "%"):
        change(admin, "sessions", "dora", session=foreign)
    change(admin, "sessions", "anna", session=ids[0])
    assert [404, 404] == [each.get("/sync/nothing").status_code for each in (one, other)]
    change(admin, "sessions", "dora", session=ids[0])
    assert [401, 404] == sorted(each.get("/sync/nothing").status_code for each in (one, other))
    change(admin, "sessions", "dora", session="all")
    assert [401, 401] == [each.get("/sync/nothing").status_code for each in (one, other)]
    assert 200 == admin.get("/people").status_code


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"user": "dora"}, 409),
        ({"user": " DORA "}, 409),
        ({"user": "a\nb"}, 400),
        ({"user": "x" * 101}, 400),
        ({"user": "new", "display_name": "a\u202eb"}, 400),
    ],
)
def test_nobody_is_added_with_a_bad_name(office: Any, fields: Any, status: int) -> None:
    """What was typed comes back with words, and nobody is added (R66)."""
    admin, before = office.client("admin"), office.rows(sa.select(tables.user.c.name))

    assert status == admin.post("/people", data=fields).status_code
    assert before == office.rows(sa.select(tables.user.c.name))


def test_an_unknown_person_is_said(office: Any) -> None:
    """A name that nobody has leads back to all people (R66)."""
    admin = office.client("admin")

    assert 404 == admin.get("/people?user=nobody").status_code
    assert {404} == {
        change(admin, what, "nobody", active="false").status_code
        for what in ("role", "active", "password", "invitation", "sessions")
    }


def test_of_two_who_open_a_link_at_once_one_is_too_late(office: Any) -> None:
    """An invitation sets one password, however quickly it is used (R65)."""
    code = code_in(change(office.client("admin"), "invitation", "dora").text)
    start, outcomes = threading.Barrier(4), list[str]()

    def take() -> None:
        start.wait()
        try:
            office.write(lambda session: take_invitation(session, code))
            outcomes.append("taken")
        except InputError as error:
            outcomes.append(str(error.problems[0].code))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["invitation_over"] * 3 + ["taken"] == sorted(outcomes)


def test_whoever_reloads_the_answer_to_a_form_is_led_back(office: Any) -> None:
    """A link is shown once; its page is no dead end."""
    admin = office.client("admin")
    shown = change(admin, "invitation", "dora")
    action = re.search(r'action="(/people/invitation[^"]*)"', shown.text)
    assert action is not None
    led = admin.get(action[1])

    assert (303, "/people?user=dora") == (led.status_code, led.headers["location"])
