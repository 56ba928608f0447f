"""Providers of identities: the reference implementation, and one that says what a test wants."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from fieldpost_server.providers import openid

ORIGIN = "http://office"
CLIENT, SECRET = "fieldpost", "a secret: of both +"
HERE = Path(__file__).parent
ISSUER = "https://id.example.com"


@contextmanager
def reference(people: dict[str, Any]) -> Iterator[str]:
    """Run the reference implementation, and yield its issuer."""
    redirect = f"{ORIGIN}/sign-in/provider/callback"
    command = [
        "node",
        str(HERE / "openid_provider.mjs"),
        redirect,
        CLIENT,
        SECRET,
        json.dumps(people),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(20)


def show_oneself(address: str, subject: str) -> str:
    """Sign in at the reference implementation as a browser would; return where it leads back to."""
    with httpx.Client(follow_redirects=False, trust_env=False) as browser:
        answer = browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                where = str(answer.headers["location"])
                if where.startswith(ORIGIN):
                    return where
                answer = browser.get(httpx.URL(str(answer.url)).join(where))
                continue
            (action,) = re.findall(r'<form[^>]*action="([^"]+)"', answer.text)[:1]
            (prompt,) = re.findall(r'name="prompt" value="(\w+)"', answer.text)
            filled = {"prompt": prompt, "login": subject, "password": "any"}
            answer = browser.post(httpx.URL(str(answer.url)).join(action), data=filled)
    raise AssertionError(answer.text)


@dataclass
class FakeProvider:
    """Answers as the test wants; without changes all is right.

    Attributes:
        said: claims, in place of those that are right.
        metadata, query: the same of its document, and of the address of the way back.
        key: what it signs with; `shown` is what it says that it signs with.
        sign: makes the token in another way.
    """

    said: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    shown: Any = None
    sign: Callable[[dict[str, Any]], str] | None = None
    asked: dict[str, str] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, address: str) -> dict[str, str]:
        """Note the question; return the query of the way back."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return {"code": "c", "state": self.asked["state"], "iss": ISSUER, **self.query}

    def answer(self, method: str, where: str, **how: Any) -> dict[str, Any]:
        """Stand for what the server asks of it over the network."""
        ends = {
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/me",
        }
        self.sent.append({"method": method, "where": where, **how})
        if where.endswith(openid.WELL_KNOWN):
            must = {"authorization_response_iss_parameter_supported": True}
            return {"issuer": ISSUER, **ends, **must, **self.metadata}
        if where == ends["jwks_uri"]:
            return dict(KeySet([self.shown or self.key]).as_dict(private=False))
        if where == ends["userinfo_endpoint"]:
            return {"sub": "s-1", **self.more}
        now = int(time.time())
        right = {
            "iss": ISSUER,
            "sub": "s-1",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked["nonce"],
            "preferred_username": "zoe",
        }
        claims = {k: v for k, v in {**right, **self.said}.items() if v is not None}
        algorithm = "RS256" if isinstance(self.key, RSAKey) else "ES256"
        token = (
            self.sign(claims)
            if self.sign
            else jwt.encode(
                {"alg": algorithm, "kid": "one"}, claims, self.key, algorithms=[algorithm]
            )
        )
        return {"access_token": "a", "token_type": "Bearer", "id_token": token}


SETTINGS = {
    "origin": ORIGIN,
    "oidc_issuer": ISSUER,
    "oidc_client": CLIENT,
    "oidc_secret": SECRET,
    "oidc_adds_users": True,
    "oidc_roles": "medical=Doctor, field=Offline, chiefs=Admin",
}


def come_in(client: Any, fake: FakeProvider, wanted: str = "/", **changes: str) -> Any:
    """Go to the fake provider and come back."""
    away = client.get(f"/sign-in/provider?next={wanted}")
    assert away.status_code == 303, away.text
    query = {**fake.begin(away.headers["location"]), **changes}
    return client.get("/sign-in/provider/callback", params=query)
