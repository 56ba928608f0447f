"""The relying party: for which site passkeys are made, and at which address they work."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from fieldpost.errors import Code, InputError, problem
from fieldpost_server.settings import Settings

LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """What passkeys are bound to.

    Attributes:
        site: the host's name, which browsers and authenticators hold them for.
        origin: the only address at which a browser may use them.
    """

    site: str
    origin: str


def relying_party(settings: Settings) -> RelyingParty | None:
    """Return it, or None where this server has no address that browsers take passkeys at.

    It comes from the settings, and never from what a request says of its host. Without a public
    address there is the machine's own one only: browsers take no passkeys for a bare number.
    """
    if not settings.origin:
        return RelyingParty(LOCALHOST, f"http://{LOCALHOST}:{settings.port}")
    parts = urlsplit(settings.origin)
    host = (parts.hostname or "").lower()
    is_safe = parts.scheme == "https" or host == LOCALHOST
    if not host or not is_safe or _is_number(host):
        return None
    return RelyingParty(host, f"{parts.scheme}://{parts.netloc.lower()}")


def needed_party(settings: Settings) -> RelyingParty:
    """Return it; raises `InputError` where there is none."""
    party = relying_party(settings)
    if party is None:
        raise InputError([problem(Code.PASSKEYS_ELSEWHERE)])
    return party


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
