"""One's own account: password, sessions, devices (R65)."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_server.storage import tables

OLD, NEW = "correct horse", "four words of hers"


def change(client: Any, old: str = OLD, new: str = NEW) -> Any:
    return client.post("/account/password", data={"old": old, "new": new})


def is_in(client: Any) -> bool:
    return bool(client.get("/account").status_code == 200)


@pytest.mark.parametrize("user", ["anna", "dora", "admin"])
def test_everybody_changes_her_own_password(office: Any, user: str) -> None:
    """With the old one; all other sessions end, and this one has a new cookie (R65)."""
    mine, other, stranger = office.client(user), office.client(user), office.client("bert")
    cookie = mine.cookies["fieldpost_session"]
    answer = change(mine)

    assert (303, "/account?done=password") == (answer.status_code, answer.headers["location"])
    assert cookie != mine.cookies["fieldpost_session"]
    assert [True, False, True] == [is_in(each) for each in (mine, other, stranger)]
    assert 303 == office.client().post("/sign-in", data={"name": user, "password": NEW}).status_code
    assert 422 == office.client().post("/sign-in", data={"name": user, "password": OLD}).status_code


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    [
        ("wrong", NEW, 422, "The present password is wrong"),
        ("", NEW, 422, "The present password is wrong"),
        (OLD, "short", 400, "needs at least"),
        (OLD, "password123", 400, "one of the first"),
        (OLD, "dora dora dora", 400, "one of the first"),
    ],
)
def test_nothing_changes_without_the_old_password_or_with_a_bad_one(
    office: Any, old: str, new: str, status: int, words: str
) -> None:
    """What is wrong is said, and sessions and password stay (R65)."""
    mine, other = office.client("dora"), office.client("dora")
    answer = change(mine, old, new)

    assert status == answer.status_code
    assert words in answer.text
    assert [True, True] == [is_in(mine), is_in(other)]
    assert 303 == change(mine).status_code


def test_guessing_the_old_password_is_throttled(office: Any) -> None:
    """A browser that was left open tells nobody the password (R65)."""
    thief = office.client("dora")
    for _ in range(5):
        assert 422 == change(thief, "wrong").status_code
    answer = change(thief)

    assert 429 == answer.status_code
    assert answer.headers["retry-after"].isdigit()


@pytest.mark.passes("own-sessions-open")
def test_one_ends_ones_own_sessions_and_no_others(office: Any) -> None:
    """One of them, or all others; those of other people are out of reach (R65)."""
    mine, one, two, bert = (office.client(name) for name in ("dora", "dora", "dora", "bert"))
    ids = re.findall(r'name="session" value="([0-9a-f]{16})"', mine.get("/account").text)
    of_bert = office.rows(
        sa.select(tables.session.c.token_sha256).where(tables.session.c.user == "bert")
    )

    assert 2 == len(ids)
    for nothing in (of_bert[0][0][:16], "", "all", "%"):
        mine.post("/account/sessions", data={"session": nothing})
    assert [True] * 4 == [is_in(each) for each in (mine, one, two, bert)]
    mine.post("/account/sessions", data={"session": ids[0]})
    assert [False, True] == sorted([is_in(one), is_in(two)])
    mine.post("/account/sessions", data={"session": "others"})
    assert [True, False, False, True] == [is_in(each) for each in (mine, one, two, bert)]
