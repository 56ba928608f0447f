"""People, their roles and seats; what follows from them at once (R3-R6)."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, FieldpostError, InputError, NotFound
from fieldpost.users import OFFLINE
from fieldpost_server.accounts.seats import seats_taken
from fieldpost_server.accounts.users import add_user, give_role, list_users, take_role
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

SHELL = "<title>Shell</title>"
HTML = {"Accept": "text/html,*/*"}


def test_unknown_pages_users_and_roles_are_said_in_words(office: Any) -> None:
    """Nothing changes, and the page says what is wrong."""
    admin = office.client("admin")
    give = {"give": "true"}

    for address, data, status, words in (
        ("/designer/pages/nix", {"offline": "true"}, 404, "There is no page"),
        ("/designer/users/nix", {**give, "role": "Admin"}, 404, "There is no user"),
        ("/designer/users/anna", {**give, "role": "King"}, 400, "There is no role"),
        ("/designer/users/anna", give, 400, "There is no role"),
    ):
        answer = admin.post(address, data=data)
        assert answer.status_code == status
        assert words in answer.text


def test_the_last_seat_is_given_once(fieldpost_database: Database) -> None:
    """Two administrators who give the last seat at the same time: one is refused (R5)."""
    database, outcomes = fieldpost_database, list[str]()
    names = [f"user{number}" for number in range(6)]

    def add_all(session: Session) -> None:
        for name in names:
            add_user(session, name, "correct horse", seats=3)

    database.write(add_all)

    def give(name: str) -> None:
        try:
            database.write(lambda s: give_role(s, name, OFFLINE, known_roles=[OFFLINE], seats=3))
            outcomes.append("given")
        except FieldpostError as error:
            outcomes.append(str(error.problems[0].code))

    threads = [threading.Thread(target=give, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["given"] * 3 + ["no_seat_left"] * 3
    with database.read_session() as session:
        assert seats_taken(session) == 3


def test_field_workers_without_an_offline_page_are_told_and_work_online(office: Any) -> None:
    """Nothing is downloaded; the menu says why (R6)."""
    admin, anna = office.client("admin"), office.client("anna")
    for page in ("visit", "patient", "ward"):
        admin.post(f"/designer/pages/{page}", data={"offline": "false"})

    menu = anna.get("/", headers=HTML).text

    assert SHELL not in menu
    assert "No page is prepared for work without a connection yet" in menu
    assert anna.get("/pages/visit", headers=HTML).status_code == 200


def test_a_role_taken_counts_at_once(office: Any) -> None:
    """Without the role the same session works online."""
    anna = office.client("anna")
    office.client("admin").post("/designer/users/anna", data={"role": OFFLINE, "give": "false"})

    assert SHELL not in anna.get("/", headers=HTML).text


def test_users_are_found_however_they_are_capitalised(fieldpost_database: Database) -> None:
    """Names are unique in any capitalisation, and keep the one they were given."""
    database = fieldpost_database
    database.write(lambda s: add_user(s, "Zoë", "correct horse", roles=["Admin"], seats=1))

    with pytest.raises(InputError) as caught:
        database.write(lambda s: add_user(s, " zoË ", "correct horse", seats=1))
    assert caught.value.problems[0].code is Code.USER_EXISTS
    with database.read_session() as session:
        assert [(u.name, u.roles) for u in list_users(session)] == [("Zoë", frozenset({"Admin"}))]


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 101])
def test_names_that_cannot_be_are_refused(fieldpost_database: Database, name: str) -> None:
    """A user name is short, visible text."""
    with pytest.raises(InputError):
        fieldpost_database.write(lambda s: add_user(s, name, "correct horse", seats=1))


def test_a_user_with_a_refused_role_is_not_added(fieldpost_database: Database) -> None:
    """Adding a user is one transaction."""
    database = fieldpost_database

    with pytest.raises(InputError):
        database.write(
            lambda s: add_user(s, "anna", "correct horse", roles=["Admin", "King"], seats=1)
        )

    with database.read_session() as session:
        assert list_users(session) == []
    with pytest.raises(NotFound):
        database.write(lambda s: take_role(s, "anna", "Admin"))


def _roles(office: Any) -> set[tuple[str, str]]:
    return set(office.rows(sa.select(tables.user_role.c.user, tables.user_role.c.role)))


def test_the_only_administrator_stays_one(fieldpost_database: Database) -> None:
    """Two who take the role from themselves at once: one of them keeps it (R57)."""
    database, outcomes = fieldpost_database, list[str]()
    for name in ("ada", "ana"):
        database.write(
            lambda s, n=name: add_user(s, n, "correct horse", roles=["Admin"], seats=1)  # type: ignore[misc]  # mypy knows no lambda with a default
        )

    def take(name: str) -> None:
        try:
            database.write(lambda s: take_role(s, name, "Admin"))
            outcomes.append("taken")
        except FieldpostError as error:
            outcomes.append(str(error.problems[0].code))

    threads = [threading.Thread(target=take, args=(name,)) for name in ("ada", "ana")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["last_admin", "taken"] == sorted(outcomes)
    with database.read_session() as session:
        assert 1 == sum("Admin" in user.roles for user in list_users(session))


def test_the_designer_says_why_an_administrator_stays_one(office: Any) -> None:
    """One tap does not lock everybody out; with a second administrator it works (R57)."""
    admin = office.client("admin")
    refused = admin.post("/designer/users/admin", data={"role": "Admin", "give": "false"})
    give = {"role": "Admin", "give": "true"}
    assert 303 == admin.post("/designer/users/dora", data=give).status_code
    done = admin.post("/designer/users/admin", data={"role": "Admin", "give": "false"})

    assert (409, True) == (refused.status_code, "is the only administrator" in refused.text)
    assert 303 == done.status_code
    assert ("dora", "Admin") in _roles(office)
