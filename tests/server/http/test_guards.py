"""In front of everything: foreign origins and endless bodies (R65, R66)."""

from typing import Any

import pytest

from apps.offices import office_like


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://office.evil.example"},
        {"Origin": "http://office:81"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_of_other_sites_are_refused(office: Any, headers: dict[str, str]) -> None:
    """A page of another origin cannot act in the user's name (R65)."""
    client = office.client("dora")
    for address in ("/pages/drugs/new", "/sign-in", "/sign-out", "/sync/push"):
        answer = client.post(address, data={"name": "Aspirin"}, headers=headers)

        assert (403, "foreign_origin") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://office"},
        {"Origin": "http://office", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_own_requests_and_programs_pass(office: Any, headers: dict[str, str]) -> None:
    """What the browser calls the same origin is, and programs say nothing."""
    client = office.client("dora")

    answer = client.post("/pages/drugs/new", data={"name": "Aspirin"}, headers=headers)
    assert 303 == answer.status_code


def test_behind_a_proxy_the_public_address_counts(office: Any) -> None:
    """With a public address set, the Host header says nothing (R65)."""
    with office_like(office, origin="https://field.example") as proxied:
        client = proxied.client("dora")
        own, foreign = (
            client.post("/pages/drugs/new", data={"name": "Aspirin"}, headers={"Origin": origin})
            for origin in ("https://field.example", "http://office")
        )

    assert [303, 403] == [own.status_code, foreign.status_code]


def test_every_answer_carries_the_security_headers(office: Any) -> None:
    """No inline script, no eval, no frames, on pages, errors and refusals alike (R65)."""
    client = office.client("dora")
    answers = [
        client.get("/"),
        client.get("/nonsense"),
        client.get("/sync/nonsense"),
        office.client().get("/sign-in"),
        client.post("/", headers={"Origin": "http://evil"}),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "nosniff" == answer.headers["x-content-type-options"]
