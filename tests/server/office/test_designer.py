"""The Project Designer: offline pages, roles and seats (R4, R5, R57)."""

from typing import Any

import pytest
import sqlalchemy as sa

from apps.offices import office_like
from fieldpost_server.storage import tables

HTML = {"Accept": "text/html"}
SHELL = "<title>Shell</title>"


def roles(office: Any, user: str) -> set[str]:
    query = sa.select(tables.user_role.c.role).where(tables.user_role.c.user == user)
    return {row[0] for row in office.rows(query)}


def change(client: Any, user: str, role: str, give: bool = True) -> Any:
    fields = {"role": role, "give": str(give).lower()}
    return client.post(f"/designer/users/{user}", data=fields)


@pytest.mark.parametrize("user", ["anna", "dora"])
def test_the_designer_is_for_administrators(office: Any, user: str) -> None:
    """Everybody else is refused, whatever the address (R34, R57)."""
    client = office.client(user)
    answers = [
        client.get("/designer"),
        client.post("/designer/pages/visit", data={"offline": "false"}),
        change(client, user, "Admin"),
    ]

    assert [403, 403, 403] == [a.status_code for a in answers]
    assert "Admin" not in roles(office, user)
    assert [] == office.rows(sa.select(tables.page_setting))


def test_the_designer_shows_pages_users_and_seats(office: Any) -> None:
    """All configuration there is, on one page (R4, R57)."""
    text = office.client("admin").get("/designer").text

    for words in ("Visits", "Patients", "Wards", "anna", "bert", "dora"):
        assert words in text


def test_marking_a_page_takes_effect_at_once(office: Any) -> None:
    """Without a restart, a page is offline or not, for devices and menus (R57)."""
    admin, device = office.client("admin"), office.device("anna", download=False)
    answer = admin.post("/designer/pages/ward", data={"offline": "false"})
    without = device.register()["settings"]["offline"]
    admin.post("/designer/pages/ward", data={"offline": "true"})

    assert (303, "/designer?done=saved") == (answer.status_code, answer.headers["location"])
    assert ["visit", "patient"] == without
    assert ["visit", "patient", "ward"] == device.register()["settings"]["offline"]


def test_an_unknown_page_is_not_found(office: Any) -> None:
    """A forged name changes nothing (R66)."""
    admin = office.client("admin")

    assert 404 == admin.post("/designer/pages/nonsense", data={"offline": "true"}).status_code
    assert [] == office.rows(sa.select(tables.page_setting))


def test_a_field_worker_gets_the_shell_once_a_page_is_offline(office: Any) -> None:
    """The role and one offline page make the device; without a page she works online (R3, R6)."""
    admin, anna = office.client("admin"), office.client("anna")
    assert SHELL in anna.get("/", headers=HTML).text
    for page in ("visit", "patient", "ward"):
        admin.post(f"/designer/pages/{page}", data={"offline": "false"})

    text = anna.get("/", headers=HTML).text
    assert SHELL not in text
    assert "No page is prepared for work without a connection yet" in text


def test_the_seat_beyond_the_last_is_refused(office: Any) -> None:
    """With all seats taken the role is refused in words; nobody who has one is affected (R5)."""
    with office_like(office, seats=2) as small:
        admin = small.client("admin")
        refused = change(admin, "dora", "Offline")
        assert 409 == refused.status_code
        assert "All 2 field-worker seats are taken." in refused.text
        assert [{"Offline"}, {"Offline"}, {"Doctor"}] == [
            roles(office, name) for name in ("anna", "bert", "dora")
        ]

        assert 303 == change(admin, "bert", "Offline", give=False).status_code
        assert 303 == change(admin, "dora", "Offline").status_code
        assert {"Doctor", "Offline"} == roles(office, "dora")
        assert 303 == change(admin, "anna", "Offline").status_code


def test_unknown_roles_and_users_are_refused(office: Any) -> None:
    """Only roles of the app can be given, to users who are there (R66)."""
    admin = office.client("admin")

    assert 400 == change(admin, "dora", "Boss").status_code
    assert 404 == change(admin, "nobody", "Doctor").status_code
    assert {"Doctor"} == roles(office, "dora")
