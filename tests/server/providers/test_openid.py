"""Signing in with a provider (OpenID Connect): a real one, and what attackers send (R65)."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from apps.openid_providers import CLIENT, ISSUER, SECRET, come_in, reference, show_oneself
from fieldpost.errors import DefinitionError
from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.identity.provider_sign_in import MOST_ASKED
from fieldpost_server.providers import openid
from fieldpost_server.quotas.kinds import Kind
from fieldpost_server.storage import tables

SUBJECTS = {"s-1": {"preferred_username": "zoe", "name": "Zoe Z", "groups": ["medical", "x"]}}


def is_in(client: Any) -> bool:
    return bool(client.get("/account").status_code == 200)


def roles_of(office: Any, name: str) -> set[str]:
    table = tables.user_role
    return {row[0] for row in office.rows(sa.select(table.c.role).where(table.c.user == name))}


@pytest.mark.long
def test_the_reference_implementation_lets_in(serve: Any) -> None:
    """With PKCE, state, nonce and its own keys; she is made with her role, and found (R65)."""
    with reference(SUBJECTS) as issuer, serve(oidc_issuer=issuer) as office:
        for number in (1, 2):
            client = office.client()
            away = client.get("/sign-in/provider?next=/account")
            back = show_oneself(away.headers["location"], "s-1")
            answer = client.get(back.removeprefix("http://office"))

            assert (303, "/account") == (answer.status_code, answer.headers["location"])
            assert "You are signed in as zoe: Doctor" in client.get("/account").text
            # the same answer once more lets nobody in
            again = office.client().get(back.removeprefix("http://office"))
            assert 422 == again.status_code
            assert number == len(
                office.rows(sa.select(tables.session).where(tables.session.c.user == "zoe"))
            )
        linked = office.rows(sa.select(tables.identity.c.subject, tables.identity.c.user))
    assert [("s-1", "zoe")] == linked


@pytest.mark.passes("provider-entered-unanswered")
def test_the_fake_one_lets_in(served: Any, fake: Any) -> None:
    """What follows is refused for its own fault, and not for another one (R65)."""
    client = served.client()
    answer = come_in(client, fake, "/pages/visit")

    assert (303, "/pages/visit", True) == (
        answer.status_code,
        answer.headers["location"],
        is_in(client),
    )
    assert {"S256", "code", "login", "http://office/sign-in/provider/callback"} <= set(
        fake.asked.values()
    )
    token = next(each for each in fake.sent if each["where"].endswith("/token"))
    assert (CLIENT, SECRET.replace(":", "%3A").replace("+", "%2B").replace(" ", "+")) == token[
        "auth"
    ]
    assert 43 == len(token["data"]["code_verifier"])


@pytest.mark.passes("provider-question-counted")
def test_strangers_ask_the_provider_only_so_often(served: Any, fake: Any) -> None:
    """Each question is a row here and perhaps a call; whoever comes in is not counted (R53)."""
    assert [303] * 3 == [come_in(served.client(), fake).status_code for _ in range(3)]
    stranger = served.client()
    answers = [stranger.get("/sign-in/provider") for _ in range(61)]
    rows = served.rows(sa.select(tables.provider_question.c.nonce))

    assert [303] * 60 + [429] == [each.status_code for each in answers]
    assert answers[-1].headers["retry-after"].isdigit()
    assert 60 == len(rows)


NOW = int(time.time())


def test_answers_to_nothing_fill_no_log(served: Any, fake: Any) -> None:
    """What anybody can send is noted once an hour of an address, for each fault (R65, R66)."""

    def noted() -> list[str]:
        table = tables.security_event
        return [row[0] for row in served.rows(sa.select(table.c.detail).order_by(table.c.id))]

    for number in range(30):
        junk = f"/sign-in/provider/callback?code={number}&state={number}"
        assert 422 == served.client().get(junk).status_code
    assert ["provider: sign_in_over"] == noted()

    # another fault of the same address is another event
    fake.said = {"nonce": "another"}
    assert 422 == come_in(served.client(), fake).status_code
    assert ["provider: sign_in_over", "provider: provider_failed"] == noted()

    an_hour_ago = tables.utc_now() - timedelta(minutes=61)
    ours = tables.sign_in_failure.c.subject.startswith("noted:")
    served.run(sa.update(tables.sign_in_failure).where(ours).values(blocked_until=an_hour_ago))
    served.client().get("/sign-in/provider/callback?code=1&state=1")
    assert 3 == len(noted())


def named(wrong: dict[str, Any]) -> str:
    """Name a case, the same in every process: moments by how far they are from now."""
    told = {k: v - NOW if isinstance(v, int) and v > NOW // 2 else v for k, v in wrong.items()}
    return str(told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": CLIENT, "azp": "another"},
        {"aud": []},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": NOW - 3600},
        {"exp": None},
        {"exp": "later"},
        {"iat": NOW + 36_000},
        {"nbf": NOW + 36_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\0b"},
        {"sub": "x" * 300},
        {"at_hash": "AAAA"},
    ],
    ids=named,
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    served: Any, fake: Any, wrong: dict[str, Any]
) -> None:
    """Wrong or missing nonce, audience, issuer, time or subject (R65, R66)."""
    client = served.client()
    fake.said = wrong

    assert 422 == come_in(client, fake).status_code
    assert not is_in(client)
    assert [] == served.rows(sa.select(tables.identity))


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*texts, ""])


def by_our_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(SECRET.ljust(32, "x"))
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, algorithms=["HS256"])


def by_a_key_of_bytes(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(bytes(range(40)))
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, algorithms=["HS256"])


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        by_our_secret,
        by_a_key_of_bytes,
        lambda _: "",
        lambda _: "a.b.c",
        lambda _: "x" * 999,
    ],
)
def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(
    served: Any, fake: Any, sign: Any
) -> None:
    """Neither without a signature, nor with a secret that others have (R65, R66)."""
    client = served.client()
    fake.sign = sign

    assert 422 == come_in(client, fake).status_code
    assert not is_in(client)


def test_a_key_of_somebody_else_lets_nobody_in(served: Any, fake: Any) -> None:
    """The same id of a key is not the same key (R65)."""
    client = served.client()
    fake.shown = ECKey.generate_key("P-256", {"kid": "one"})

    assert 422 == come_in(client, fake).status_code
    fake.shown = None
    fake.key = RSAKey.generate_key(2048, {"kid": "one"})
    assert 303 == come_in(client, fake).status_code


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "another"},
        {"state": ""},
        {"iss": "https://evil.example"},
        {"iss": ""},
    ],
    ids=str,
)
def test_an_answer_to_another_question_lets_nobody_in(
    served: Any, fake: Any, wrong: dict[str, str]
) -> None:
    """Another state or provider than the one that was asked (R65)."""
    client = served.client()

    assert 422 == come_in(client, fake, **wrong).status_code
    assert not is_in(client)


def test_an_answer_is_of_the_browser_that_asked(served: Any, fake: Any) -> None:
    """Nobody signs another in as herself by a link (R65)."""
    thief, victim = served.client(), served.client()
    query = fake.begin(thief.get("/sign-in/provider").headers["location"])
    victim.get("/sign-in/provider")
    answer = victim.get("/sign-in/provider/callback", params=query)

    assert (422, False) == (answer.status_code, is_in(victim))


@pytest.mark.passes(
    "provider-refusal-unnoted", "provider-unasked", "provider-unjudged", "question-taken"
)
def test_what_she_was_refused_for_there_is_said(served: Any, fake: Any) -> None:
    """An answer without a code is words and no sign-in; it brings no markup (R66)."""
    client = served.client()
    fake.query = {"error": "<script>alert(1)</script>"}
    query = fake.begin(client.get("/sign-in/provider").headers["location"])
    del query["code"]
    answer = client.get("/sign-in/provider/callback", params=query)

    assert (422, False) == (answer.status_code, "<script>alert" in answer.text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "http://evil.example/auth"},
    ],
    ids=str,
)
def test_a_provider_that_is_another_one_is_not_asked(
    served: Any, fake: Any, wrong: dict[str, Any]
) -> None:
    """Nobody is led to where its document of another issuer, or without https, points (R65)."""
    fake.metadata = wrong
    answer = served.client().get("/sign-in/provider")

    assert (422, None) == (answer.status_code, answer.headers.get("location"))


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "%0d%0a"],
)
def test_coming_back_leads_nowhere_else(served: Any, fake: Any, wanted: str) -> None:
    """Where to go is an address of this server, whatever was asked for (R65)."""
    assert "/" == come_in(served.client(), fake, wanted).headers["location"]


def test_nobody_is_linked_by_a_name_or_an_address_of_mail(served: Any, fake: Any) -> None:
    """Who calls herself like a user of ours is not she, however it is capitalised (R65)."""
    for name in ("admin", "ADMIN", " admin "):
        client = served.client()
        fake.said = {"preferred_username": name, "email": "admin@example.com"}
        answer = come_in(client, fake)
        assert (422, False) == (answer.status_code, is_in(client))
    assert "Nobody here is linked" in answer.text


def test_users_are_made_only_where_a_setting_says_so(serve: Any, fake: Any) -> None:
    """Else an unknown person is told what to do (R65)."""
    with serve(oidc_adds_users=False) as office:
        answer = come_in(office.client(), fake)

    assert (422, True) == (answer.status_code, "Nobody here is linked" in answer.text)


@pytest.mark.passes("provider-linked-still")
def test_somebody_links_her_own_account(serve: Any, fake: Any) -> None:
    """From a session of hers, which is confirmed; afterwards the provider lets her in (R65)."""
    with serve(oidc_adds_users=False) as office:
        client = office.client("dora")
        page = client.post("/account/provider").text
        address = page.split('primary" href="')[1].split('"')[0].replace("&amp;", "&")
        query = fake.begin(address)
        done = client.get("/sign-in/provider/callback", params=query)
        assert "/account?done=saved" == done.headers["location"]

        other = office.client()
        assert 303 == come_in(other, fake).status_code
        assert "You are signed in as dora" in other.get("/account").text
        fake.said = {"sub": "s-2"}
        assert 422 == come_in(office.client(), fake).status_code
        fake.said = {}
        client.post("/account/provider/remove")
        assert 422 == come_in(office.client(), fake).status_code


@pytest.mark.usefixtures("fake")
def test_linking_asks_who_it_is(serve: Any) -> None:
    """A browser that was left open gives nobody a way in that a new password does not end (R65)."""
    with serve() as office:
        client = office.client("dora")
        earlier = tables.utc_now() - timedelta(minutes=16)
        office.run(sa.update(tables.session).values(created_at=earlier))
        asked = client.post("/account/provider")
        confirmed = client.post("/account/provider", data={"confirm_password": "correct horse"})

        assert (422, True) == (asked.status_code, "Show that it is you" in asked.text)
        assert (200, True) == (
            confirmed.status_code,
            f"{ISSUER}/auth" in confirmed.text,
        )
        assert "/account" == client.get("/account/provider").headers["location"]


def test_sign_ins_by_the_provider_are_counted(served: Any, fake: Any) -> None:
    """As those with a password; who has used up her share is told when to come again (R66)."""
    served.home.quotas.limits[Kind.SESSIONS] = 1
    first, second = come_in(served.client(), fake), come_in(served.client(), fake)

    assert [303, 429] == [first.status_code, second.status_code]
    assert 0 < int(second.headers["retry-after"]) <= 86_400


def test_a_provider_that_hangs_holds_up_few(served: Any, fake: Any, monkeypatch: Any) -> None:
    """Strangers who ask for it take no thread that others need; the question stays (R66)."""
    waiting, may_go = threading.Semaphore(0), threading.Event()

    def hang(*asked: Any, **how: Any) -> Any:
        waiting.release()
        may_go.wait(10)
        return fake.answer(*asked, **how)

    client = served.client()
    query = fake.begin(client.get("/sign-in/provider").headers["location"])
    monkeypatch.setattr(openid, "_asked", hang)
    with ThreadPoolExecutor(MOST_ASKED) as strangers:
        asked = [
            strangers.submit(served.client().get, "/sign-in/provider") for _ in range(MOST_ASKED)
        ]
        for _ in asked:
            assert waiting.acquire(timeout=10)
        late = served.client().get("/sign-in/provider")
        back = client.get("/sign-in/provider/callback", params=query)
        may_go.set()

    assert [503, 503] == [late.status_code, back.status_code]
    assert "5" == late.headers["retry-after"] == back.headers["retry-after"]
    assert [303] * MOST_ASKED == [each.result().status_code for each in asked]
    monkeypatch.setattr(openid, "_asked", fake.answer)
    fake.asked = {**fake.asked, "nonce": nonce_of(served, query)}
    assert 303 == client.get("/sign-in/provider/callback", params=query).status_code


def nonce_of(office: Any, query: dict[str, str]) -> str:
    """Return what the token that answers a question must hold."""
    table = tables.provider_question
    state = digest_of(query["state"])
    return str(office.rows(sa.select(table.c.nonce).where(table.c.state_sha256 == state))[0][0])


@pytest.mark.passes("provider-unlinked")
def test_a_question_of_one_session_links_no_other(serve: Any, fake: Any) -> None:
    """Who is brought to an answer of somebody else's question is not linked to her (R65)."""
    with serve() as office:
        thief, victim = office.client("bert"), office.client("dora")
        page = thief.post("/account/provider").text
        address = page.split('primary" href="')[1].split('"')[0].replace("&amp;", "&")
        query = fake.begin(address)
        victim.cookies.set("fieldpost_asked", thief.cookies["fieldpost_asked"])
        answer = victim.get("/sign-in/provider/callback", params=query)

        assert 422 == answer.status_code
        assert [] == office.rows(sa.select(tables.identity))


def test_who_is_switched_off_stays_out(served: Any, fake: Any) -> None:
    """Whatever the provider says of her (R65)."""
    come_in(served.client(), fake)
    served.client("admin").post("/people/active", data={"user": "zoe", "active": "false"})
    client = served.client()
    answer = come_in(client, fake)

    assert (422, True, False) == (answer.status_code, "switched off" in answer.text, is_in(client))


def test_groups_give_and_take_the_roles_of_the_mapping(served: Any, fake: Any) -> None:
    """Roles that no group stands for are left alone (R5, R65)."""
    for groups, roles in ((["medical", "?"], {"Doctor"}), ([], set()), (["field"], {"Offline"})):
        fake.said = {"groups": groups}
        assert 303 == come_in(served.client(), fake).status_code
        assert roles == roles_of(served, "zoe")


def test_the_last_administrator_keeps_her_role(served: Any, fake: Any) -> None:
    """A mapping takes nobody the last key of the house (R52)."""
    fake.said = {"groups": ["chiefs"]}
    come_in(served.client(), fake)
    served.client("admin").post(
        "/people/role", data={"user": "admin", "role": "Admin", "give": "false"}
    )
    fake.said = {"groups": []}
    client = served.client()

    assert 303 == come_in(client, fake).status_code
    assert {"Admin"} == roles_of(served, "zoe")


def test_seats_are_heeded(serve: Any, fake: Any) -> None:
    """Without a seat nobody new is made, and who is there comes in without the role (R5)."""
    with serve(seats=2) as office:
        fake.said = {"groups": ["field"]}
        assert 409 == come_in(office.client(), fake).status_code
        assert set() == roles_of(office, "zoe")
        fake.said = {"groups": []}
        assert 303 == come_in(office.client(), fake).status_code
        fake.said = {"groups": ["field"]}
        assert 303 == come_in(office.client(), fake).status_code
        assert set() == roles_of(office, "zoe")


def test_the_second_factor_is_asked_for_as_ever(serve: Any, fake: Any) -> None:
    """The provider stands for the password (R65)."""
    with serve(second_factor_roles="Doctor") as office:
        fake.said = {"groups": ["medical"]}
        client = office.client()
        answer = come_in(client, fake)

        assert "/sign-in/second" == answer.headers["location"]
        assert (200, False) == (client.get("/sign-in/second").status_code, is_in(client))


def test_what_is_told_beside_the_token_is_of_the_same_person(served: Any, fake: Any) -> None:
    """And never in the place of what is signed (R65)."""
    fake.more = {"sub": "s-9", "groups": ["chiefs"]}
    come_in(served.client(), fake)
    assert set() == roles_of(served, "zoe")
    fake.more = {"groups": ["medical"], "preferred_username": "admin"}
    come_in(served.client(), fake)
    assert {"Doctor"} == roles_of(served, "zoe")


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://id.example.com"},
        {"oidc_client": ""},
        {"origin": ""},
        {"oidc_secret_file": "/nowhere"},
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_said_at_the_start(serve: Any, wrong: dict[str, str]) -> None:
    """Nobody finds out at her first sign-in (R65)."""
    with pytest.raises(DefinitionError, match="FIELDPOST_OIDC"), serve(**wrong):
        pass


def test_the_secret_is_in_no_repr(serve: Any) -> None:
    """Whatever is logged of the settings (R65)."""
    with serve() as office:
        assert SECRET not in repr(office.settings)


def test_without_a_provider_there_is_none(office: Any) -> None:
    """No button, and no page (R65)."""
    client = office.client()

    assert "organisation" not in client.get("/sign-in").text
    assert 404 == client.get("/sign-in/provider").status_code
    assert ISSUER not in client.get("/sign-in").text
