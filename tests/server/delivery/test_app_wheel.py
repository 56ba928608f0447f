"""A stranger cannot download what an author wrote (R65)."""

import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from fieldpost_server.application import make_application
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.storage import tables

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets("apps.clinic:app", ROOT / "pwa", ROOT / "node_modules", name="Clinic")


@pytest.fixture
def served(office: Any, assets: Assets) -> Iterator[Any]:
    """The office with everything that browsers load."""
    made = type(office)(office.settings, make_application(office.settings, assets))
    yield made
    made.close()


def own_of(manifest: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = manifest["wheels"][-1]
    assert "/apps-0+" in own["url"]
    return own


def test_the_apps_own_wheel_needs_a_session(served: Any) -> None:
    """Nobody who is not signed in has it, in whole or in part, by any spelling of its address."""
    manifest = served.client().get("/assets/manifest.json").json()
    url = own_of(manifest)["url"]
    folder, name = url.removeprefix("/assets/app/").split("/")
    assert {200} == {served.client(name).get(url).status_code for name in ("anna", "dora")}

    for method in ("GET", "HEAD"):
        for headers in ({}, {"Range": "bytes=0-99"}, {"Accept": "text/html"}, {"Cookie": "x=y"}):
            answer = served.client().request(method, url, headers=headers)
            assert 401 == answer.status_code
    for other in (
        *(
            f"/assets/{folder}/{name}",
            f"/assets//app/{folder}/{name}",
            f"/assets/App/{folder}/{name}",
        ),
        *(f"/assets/x/../app/{folder}/{name}", f"/assets/./app/{folder}/{name}", f"/{url}"),
        *(f"/assets/%61pp/{folder}/{name}", f"/assets%2Fapp/{folder}/{name}", quote(url, safe="")),
        *(f"/sign-in/..{url}", f"/assets/app%2F{folder}%2F{name}", f"{url}/", f"{url}?sign-in"),
    ):
        answer = served.client().get(other, headers={"Accept-Encoding": "identity"})
        assert b"PK\x03\x04" not in answer.content, other
        assert answer.status_code in (303, 401, 404), other


def test_what_is_not_the_authors_is_for_everybody(served: Any) -> None:
    """Python, the libraries and the shell can be fetched and kept before anybody signs in."""
    client = served.client()
    manifest = client.get("/assets/manifest.json").json()
    own = own_of(manifest)
    every = [*manifest["shell"], *manifest["pyodide"]["files"], *manifest["wheels"]]

    for entry in (entry for entry in every if entry != own):
        answer = client.get(entry["url"])
        assert (200, "public, max-age=31536000, immutable") == (
            answer.status_code,
            answer.headers["cache-control"],
        )
        if entry["url"].endswith(".whl"):
            names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
            assert [] == [n for n in names if n.startswith("apps/")]
    # whoever has signed out has left none of it in the browser
    answer = served.client("anna").get(own["url"])
    assert "no-store" == answer.headers["cache-control"]


def test_a_session_that_has_ended_is_told_from_a_file_that_is_gone(served: Any) -> None:
    """A device knows from the answer whether to sign in or to look for another version."""
    client = served.client("anna")
    url = own_of(client.get("/assets/manifest.json").json())["url"]
    assert 404 == client.get("/assets/app/0000000000000000/apps-0+1-py3-none-any.whl").status_code
    served.run(sa.delete(tables.session))

    answer = client.get(url)
    assert (401, "signed_out") == (answer.status_code, answer.json()["error"]["code"])
    assert "fieldpost-server" in answer.headers


def test_whoever_asks_for_it_is_in_the_log(served: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Also who was refused: an author may ask who has her files."""
    manifest = served.client().get("/assets/manifest.json").json()
    url = own_of(manifest)["url"]
    anna = served.client("anna")
    with caplog.at_level(logging.INFO, "fieldpost"):
        served.client().get(url)
        anna.get(url)
        anna.get(manifest["wheels"][0]["url"])

    found = [r.__dict__["fields"] for r in caplog.records if r.getMessage() == "request"]
    assert [("", 401), ("anna", 200)] == [(each["user"], each["status"]) for each in found]


def test_a_cut_download_of_it_goes_on(served: Any) -> None:
    """Any part can be had with the tag that is its digest, packed or not (R7)."""
    client = served.client("anna")
    own = own_of(client.get("/assets/manifest.json").json())
    whole = client.get(own["url"], headers={"Accept-Encoding": "gzip"})
    tag = f'"{own["sha256"]}"'
    rest = client.get(own["url"], headers={"Range": "bytes=100-", "If-Range": tag})

    assert (200, "gzip", own["size"]) == (
        whole.status_code,
        whole.headers["content-encoding"],
        len(whole.content),
    )
    assert (206, whole.content[100:]) == (rest.status_code, rest.content)
