"""OpenID Connect: where the provider asks people who they are, and whether its answer is right.

The code flow with PKCE, state and nonce. It needs the extra ``oidc`` of this package, and imports
that late: most servers have no provider.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote_plus, urlencode, urlsplit

from fieldpost.errors import Code, DefinitionError, InputError, problem
from fieldpost.text.jsontext import parse
from fieldpost_server.settings import MIB, Settings

ALGORITHMS = ("RS256", "PS256", "ES256")
"""How identity tokens may be signed: never not at all, and never with what we send ourselves."""
PATIENCE_S = 10
LEEWAY_S = 60
SCOPE = "openid profile email"
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Question:
    """One sign-in that was begun: where the browser goes, and what its answer has to fit."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider that the settings name."""

    settings: Settings

    def ready(self) -> None:
        """Say in words what is missing before anybody needs it.

        Raises:
            DefinitionError: the extra is not installed, or the settings do not fit.
        """
        if not all(find_spec(name) for name in ("authlib", "httpx", "joserfc")):
            _wrong("needs more packages: install 'fieldpost[oidc]'")
        parts, settings = urlsplit(self.settings.oidc_issuer), self.settings
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
            _wrong("must be an address with https")
        if not settings.oidc_client or not settings.origin:
            _wrong("needs FIELDPOST_OIDC_CLIENT and FIELDPOST_ORIGIN, too")
        self._secret()

    @property
    def redirect_uri(self) -> str:
        """Return where the provider sends people back to, never by what a request names."""
        return f"{self.settings.origin.rstrip('/')}/sign-in/provider/callback"

    def ask(self) -> Question:
        """Return a new question.

        Raises:
            InputError: the provider does not answer, or is not the one of the settings.
        """
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": self.settings.oidc_client,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
            # who signs out here on a shared device is not let in again without being asked
            "prompt": "login",
        }
        where = str(self._metadata()["authorization_endpoint"])
        joint = "&" if urlsplit(where).query else "?"
        return Question(f"{where}{joint}{urlencode(asked)}", state, nonce, verifier)

    def claims(self, query: Mapping[str, str], nonce: str, verifier: str) -> dict[str, Any]:
        """Return what the provider says of somebody who comes back from it.

        Args:
            query: of the address that she came to; its state was looked at before.
            nonce: of the question.
            verifier: of the question.

        Raises:
            InputError: she was refused there, or something is wrong with the answer.
        """
        metadata = self._metadata()
        said = query.get("iss", "")
        must_say = metadata.get("authorization_response_iss_parameter_supported") is True
        if (said or must_say) and said != self.settings.oidc_issuer:
            _refuse("the answer is of another provider")
        if "code" not in query:
            _refuse(f"it said '{query.get('error', 'nothing')[:100]}'")
        tokens = self._tokens(str(metadata["token_endpoint"]), query["code"], verifier)
        claims = self._identity(metadata, tokens, nonce)
        return {**self._more(metadata, tokens, str(claims["sub"])), **claims}

    def _tokens(self, where: str, code: str, verifier: str) -> dict[str, Any]:
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        client, secret = self.settings.oidc_client, self._secret()
        if not secret:
            return _asked("POST", where, data={**data, "client_id": client})
        # both are encoded before they are joined (RFC 6749, 2.3.1)
        return _asked("POST", where, data=data, auth=(quote_plus(client), quote_plus(secret)))

    def _identity(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], nonce: str
    ) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        issuer, client = self.settings.oidc_issuer, self.settings.oidc_client
        # asked for each time: keys are replaced without notice
        keys: Any = _asked("GET", str(metadata["jwks_uri"]))
        options: Any = {
            "iss": {"essential": True, "values": [issuer]},
            "aud": {"essential": True, "value": client},
            "nonce": {"essential": True, "value": nonce},
            "exp": {"essential": True},
        }
        params = {
            "client_id": client,
            "nonce": nonce,
            "access_token": str(tokens.get("access_token", "")),
        }
        try:
            key_set = KeySet.import_key_set(keys)
            token = jwt.decode(str(tokens.get("id_token", "")), key_set, list(ALGORITHMS))
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(leeway=LEEWAY_S)
            found = dict(token.claims)
        except (JoseError, _authlib_error(), ValueError, TypeError, KeyError) as error:
            _refuse(f"its token is not right ({type(error).__name__})", error)
        audience = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
        is_alone = len(audience) == 1 or found.get("azp") == client
        subject = found["sub"]
        is_name = isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()
        if not is_alone or not is_name or not hmac.compare_digest(str(found["nonce"]), nonce):
            _refuse("its token is for somebody else")
        return found

    def _more(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> dict[str, Any]:
        """Return what the provider tells of her beside the token; nothing of somebody else."""
        where, token = metadata.get("userinfo_endpoint"), tokens.get("access_token")
        if not where or not token:
            return {}
        found = _asked("GET", str(where), headers={"Authorization": f"Bearer {token}"})
        return found if found.get("sub") == subject else {}

    def _metadata(self) -> dict[str, Any]:
        issuer = self.settings.oidc_issuer
        found = _asked("GET", issuer.rstrip("/") + WELL_KNOWN)
        ends = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != issuer or not all(isinstance(found.get(e), str) for e in ends):
            _refuse("it is another one than FIELDPOST_OIDC_ISSUER names")
        if not all(_is_safe(str(found[end])) for end in ends):
            _refuse("it names addresses without https")
        return found

    def _secret(self) -> str:
        if not self.settings.oidc_secret_file:
            return self.settings.oidc_secret
        try:
            return Path(self.settings.oidc_secret_file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            _wrong("has a file of FIELDPOST_OIDC_SECRET_FILE that cannot be read", error)


def _asked(method: str, where: str, **how: Any) -> dict[str, Any]:
    """Return the JSON object that the provider answers; never follows it anywhere else."""
    import httpx

    how["headers"] = {"Accept": "application/json", **how.get("headers", {})}
    try:
        with (
            httpx.Client(timeout=PATIENCE_S, follow_redirects=False, trust_env=False) as client,
            client.stream(method, where, **how) as answer,
        ):
            status, text = answer.status_code, b""
            for piece in answer.iter_bytes():
                text += piece[: MIB - len(text)]
                if len(text) >= MIB:
                    break
        found = parse(text) if status == 200 and len(text) < MIB else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        _refuse(f"it gave no answer that can be read ({error})"[:200], error)
    if not isinstance(found, dict):
        _refuse(f"it gave no answer that can be read ({status})")
    return found


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1")


def _authlib_error() -> type[Exception]:
    from authlib.common.errors import AuthlibBaseError

    error: type[Exception] = AuthlibBaseError
    return error


def _refuse(cause: str, error: Exception | None = None) -> NoReturn:
    raise InputError([problem(Code.PROVIDER_FAILED, cause=cause)]) from error


def _wrong(words: str, error: Exception | None = None) -> NoReturn:
    text = f"Signing in with a provider (FIELDPOST_OIDC_ISSUER) {words}."
    raise DefinitionError([problem(Code.DEFINITION, "oidc", text=text)]) from error
