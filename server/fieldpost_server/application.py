"""The server as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from fieldpost.app import App
from fieldpost.loading import load_app
from fieldpost.web.application import web_routes
from fieldpost_server.accounts.sign_out import EndLeftSessions
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.devices.standings import note_emptied
from fieldpost_server.devices.wipe_orders import WipeOrders
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import Authentication
from fieldpost_server.http.bodies import BodyLimit
from fieldpost_server.http.compression import CompressedPages
from fieldpost_server.http.guards import HostGuard, OriginGuard
from fieldpost_server.http.locale import Locale, office_mark, office_zone
from fieldpost_server.http.request_log import RequestLog
from fieldpost_server.http.security import SecurityHeaders
from fieldpost_server.identity.confirmation import Confirmation
from fieldpost_server.identity.door import Door
from fieldpost_server.identity.enrolment import Enrolment
from fieldpost_server.identity.own_factors import OwnFactors
from fieldpost_server.identity.provider_sign_in import ProviderSignIn
from fieldpost_server.identity.second_step import SecondStep
from fieldpost_server.inbox.inbox import Inbox
from fieldpost_server.inbox.refused_contents import bounds_of
from fieldpost_server.office.account import Account
from fieldpost_server.office.designer import Designer
from fieldpost_server.office.devices import DevicePages
from fieldpost_server.office.events import event_routes
from fieldpost_server.office.failures import Failures
from fieldpost_server.office.hand_in import HandInPage
from fieldpost_server.office.invitation import Invitation
from fieldpost_server.office.people import People
from fieldpost_server.office.sign_in import SignIn
from fieldpost_server.office.supervision import supervision_routes
from fieldpost_server.operations.health import Health
from fieldpost_server.operations.housekeeping import housekeeping
from fieldpost_server.operations.public_health import PublicHealth
from fieldpost_server.packing.cache import cache_of_server
from fieldpost_server.providers.openid import Provider
from fieldpost_server.quotas.quotas import Quotas
from fieldpost_server.settings import Settings
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.database import Database
from fieldpost_server.sync.calls import Sync
from fieldpost_server.sync.known_devices import KnownDevices

ROOT = Path(__file__).resolve().parents[2]


def _robots(_: Request) -> Response:
    """Tell search engines that nothing here is for them."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def make_home(settings: Settings, app: App, assets: Assets) -> ServerHome:
    """Return the home of an app on this server."""
    database = Database(settings.database_url)
    store = AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)
    signer = Signer(database, settings.signing_secret_file)
    inbox = Inbox(app, database, assets.app_version, signer, bounds_of(settings))
    quotas = Quotas(database, settings)
    return ServerHome(app, database, inbox, store, quotas, assets.url, demo=settings.demo)


def make_assets(settings: Settings, app: App) -> Assets:
    """Return everything static."""
    package = Path(__file__).parent
    # a wheel brings the browser parts inside the package, a clone beside it
    folder = package if (package / "pwa").is_dir() else ROOT
    where = (folder / "pwa", folder / "node_modules")
    cache = cache_of_server(settings.data)
    return Assets(settings.app, *where, name=app.title, files=app.files, pin=app.pin, cache=cache)


def make_application(settings: Settings, assets: Assets | None = None) -> Starlette:
    """Return the ASGI application that these settings describe; `assets` where they are made."""
    app = load_app(settings.app)
    # looked at now: a middleware is made with the first request
    office_zone(settings)
    office_mark(settings)
    if settings.oidc_issuer:
        Provider(settings).ready()
    assets = assets or make_assets(settings, app)
    home = make_home(settings, app, assets)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with housekeeping(home, settings):
            yield

    application = Starlette(
        routes=_routes(home, settings, assets),
        middleware=_middleware(home, settings, assets),
        exception_handlers=Failures(home, settings).handlers(),
        lifespan=lifespan,
    )
    # it would lead to whatever address the Host header names, with the password of a form
    application.router.redirect_slashes = False
    application.state.home = home
    application.state.settings = settings
    application.state.assets = assets
    return application


def _wipe_orders(home: ServerHome) -> WipeOrders:
    return WipeOrders(home.database, home.inbox.signer)


def _routes(home: ServerHome, settings: Settings, assets: Assets) -> list[BaseRoute]:
    sign_in = SignIn(home, settings)
    door = Door(home, settings)
    confirmation = Confirmation(door, sign_in.places)
    devices = KnownDevices(home, _wipe_orders(home))
    routes: list[BaseRoute] = [
        *assets.routes(),
        Route("/health", PublicHealth(Health(home, settings)).answer),
        Route("/robots.txt", _robots),
        *sign_in.routes(),
        *Invitation(home, settings, sign_in.places).routes(),
        *People(home, settings, sign_in.places).routes(),
        *Account(home, settings, sign_in.places).routes(),
        *SecondStep(door).routes(),
        *Enrolment(door).routes(),
        *OwnFactors(door).routes(),
        *confirmation.routes(),
        *_provider_routes(door),
        *DevicePages(home).routes(),
        *HandInPage(home).routes(),
        *event_routes(home),
        *Designer(home, settings).routes(),
        *supervision_routes(home),
        *Sync(home, settings, assets.app_version, home.checksums, devices).routes(),
        *web_routes(home),
    ]
    return confirmation.guarded(routes)


def _provider_routes(door: Door) -> list[Route]:
    if not door.settings.oidc_issuer:
        return []
    return ProviderSignIn(door, Provider(door.settings)).routes()


def _middleware(home: ServerHome, settings: Settings, assets: Assets) -> list[Middleware]:
    """Return what stands around every request, the outermost first."""
    return [
        Middleware(RequestLog),
        Middleware(SecurityHeaders, settings=settings),
        Middleware(CompressedPages),
        Middleware(HostGuard, settings=settings),
        Middleware(BodyLimit, settings=settings),
        Middleware(OriginGuard, settings=settings),
        Middleware(
            EndLeftSessions, database=home.database, settings=settings, emptied=note_emptied
        ),
        Middleware(
            Authentication,
            application=home.app,
            database=home.database,
            settings=settings,
            shell=assets.shell_html,
            orders=_wipe_orders(home),
        ),
        Middleware(Locale, settings=settings),
    ]
