"""The Jinja environment and its filters."""

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import HTMLResponse

from fieldpost.ground.zones import zone_name
from fieldpost.home import Home
from fieldpost.users import User
from fieldpost.web.display.values import attachment_url, element_id, moment_words
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
    "kept": "Nothing was left to change, so the entry is settled",
}
"""What ``?done=…`` announces."""


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
