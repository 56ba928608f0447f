"""The web app as the server gives it, on SQLite and on PostgreSQL (R1, R2, R10, R36, R37)."""

import html
import re
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from apps.clinic import Drug, Order, Visit
from apps.fakes import ADA
from browser.pictures import png

HTML = {"Accept": "text/html"}
PNG = png()
SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}


def listed(client: Any, address: str) -> list[str]:
    text = client.get(address, headers=SHELL).text
    return [html.unescape(t) for t in re.findall(r'<td [^>]*><a href="[^"]*">(.*?)</a>', text)]


def test_strangers_are_sent_to_sign_in(office: Any) -> None:
    """Without a session there is the sign-in page, and for programs an error (R6)."""
    client = office.client()

    assert "/sign-in" == client.get("/", headers=HTML).headers["location"]
    assert 401 == client.get("/", headers=SHELL).status_code


def test_field_workers_get_the_shell_and_the_shell_gets_pages(office: Any) -> None:
    """One user interface: the shell asks for the same pages that others get (R1, R3)."""
    anna, dora = office.client("anna"), office.client("dora")

    assert "<title>Shell</title>" in anna.get("/pages/visit", headers=HTML).text
    assert "Ada Ärmel" in anna.get("/pages/visit", headers=SHELL).text
    assert "<title>Shell</title>" not in dora.get("/pages/drugs", headers=HTML).text


def test_a_form_is_saved_whole(office: Any) -> None:
    """A form with its child rows is one transaction, with names that need quoting too (R2, R36)."""
    client = office.client("anna")
    answer = client.post(
        "/pages/visit/new",
        headers=SHELL,
        data={
            "patient": str(ADA),
            "visited_on": "2026-11-23",
            "kind": "first",
            "nurse": "anna",
            "weight": "70.5",
            "orders[0]._key": "",
            "orders[0].group": "blood",
            "orders[0].share": "5",
            "orders[0].doses[0].number": "1",
            "orders[0].doses[0].amount": "2",
        },
    )
    shown = client.get(answer.headers["location"], headers=SHELL)

    assert 303 == answer.status_code
    assert 200 == shown.status_code
    for words in ("Ada Ärmel", "70.50", "blood", "2.00"):
        assert words in shown.text


def test_problems_change_nothing(office: Any) -> None:
    """A refused form is shown again, and the database is as it was (R16, R30)."""
    answer = office.client("anna").post(
        "/pages/visit/new",
        headers=SHELL,
        data={"patient": str(ADA), "visited_on": "2026-11-23", "orders[0].group": "", "kind": ""},
    )

    assert 422 == answer.status_code
    assert "Fill in Group." in answer.text
    assert [(2,)] == office.rows(sa.select(sa.func.count()).select_from(Visit))
    assert [(2,)] == office.rows(sa.select(sa.func.count()).select_from(Order))


@pytest.mark.parametrize(
    ("words", "found"),
    [("ärm", ["Ada Ärmel"]), ("ÖZIL", ["Eric Özil"]), ("%", []), ("_", []), ("\\", []), ("'", [])],
)
def test_search_folds_the_same_on_both_databases(office: Any, words: str, found: list[str]) -> None:
    """The same query gives the same answer wherever it runs (R10, R36)."""
    client = office.client("anna")

    address = str(client.asking.build_request("GET", "/pages/patient", params={"q": words}).url)
    assert found == listed(client, address)


def test_empty_values_are_last_on_both_databases(office: Any) -> None:
    """Databases disagree on where NULL stands; lists do not (R10, R36)."""
    client = office.client("dora")
    for name in ("Zinc", "aspirin", "Ärnica", "Bor"):
        client.post("/pages/drugs/new", data={"name": name})
    anna = office.client("anna")

    assert ["Ada Ärmel", "Eric Özil"] == listed(anna, "/pages/patient?sort=born_on,name")
    assert 4 == len(listed(client, "/pages/drugs?sort=name"))
    assert [("Zinc",)] == office.rows(sa.select(Drug.name).where(Drug.id == 1))


def test_two_who_edit_one_field_are_told(office: Any) -> None:
    """The second one sees both values and decides (R37)."""
    client = office.client("anna")
    text = client.get("/pages/visit/records/1/edit", headers=SHELL).text
    opened = html.unescape(re.findall(r'name="_opened" value="([^"]*)"', text)[0])
    office.run(sa.update(Visit).where(Visit.id == 1).values(score=60))
    answer = client.post(
        "/pages/visit/records/1/edit", data={"_opened": opened, "score": "55"}, headers=SHELL
    )

    assert 422 == answer.status_code
    assert "was changed by somebody else meanwhile" in answer.text
    assert [(60,)] == office.rows(sa.select(Visit.score).where(Visit.id == 1))


def test_a_file_within_a_form_is_kept(office: Any) -> None:
    """Without JavaScript a file comes with the form (R42, R43)."""
    client = office.client("anna")
    answer = client.post(
        "/pages/visit/new",
        headers=SHELL,
        data={"patient": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"},
        files={"report.file": ("notes.txt", b"all is well", "text/plain")},
    )
    shown = client.get(answer.headers["location"], headers=SHELL).text
    (address,) = re.findall(r'href="(/attachments/[0-9a-f]{64})\?name=notes.txt"', shown)
    got = client.get(address)

    assert b"all is well" == got.content
    assert "attachment" in got.headers["content-disposition"]
    assert 401 == office.client().get(address).status_code


def test_a_picture_that_is_none_is_a_problem_of_the_form(office: Any) -> None:
    """A refused file keeps what was typed (R22, R65)."""
    answer = office.client("anna").post(
        "/pages/visit/new",
        headers=SHELL,
        data={"patient": str(ADA), "summary": "typed before"},
        files={"sketch.file": ("x.svg", b"<svg onload=alert(1)>", "image/svg+xml")},
    )

    assert 422 == answer.status_code
    assert "not a picture" in answer.text
    assert "typed before" in answer.text


@pytest.mark.parametrize("held", ["[" * 5_000, "5", "null", '{"a": 1}', "nonsense"])
def test_a_file_beside_a_damaged_list_of_files_is_a_problem_of_the_form(
    office: Any, held: str
) -> None:
    """What the browser sends back is as untrusted as everything else (R66)."""
    answer = office.client("anna").post(
        "/pages/visit/new",
        headers=SHELL,
        data={"patient": str(ADA), "summary": "typed before", "photos": held},
        files={"photos.file": ("x.png", PNG, "image/png")},
    )

    assert 422 == answer.status_code
    assert "Photos could not be read as a picture or file" in answer.text
    assert "typed before" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/pages/visit/records/2",
        "/pages/visit/records/99999999999",
        "/pages/visit/records/999999999999999999999999",
        "/pages/patient/records/nonsense",
        "/pages/ward/records/%00",
        "/pages/ward/records/x%00y",
    ],
)
def test_what_is_not_hers_or_no_key_is_not_found(office: Any, address: str) -> None:
    """No key in an address is an error of the server's, on either database (R34, R66)."""
    assert 404 == office.client("anna").get(address, headers=SHELL).status_code


@pytest.mark.parametrize("words", ["\0", "\ud800".encode("utf-8", "surrogatepass"), "x" * 5000])
def test_no_search_breaks_the_list(office: Any, words: Any) -> None:
    """Characters that a database cannot hold find nothing (R66)."""
    address = f"/pages/patient?q={quote(words)}"
    assert 200 == office.client("anna").get(address, headers=SHELL).status_code


def test_health_says_what_is_missing(office: Any) -> None:
    """An administrator reads what to do (R61)."""
    good = office.client().get("/health")
    office.run(sa.text("DROP TABLE reading"))
    bad = office.client().get("/health")

    assert (200, True) == (good.status_code, good.json()["ok"])
    assert 503 == bad.status_code
