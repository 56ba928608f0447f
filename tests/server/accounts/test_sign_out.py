"""Signing out without a connection ends the session at the next contact (R49, R65)."""

import asyncio
from typing import Any

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fieldpost_server.accounts.sessions import COOKIE
from fieldpost_server.accounts.sign_out import LEFT, EndLeftSessions
from fieldpost_server.devices.standings import note_emptied
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database


def test_a_device_that_was_left_offline_signs_nobody_in(office: Any) -> None:
    """With the mark, the first contact ends the session on the server and takes the mark away."""
    client = office.client("anna")
    client.cookies.set(LEFT, "1", domain="office.local", path="/")

    answer = client.get("/", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert f"{LEFT}=;" in answer.headers["set-cookie"]
    assert [] == office.rows(sa.select(tables.session))
    assert LEFT not in client.cookies


def test_the_next_person_can_sign_in_at_once(office: Any) -> None:
    """Signing in with the mark still there starts a session that stays."""
    client = office.client("anna")
    old = client.cookies[COOKIE]
    client.cookies.set(LEFT, "1", domain="office.local", path="/")

    client.post("/sign-in", data={"name": "bert", "password": "correct horse"})

    assert client.cookies[COOKIE] != old
    assert client.get("/", headers={"Fieldpost-Shell": "1"}).status_code == 200
    assert [("bert",)] == office.rows(sa.select(tables.session.c.user))


def test_no_cache_keeps_an_answer_that_empties_a_browser(fieldpost_database: Database) -> None:
    """A stranger's mark on a file that everybody gets wipes nobody else's device (R49, R66)."""

    def file(_: Request) -> Response:
        return Response("x", headers={"Cache-Control": "public, max-age=31536000, immutable"})

    app = Starlette(routes=[Route("/assets/x.js", file)])
    guarded = EndLeftSessions(app, fieldpost_database, Settings(), note_emptied)
    mark = f"{LEFT}=d-00000000-0000-4000-8000-000000000001"
    plain, marked = asyncio.run(answers(guarded, {}, {"Cookie": mark}))

    assert "clear-site-data" not in plain.headers
    assert "immutable" in plain.headers["cache-control"]
    assert "storage" in marked.headers["clear-site-data"]
    assert "no-store" == marked.headers["cache-control"]


async def answers(app: Any, *headers: dict[str, str]) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        return [await client.get("/assets/x.js", headers=each) for each in headers]
