"""The Jinja environment and its filters."""

from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import HTMLResponse

from fieldpost.ground.zones import zone_name
from fieldpost.home import Home
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost.web.display.values import attachment_url, element_id, key_from_text, moment_words
from fieldpost.wire.limits import SHOWN
from fieldpost.wire.protocol import PAGE_HEADER

PAGE_HEADERS = {PAGE_HEADER.title(): "1"}
"""By these the shell knows a page that it may show from everything else."""

DONE_WORDS = {
    "saved": "Saved",
    "deleted": "Deleted",
    "unchanged": "Nothing had changed",
    "repaired": "Repaired",
    "discarded": "Discarded",
    "password": "Password changed",
    "ended": "Ended",
    "kept": "Nothing was left to change, so the entry is settled",
}
"""What ``?done=…`` announces."""


def ways_on(home: Home, user: User, path: str) -> list[tuple[str, str]]:
    """Return where one can go from an address that has no page, as words and address.

    The nearest comes first, the start last.
    """
    if not user.name:
        return [("Sign in", "/sign-in")]
    parts = path.partition("?")[0].split("/")
    found = [("Back to the start", "/")]
    match parts[1:]:
        case ["entries" | "repair", *_]:
            is_desk = home.kind == "server" and user.is_supervisor
            found.insert(0, ("All entries", "/envelopes" if is_desk else "/sync"))
        case ["envelopes", *_] if user.is_supervisor:
            found.insert(0, ("All entries", "/envelopes"))
        case ["pages", name, *below]:
            page = home.app.pages.get(name)
            if page is not None and page.may_open(user):
                found.insert(0, (f"All {page.title.lower()}", f"/pages/{name}"))
                found[:0] = _own_entry(home, page, below)
    return found


def _own_entry(home: Home, page: Page, below: list[str]) -> list[tuple[str, str]]:
    """Return the way to the user's own open envelope about the record of an address."""
    key = key_from_text(page.spec, unquote(below[1])) if below[:1] == ["records"] else None
    entry = None if key is None else home.open_entries(page).get(tuple(key))
    return [("What you saved", f"/entries/{entry.envelope}")] if entry else []


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the one environment; compiled templates stay in memory and in the snapshot."""
    made = Environment(
        loader=PackageLoader("fieldpost.web", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["element_id"] = element_id
    made.filters["moment"] = moment_words
    made.filters["attachment_url"] = attachment_url
    made.globals["ways_on"] = ways_on
    made.tests["shown_picture"] = lambda each: each.type in SHOWN
    made.globals["zone"] = zone_name
    return made


def render(
    home: Home, user: User, template: str, status: int = 200, *, path: str = "", **values: Any
) -> HTMLResponse:
    """Return a page."""
    shared = {
        "home": home,
        "user": user,
        "app": home.app,
        "path": path,
        "asset": home.asset,
        "done": DONE_WORDS.get(str(values.pop("done", "")), ""),
    }
    text = environment().get_template(template).render({**shared, **home.context(user), **values})
    return HTMLResponse(text, status, PAGE_HEADERS)
