"""What users brought is shown as a picture or handed over, and never is a page (R42, R65, R66)."""

import hashlib
from typing import Any
from urllib.parse import quote

import pytest

from browser.pictures import png
from fieldpost.wire.limits import PICTURES, SHOWN

PAGE = b'<!doctype html><main id="main"><form method="post" action="/pages/visit/records/1/delete">'
KINDS = {
    "text/html": PAGE,
    "image/png": png(8, 8),
    "application/xhtml+xml": PAGE,
    "text/javascript": b"alert(1)",
    "text/xml": b"<x/>",
    "application/pdf": b"%PDF-1.7",
    "multipart/x-mixed-replace": PAGE,
    "": PAGE,
}


def brought(client: Any, type_: str, name: str = "quote.html") -> str:
    content = KINDS[type_]
    address = f"/attachments/{hashlib.sha256(content).hexdigest()}"
    kept = client.request(
        "PUT", f"{address}?name={quote(name)}", content=content, headers={"Content-Type": type_}
    )
    assert 201 == kept.status_code, kept.text
    return address


@pytest.mark.parametrize("type_", KINDS)
def test_only_pictures_are_shown(office: Any, type_: str) -> None:
    """Everything else is a download in a sandbox, and no answer with it is marked as a page."""
    client = office.client("anna")
    answer = client.get(brought(client, type_))
    kind = answer.headers["content-disposition"].partition(";")[0]

    assert ("inline" if type_ in SHOWN else "attachment") == kind
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "fieldpost-page" not in answer.headers


@pytest.mark.parametrize(
    "name", ["Gutachten Brücke №7 (2).pdf", "写真.pdf", 'say "no".pdf', "a\r\nSet-Cookie: x=1.pdf"]
)
def test_a_reference_gives_the_name(office: Any, name: str) -> None:
    """Two references to one file each have a name of their own; none breaks the header."""
    client = office.client("anna")
    address = brought(client, "application/pdf", "first.pdf")
    first = client.get(address).headers["content-disposition"]
    answer = client.get(f"{address}?name={quote(name)}")

    assert 'filename="first.pdf"' in first
    assert "first" not in answer.headers["content-disposition"]
    assert ".pdf" in answer.headers["content-disposition"]
    assert "set-cookie" not in answer.headers


def test_pages_are_marked(office: Any) -> None:
    """The shell takes a page only from a handler of ours, and any answer only from our server."""
    client = office.client("anna")
    html = {"Accept": "text/html", "Fieldpost-Shell": "1"}
    for address in ("/", "/pages/visit", "/pages/visit/records/1/edit", "/sync", "/nowhere"):
        answer = client.get(address, headers=html)
        assert ("1", True) == (
            answer.headers["fieldpost-page"],
            "fieldpost-server" in answer.headers,
        )
    for address in ("/sync/pull", "/attachments/x", "/sync/image"):
        answer = client.get(address)
        assert "fieldpost-page" not in answer.headers
        assert "fieldpost-server" in answer.headers


def test_limits_travel_with_the_settings(office: Any) -> None:
    """A device knows what its server takes before anything is chosen (R42, R57)."""
    told = office.device("anna", download=False).register()["settings"]["limits"]

    assert {"attachment_bytes": 100 << 20, "pictures": list(PICTURES)} == told
    form = office.client("anna").get("/pages/visit/new", headers={"Fieldpost-Shell": "1"}).text
    assert f'data-max-bytes="{100 << 20}"' in form
    assert f'data-pictures="{" ".join(PICTURES)}"' in form
