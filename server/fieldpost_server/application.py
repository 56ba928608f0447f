"""The server as one ASGI application."""

import importlib
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fieldpost.app import App
from fieldpost.errors import (
    Code,
    DefinitionError,
    FieldpostError,
    Forbidden,
    NotFound,
    error_body,
    problem,
)
from fieldpost.users import User
from fieldpost.web.application import web_routes
from fieldpost.web.requests import USER
from fieldpost_server.answers import error_answer, status_of
from fieldpost_server.assets import Assets
from fieldpost_server.attachments import AttachmentStore
from fieldpost_server.authentication import Authentication
from fieldpost_server.database import Database
from fieldpost_server.designer import Designer
from fieldpost_server.guards import BodyLimit, OriginGuard
from fieldpost_server.health import check_health
from fieldpost_server.home import ServerHome
from fieldpost_server.inbox import Inbox
from fieldpost_server.log import log
from fieldpost_server.pages import server_page
from fieldpost_server.security import SecurityHeaders
from fieldpost_server.settings import Settings
from fieldpost_server.signin import SignIn
from fieldpost_server.sync import Sync

ROOT = Path(__file__).resolve().parents[2]


def load_app(name: str) -> App:
    """Import an author's app, named as ``package.module:attribute``.

    Raises:
        DefinitionError: it cannot be found, or is no app.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute or "app")
    except (ImportError, AttributeError, ValueError) as error:
        text = f"The app '{name}' cannot be loaded: {error}. Name it as package.module:attribute."
        raise DefinitionError([problem(Code.DEFINITION, "app", text=text)]) from error
    if not isinstance(found, App):
        text = f"'{name}' is no App. Name the attribute that holds it."
        raise DefinitionError([problem(Code.DEFINITION, "app", text=text)])
    return found


def make_home(settings: Settings, app: App, assets: Assets) -> ServerHome:
    """Return the home of an app on this server."""
    database = Database(settings.database_url)
    store = AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)
    inbox = Inbox(app, database, store.has, assets.app_version)
    return ServerHome(app, database, inbox, store, assets.url, demo=settings.demo)


def make_assets(settings: Settings, app: App) -> Assets:
    """Return everything static."""
    installed = Path(__file__).with_name("pwa")
    folder = installed if installed.is_dir() else ROOT / "pwa"
    return Assets(settings.app, folder, ROOT / "node_modules", name=app.title)


def make_application(settings: Settings) -> Starlette:
    """Return the ASGI application that these settings describe."""
    app = load_app(settings.app)
    assets = make_assets(settings, app)
    home = make_home(settings, app, assets)

    async def health(_: Request) -> Response:
        found = await run_in_threadpool(check_health, home, settings)
        return JSONResponse(found, 200 if found["ok"] else 503)

    def wants_json(request: Request) -> bool:
        return request.url.path.startswith(("/sync/", "/attachments/"))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, FieldpostError)
        if wants_json(request):
            return error_answer(error)
        user = request.scope.get(USER) or User("")
        return server_page(home, user, "error.html", status_of(error), problems=error.problems)

    async def nowhere(request: Request, error: Exception) -> Response:
        missing = getattr(error, "status_code", 404) == 404
        code = Code.NOT_FOUND if missing else Code.METHOD_NOT_ALLOWED
        if wants_json(request):
            return JSONResponse(error_body([problem(code)]), 404 if missing else 405)
        return await refused(request, NotFound([problem(code)]))

    async def trouble(request: Request, error: Exception) -> Response:
        log("unexpected error", level=40, error=error, path=request.url.path)
        faults = [problem(Code.SERVER_TROUBLE)]
        if wants_json(request):
            return JSONResponse(error_body(faults), 500)
        return server_page(home, User(""), "error.html", 500, problems=faults)

    application = Starlette(
        routes=[
            *assets.routes(),
            Route("/health", health),
            *SignIn(home, settings).routes(),
            *Designer(home, settings).routes(),
            *Sync(home, settings, assets.app_version).routes(),
            *web_routes(home),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(BodyLimit, settings=settings),
            Middleware(OriginGuard, settings=settings),
            Middleware(
                Authentication,
                application=app,
                database=home.database,
                settings=settings,
                shell=assets.shell_html,
            ),
        ],
        exception_handlers={
            FieldpostError: refused,
            Forbidden: refused,
            NotFound: refused,
            404: nowhere,
            405: nowhere,
            500: trouble,
        },
    )
    application.state.home = home
    application.state.settings = settings
    return application
