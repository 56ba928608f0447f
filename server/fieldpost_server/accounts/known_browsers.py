"""Browsers that somebody has signed in with before: strangers cannot keep them out.

A browser that a person has signed in with holds a cookie which says so for her name only (OWASP,
"Slow Down Online Guessing Attacks with Device Cookies"). Its attempts are counted by themselves, so
that what strangers fail at, from anywhere, never makes her wait. It opens nothing: the password is
asked for and judged as ever, and a cookie that was stolen is a few guesses.
"""

import hashlib
import hmac
import re
import secrets

from fieldpost_server.accounts.users import folded

KNOWN = "fieldpost_known"
"""Name of the cookie."""
KNOWN_S = 400 * 24 * 3600
"""So long a browser is known; none keeps a cookie longer."""

_FORM = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")


def known_browser(name: str, stored: str) -> str:
    """Return the cookie of a browser that has signed in; a new password makes it worthless.

    Args:
        name: of the user.
        stored: the hash of her password, which nobody outside of the server has.
    """
    browser = secrets.token_hex(16)
    return f"{browser}.{_seal(browser, name, stored)}"


def browser_of(cookie: str, name: str, stored: str | None) -> str:
    """Return which of her browsers a cookie names; empty where it is none of hers."""
    found = _FORM.fullmatch(cookie)
    if found is None or stored is None:
        return ""
    browser, seal = found.groups()
    return browser if hmac.compare_digest(seal, _seal(browser, name, stored)) else ""


def _seal(browser: str, name: str, stored: str) -> str:
    text = f"known browser {browser} {folded(name)}"
    return hmac.new(stored.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
