"""Pages that only the server has, made from its own templates around the shared frame."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, Forbidden, problem
from fieldpost.users import User
from fieldpost.web.framework.posted_forms import form_of
from fieldpost.web.framework.requests import USER
from fieldpost.web.framework.templates import PAGE_HEADERS, environment
from fieldpost_server.home import ServerHome
from fieldpost_server.settings import Settings

MOST_CHARACTERS = 2_000
"""Of a field of such a form; whatever is longer is refused by all that read one."""


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


def user_of(request: Request) -> User:
    """Return who asks; only where somebody must be signed in."""
    user: User = request.scope[USER]
    return user


def admin_of(request: Request) -> User:
    """Return the administrator who asks.

    Raises:
        Forbidden: she is none.
    """
    user = user_of(request)
    if not user.is_admin:
        raise Forbidden([problem(Code.FORBIDDEN)])
    return user


async def fields_of(
    request: Request, most: int = 20, most_characters: int = MOST_CHARACTERS
) -> dict[str, str]:
    """Return the fields of a short form, without files; of one that comes twice the last."""
    form = await form_of(request, run_in_threadpool, most_fields=most, most_files=0)
    # PostgreSQL takes no NUL, and nobody types one
    pairs = ((name, value.replace("\0", "\ufffd")) for name, value in form.pairs)
    return {name: text[:most_characters] for name, text in pairs}


def own_address(wanted: str) -> str:
    """Return where to go after signing in: an address of this server, whatever was asked for."""
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_own and wanted.isprintable() else "/"


def leading_back(path: str, where: str) -> Route:
    """Return a route for whoever reloads the answer to a form that was sent to `path`."""

    async def lead(request: Request) -> Response:
        user = request.query_params.get("user", "")
        return RedirectResponse(f"{where}?user={quote(user, safe='')}" if user else where, 303)

    return Route(path, lead, methods=["GET"])


def public_address(request: Request, settings: Settings) -> str:
    """Return the address at which people reach this server, without a slash at its end."""
    return (settings.origin or str(request.base_url)).rstrip("/")
