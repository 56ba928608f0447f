"""What browsers are told to keep, to send and to allow; which hosts are answered (R65)."""

from typing import Any

import pytest

from apps.offices import office_like
from fieldpost_server.accounts.sessions import COOKIE, WHO

PUBLIC = "https://field.example"


def sign_in(client: Any, name: str = "dora", **headers: str) -> Any:
    form = {"name": name, "password": "correct horse"}
    return client.post("/sign-in", data=form, headers=headers)


def test_nothing_of_a_person_is_kept_by_a_browser(office: Any) -> None:
    """Whatever does not say otherwise is `no-store`: pages, answers and refusals."""
    device = office.device("anna", download=False)
    answers = [
        office.client("dora").get("/pages/patient"),
        office.client().get("/sign-in"),
        office.client().get("/pages/patient"),
        device.client.get("/sync/image", headers=device.headers),
        device.ask(),
        device.client.post("/sync/device", json={"device": device.id}),
    ]

    assert {"no-store"} == {each.headers["cache-control"] for each in answers}


def test_forms_may_ask_for_what_they_need_and_nothing_else(office: Any) -> None:
    """Camera, place and microphone are for our own pages only; what nobody needs is for nobody."""
    policy = office.client().get("/sign-in").headers["permissions-policy"].split(", ")

    assert {"camera=(self)", "geolocation=(self)", "microphone=(self)"} < set(policy)
    assert {"usb=()", "payment=()"} < set(policy)


def test_browsers_insist_on_https_where_the_address_says_so(office: Any) -> None:
    """A public address with https is never asked for by http again; a plain one says nothing."""
    with office_like(office, origin=PUBLIC) as public:
        kept = public.client().get("/sign-in").headers["strict-transport-security"]

    assert "max-age=31536000; includeSubDomains" == kept
    assert "strict-transport-security" not in office.client().get("/sign-in").headers


@pytest.mark.passes("left-session-open")
def test_cookies_are_of_this_host_only(office: Any) -> None:
    """A neighbour under the same domain can neither sign anybody in nor out."""
    with office_like(office, origin=PUBLIC) as public:
        client = public.client("dora")
        names = {cookie.name for cookie in client.cookies.jar}
        thrown = public.client()
        # what a neighbour set has no prefix: browsers refuse one from there
        token = client.cookies[f"__Host-{COOKIE}"]
        planted = thrown.get("/sync/pull", headers={"Cookie": f"{COOKIE}={token}"})
        beside = f"{COOKIE}=x; __Host-{COOKIE}={token}; {COOKIE}=y; fieldpost_signed_out=1"
        still = thrown.get("/pages/patient", headers={"Cookie": beside})
        left = f"__Host-{COOKIE}={token}; __Host-fieldpost_signed_out=1"
        out = thrown.get("/pages/patient", headers={"Cookie": left})

    assert {f"__Host-{COOKIE}", f"__Host-{WHO}"} <= names
    assert [401, 200, 303] == [planted.status_code, still.status_code, out.status_code]


def test_signing_in_again_ends_the_session_that_was_open(office: Any) -> None:
    """What a browser had before is worth nothing, whoever has copied it."""
    client = office.client("dora")
    old = client.cookies[COOKIE]
    assert 303 == sign_in(client, "anna").status_code

    answer = office.client().get("/sync/pull", headers={"Cookie": f"{COOKIE}={old}"})
    assert 401 == answer.status_code


def test_only_the_public_host_is_answered(office: Any) -> None:
    """Another Host header gets no page and no redirect; who watches over the server may ask."""
    with office_like(office, origin=PUBLIC) as public:
        client = public.client()
        hosts = ("field.example", "FIELD.example:443", "evil.example", "field.example:80")
        seen = [client.get("/sign-in", headers={"Host": h}).status_code for h in hosts]
        health = client.get("/health", headers={"Host": "127.0.0.1:8000"})

    assert [200, 200, 400, 400] == seen
    assert 200 == health.status_code


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_follows_the_host_header(office: Any, method: str) -> None:
    """A slash too many leads nowhere, least of all with a password."""
    answer = office.client().request(method, "/sign-in/", headers={"Host": "evil.example"})

    assert "evil" not in answer.headers.get("location", "")
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("settings", "origin", "status"),
    [
        ({}, "http://office", 303),
        ({"proxies": "10.0.0.1"}, "https://office", 403),
        ({"proxies": "10.0.0.1"}, "http://office", 303),
        ({"origin": PUBLIC}, "http://field.example", 403),
        ({"origin": PUBLIC}, "https://field.example", 303),
        ({"origin": f"{PUBLIC}/"}, "https://FIELD.example", 303),
    ],
)
def test_an_origin_is_its_scheme_as_well(
    office: Any, settings: dict[str, str], origin: str, status: int
) -> None:
    """The same host by another scheme is another site, where anybody knows the scheme."""
    with office_like(office, **settings) as served:
        answer = sign_in(served.client(), Origin=origin)

    assert status == answer.status_code


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "DEBUG"])
def test_methods_that_nobody_needs_are_refused(office: Any, method: str) -> None:
    """Nothing comes back of what was sent, to strangers and to users."""
    for client in (office.client(), office.client("dora")):
        for path in ("/sign-in", "/pages/patient", "/sync/pull", "/health", "/assets/style.css"):
            answer = client.request(
                method, path, headers={"Mark": "canary", "Fieldpost-Shell": "1"}
            )
            assert answer.status_code in (401, 404, 405)
            assert "canary" not in answer.text


def test_no_other_site_may_read_an_answer(office: Any) -> None:
    """There is no CORS: whatever an origin asks, no answer says that it may have it."""
    for origin in ("https://evil.example", "null", "http://office"):
        for method in ("GET", "OPTIONS"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for path in ("/sync/pull", "/pages/patient", "/health"):
                answer = office.client("dora").request(method, path, headers=headers)
                named = [name for name in answer.headers if name.startswith("access-control-")]
                assert [] == named
        assert "same-origin" == answer.headers["cross-origin-resource-policy"]


def test_whatever_has_a_body_says_what_it_is(office: Any) -> None:
    """Text names its encoding, and nothing is left for browsers to guess."""
    device = office.device("anna", download=False)
    dora = office.client("dora")
    answers = [
        *(dora.get(path) for path in ("/pages/patient", "/pages/patient/new", "/nowhere")),
        *(office.client().get(path) for path in ("/sign-in", "/health", "/robots.txt")),
        *(device.client.get(p, headers=device.headers) for p in ("/sync/image", "/sync/pull")),
    ]

    assert all(answer.content for answer in answers)
    for answer in answers:
        kind = answer.headers["content-type"]
        assert "charset=utf-8" in kind or not kind.startswith("text/")
        assert "nosniff" == answer.headers["x-content-type-options"]
