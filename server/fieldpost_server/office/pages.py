"""Pages that only the server has, made from its own templates around the shared frame."""

from functools import lru_cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.responses import HTMLResponse

from fieldpost.users import User
from fieldpost.web.framework.templates import PAGE_HEADERS, environment
from fieldpost_server.home import ServerHome


@lru_cache(maxsize=1)
def _environment() -> Environment:
    shared = environment()
    loaders = [PackageLoader("fieldpost_server", "templates"), shared.loader]
    return shared.overlay(loader=ChoiceLoader([each for each in loaders if each is not None]))


def server_page(
    home: ServerHome, user: User, template: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page of the server's own."""
    shared = {
        "home": home,
        "user": user,
        "app": home.app,
        "path": values.pop("path", ""),
        "asset": home.asset,
        "done": values.pop("done", ""),
    }
    text = _environment().get_template(template).render({**shared, **home.context(user), **values})
    return HTMLResponse(text, status, PAGE_HEADERS)
