"""Fixtures of second factors: authenticator apps, what pages show, and a clock that is turned."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from apps.soft_passkey import SoftPasskey
from fieldpost_server.storage import tables

PASSWORD = "correct horse"
STEP_S = 30
HOME = "/account/factors"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the clock in the middle of a step, and return what turns it on by seconds."""
    now = datetime.fromtimestamp(tables.utc_now().timestamp() // STEP_S * STEP_S + 15, UTC)
    at = [now]
    monkeypatch.setattr(tables, "utc_now", lambda: at[0])

    def turn(seconds: float) -> None:
        at[0] += timedelta(seconds=seconds)

    return turn


@dataclass
class Phone:
    """An authenticator app, with the secret that a page has shown once."""

    secret: str

    def code(self, seconds: float = 0) -> str:
        return pyotp.TOTP(self.secret).at(tables.utc_now() + timedelta(seconds=seconds))


@dataclass
class People:
    """What people do with their second factors."""

    clock: Callable[[float], None]

    def sign_in(self, client: Any, name: str, password: str = PASSWORD, **more: str) -> Any:
        return client.post("/sign-in", data={"name": name, "password": password, **more})

    def add_app(self, client: Any, base: str = HOME, **more: str) -> tuple[Phone, Any]:
        """Add an authenticator app, and return it with the answer to its first code."""
        page = client.post(f"{base}/authenticator")
        assert page.status_code == 200, page.text
        phone = Phone(self.secret_in(page))
        answer = self.confirm_app(client, page, phone.code(), base, **more)
        assert answer.status_code in (200, 303), answer.text
        # the code of this step is used
        self.clock(STEP_S)
        return phone, answer

    def confirm_app(self, client: Any, page: Any, code: str, base: str = HOME, **more: str) -> Any:
        (identity,) = re.findall(r'name="id" value="([0-9a-f]{32})"', page.text)
        data = {"id": identity, "code": code, **more}
        return client.post(f"{base}/authenticator/code", data=data)

    def add_passkey(self, client: Any, passkey: SoftPasskey, base: str = HOME, **wrong: str) -> Any:
        options = client.post(f"{base}/passkey/options").json()
        data = {"credential": passkey.make(options, **wrong), "name": "Key"}
        return client.post(f"{base}/passkey/made", data=data)

    def use_passkey(self, client: Any, passkey: SoftPasskey, **wrong: str) -> Any:
        options = client.post("/sign-in/second/options").json()
        data = {"credential": passkey.sign(options, **wrong)}
        return client.post("/sign-in/second/passkey", data=data)

    def show_code(self, client: Any, code: str, **more: str) -> Any:
        return client.post("/sign-in/second", data={"code": code, **more})

    def secret_in(self, page: Any) -> str:
        (secret,) = re.findall(r"<code>([A-Z2-7 ]{32,})</code>", page.text)
        return str(secret).replace(" ", "")

    def recovery_codes(self, page: Any) -> list[str]:
        return re.findall(r"<code>([a-z2-7-]{29})</code>", page.text)

    def is_in(self, client: Any) -> bool:
        return bool(client.get("/account").status_code == 200)


@pytest.fixture
def people(clock: Callable[[float], None]) -> People:
    """What people do."""
    return People(clock)


@pytest.fixture
def events(office: Any) -> Callable[[str], list[tuple[str, str, str]]]:
    """Return what is kept of who did something to somebody: what, who, detail."""
    kept = tables.security_event

    def of(whom: str) -> list[tuple[str, str, str]]:
        query = sa.select(kept.c.what, kept.c.who, kept.c.detail).order_by(kept.c.id)
        return [tuple(row) for row in office.rows(query.where(kept.c.whom == whom))]

    return of
