"""What `docs/security.md` says of passwords, tokens, pages and logs (R65)."""

import json
import logging
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from fieldpost_server.accounts.users import set_password
from fieldpost_server.log import JsonFormatter

ODD = " Grüße an Ödön " + "çok güzel 長い " * 8


@pytest.mark.parametrize(
    "typed", [ODD.strip(), ODD.strip().upper(), ODD[:-3], ODD.replace("ü", "u")]
)
def test_a_password_counts_as_it_is_typed(office: Any, typed: str) -> None:
    """Spaces, signs and length are hers: nothing is cut off, folded or forbidden."""
    office.write(lambda session: set_password(session, "dora", ODD))
    client = office.client()

    wrong = client.post("/sign-in", data={"name": "dora", "password": typed})
    right = client.post("/sign-in", data={"name": "dora", "password": ODD})
    assert len(ODD) > 64
    assert [401, 303] == [400 < wrong.status_code < 430 and 401, right.status_code]


def test_fields_for_passwords_are_for_passwords(office: Any) -> None:
    """They are masked, take what is pasted, and tell a password manager what they want."""
    added = office.client("admin").post("/people", data={"user": "zoe"})
    link = re.search(r"/invitation\?[^\"<\s]+", added.text)
    assert link
    pages = [
        office.client().get("/sign-in").text,
        office.client("dora").get("/account").text,
        office.client().get(link[0].replace("&amp;", "&")).text,
    ]

    fields = [f for page in pages for f in re.findall(r"<input[^>]*password[^>]*>", page)]
    assert len(fields) >= 4
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert not re.search(r"maxlength|onpaste|readonly", field)


def test_tokens_cannot_be_guessed(office: Any) -> None:
    """A session's token has 256 bits of its own, at each sign-in others."""
    tokens = {office.client("dora").cookies["fieldpost_session"] for _ in range(5)}

    assert 5 == len(tokens)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,}", token) for token in tokens)


@pytest.mark.parametrize(
    "path", ["/", "/pages/patient", "/pages/patient/new", "/account", "/people", "/nowhere"]
)
def test_every_page_lets_sign_out(office: Any, path: str) -> None:
    """Whoever is signed in has the way out before her."""
    answer = office.client("admin").get(path, headers={"Fieldpost-Shell": "1"})

    assert re.search(r'<form[^>]*action="/sign-out"', answer.text)


def test_addresses_do_not_leave_with_links(office: Any) -> None:
    """No other site learns which page somebody came from."""
    for path in ("/sign-in", "/health", "/nowhere"):
        assert "same-origin" == office.client().get(path).headers["referrer-policy"]


def test_strangers_learn_nothing_of_the_inside(office: Any) -> None:
    """The description of the calls needs a session; health is a yes or a no."""
    stranger = office.client()

    assert 401 == stranger.get("/sync/openapi.json").status_code
    assert {"ok": True} == stranger.get("/health").json()
    for path in ("/docs", "/openapi.json", "/metrics", "/debug", "/.git/config", "/assets/"):
        answer = stranger.get(path, headers={"Fieldpost-Shell": "1"})
        assert answer.status_code in (401, 404)


def logged(office: Any, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what a server logs while people come, mistype, are refused and send garbage."""
    with caplog.at_level(logging.DEBUG):
        office.client().post("/sign-in", data={"name": "dora", "password": "canary wrong one"})
        dora = office.client("dora")
        dora.get("/designer", headers={"Fieldpost-Shell": "1", "Authorization": "canary header"})
        dora.get("/pages/patient?q=canary-query")
        dora.get(f"/nowhere/{quote(chr(10))}%0d%0a{{%22event%22:%22forged%22}}")
        dora.post("/pages/drugs/new", data={"name": "canary value"})
        office.client().get("/invitation?code=canary-code")
    token = dora.cookies["fieldpost_session"]
    lines = [JsonFormatter().format(r) for r in caplog.records if r.name.startswith("fieldpost")]
    assert token not in "\n".join(lines)
    return lines


def test_each_request_leaves_one_line(office: Any, caplog: pytest.LogCaptureFixture) -> None:
    """When (in UTC), who, from where, what and how it ended: also what was refused."""
    entries = [json.loads(line) for line in logged(office, caplog)]
    requests = [each for each in entries if each["event"] == "request"]

    for each in requests:
        assert timedelta() == datetime.fromisoformat(each["at"]).utcoffset()
        assert {"user", "address", "method", "path", "status", "ms"} <= each.keys()
    assert {"127.0.0.1"} == {each["address"] for each in requests}
    assert ("dora", 403) in [(e["user"], e["status"]) for e in requests if e["path"] == "/designer"]


def test_no_line_is_forged_and_none_holds_a_secret(
    office: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an address holds stays inside its line; contents, queries and headers stay out."""
    lines = logged(office, caplog)

    assert not [line for line in lines if "\n" in line or "\r" in line]
    assert "forged" not in [json.loads(line)["event"] for line in lines]
    assert "canary" not in "\n".join(lines)
