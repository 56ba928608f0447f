"""Every way in, and what has become of a person meanwhile: one table says who comes in."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from apps.offices import office_like
from apps.openid_providers import ISSUER, SETTINGS, FakeProvider
from apps.soft_passkey import SoftPasskey
from fieldpost_server.providers import openid
from fieldpost_server.storage import tables

NAME, MINE = "anna", "four words of mine"
SHELL = {"Fieldpost-Shell": "1"}

Enter = Callable[[], Any]
"""Goes the last step of a way; returns the browser that may be in then."""


class Scene:
    """An office with anna, her device, and whoever tries to come in as her."""

    def __init__(self, office: Any, people: Any, fake: FakeProvider) -> None:
        self.office, self.people, self.fake = office, people, fake
        self.device = office.device(NAME, download=False)
        self.admin = office.client("admin")

    def change(self, what: str, **fields: str) -> Any:
        answer = self.admin.post(f"/people/{what}", data={"user": NAME, **fields})
        assert answer.status_code in (200, 303), answer.text
        return answer

    def code(self) -> str:
        return str(self.change("invitation").text.split("/invitation?code=")[1].split('"')[0])

    def half(self) -> Any:
        client = self.office.client()
        answer = self.people.sign_in(client, NAME)
        assert answer.headers["location"].startswith("/sign-in/second")
        return client


def session(scene: Scene) -> Enter:
    return lambda: scene.device.client


def password(scene: Scene) -> Enter:
    client = scene.office.client()
    return lambda: (scene.people.sign_in(client, NAME), client)[1]


def invitation(scene: Scene) -> Enter:
    code, client = scene.code(), scene.office.client()
    form = {"code": code, "password": MINE}
    return lambda: (client.post("/invitation", data=form), client)[1]


def password_that_is_due(scene: Scene) -> Enter:
    scene.change("password", password=MINE)
    client = scene.office.client()
    answer = scene.people.sign_in(client, NAME, MINE)
    code = answer.headers["location"].split("code=")[1]
    form = {"code": code, "password": f"{MINE} too"}
    return lambda: (client.post("/invitation", data=form), client)[1]


def authenticator(scene: Scene) -> Enter:
    phone, _ = scene.people.add_app(scene.device.client)

    def enter() -> Any:
        client = scene.office.client()
        scene.people.sign_in(client, NAME)
        scene.people.show_code(client, phone.code())
        return client

    return enter


def half_with_authenticator(scene: Scene) -> Enter:
    phone, _ = scene.people.add_app(scene.device.client)
    client = scene.half()
    return lambda: (scene.people.show_code(client, phone.code()), client)[1]


def half_with_recovery_code(scene: Scene) -> Enter:
    _, answer = scene.people.add_app(scene.device.client)
    code, client = scene.people.recovery_codes(answer)[0], scene.half()
    return lambda: (scene.people.show_code(client, code), client)[1]


def half_with_passkey(scene: Scene) -> Enter:
    passkey = SoftPasskey()
    assert 200 == scene.people.add_passkey(scene.device.client, passkey).status_code
    client = scene.half()
    options = client.post("/sign-in/second/options").json()
    data = {"credential": passkey.sign(options)}
    return lambda: (client.post("/sign-in/second/passkey", data=data), client)[1]


def linked(scene: Scene) -> None:
    values = {"issuer": ISSUER, "subject": "s-1", "user": NAME}
    scene.office.run(sa.insert(tables.identity).values(**values))


def provider(scene: Scene) -> Enter:
    linked(scene)
    client = scene.office.client()
    query = scene.fake.begin(client.get("/sign-in/provider").headers["location"])
    return lambda: (client.get("/sign-in/provider/callback", params=query), client)[1]


def provider_and_authenticator(scene: Scene) -> Enter:
    linked(scene)
    phone, _ = scene.people.add_app(scene.device.client)
    client = scene.office.client()
    query = scene.fake.begin(client.get("/sign-in/provider").headers["location"])
    client.get("/sign-in/provider/callback", params=query)
    return lambda: (scene.people.show_code(client, phone.code()), client)[1]


WAYS = [
    *(session, password, invitation, password_that_is_due, authenticator),
    *(half_with_authenticator, half_with_recovery_code, half_with_passkey),
    *(provider, provider_and_authenticator),
]
STATES: dict[str, Callable[[Scene], object]] = {
    "enabled": lambda _: None,
    "off": lambda scene: scene.change("active", active="false"),
    "off and on": lambda scene: (
        scene.change("active", active="false"),
        scene.change("active", active="true"),
    ),
    "no role": lambda scene: scene.change("role", role="Offline", give="false"),
    "revoked device": lambda scene: scene.admin.post(
        "/devices/revoke", data={"device": scene.device.id, "work": "left"}
    ),
    "given back": lambda scene: scene.change("give-back"),
}
BEGUN = {session, invitation, password_that_is_due, half_with_authenticator} | {
    *(half_with_recovery_code, half_with_passkey, provider_and_authenticator)
}
"""What was begun before."""


def lets_in(way: Callable[[Scene], Enter], state: str) -> bool:
    """The table."""
    if state in ("off", "given back"):
        return False
    if state == "off and on":
        return way not in BEGUN
    return not (state == "revoked device" and way is session)


@pytest.fixture
def scene(
    office: Any, people: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """The office, with a provider where the way asks for one: a passkey is for another address."""
    fake = FakeProvider()
    monkeypatch.setattr(openid, "_asked", fake.answer)
    if "provider" not in request.node.callspec.id:
        yield Scene(office, people, fake)
        return
    with office_like(office, **{**SETTINGS, "oidc_adds_users": False}) as served:
        yield Scene(served, people, fake)


@pytest.mark.long
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_who_comes_in(scene: Scene, way: Callable[[Scene], Enter], state: str) -> None:
    """Nobody whose account is off or was given back, whatever she had begun before (R46, R65)."""
    enter = way(scene)
    STATES[state](scene)
    client = enter()

    expected = lets_in(way, state)
    assert expected == (200 == client.get("/account", headers=SHELL).status_code)
    # and a device gets something only where a browser does
    device = f"d-{uuid.uuid4()}"
    client.post("/sync/device", json={"device": device})
    image = client.get("/sync/image", headers={"Fieldpost-Device": device})
    assert expected == (200 == image.status_code)
