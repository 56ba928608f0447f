"""Whose clock and whose decimal mark a request is answered with."""

import os
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.ground.zones import in_zone, zone_named
from fieldpost.text.numbers import COMMA, POINT, with_mark
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.protocol import MARK_HEADER, ZONE_HEADER
from fieldpost_server.settings import Settings

_LOCALTIME = Path("/etc/localtime")


def office_zone(settings: Settings) -> tzinfo:
    """Return the zone of everybody who works online: the one that is set, or this machine's.

    Raises:
        DefinitionError: there is none of this name.
    """
    if not settings.timezone:
        return machine_zone()
    try:
        return zone_named(settings.timezone)
    except ValueError as error:
        text = (
            f"The variable FIELDPOST_TIMEZONE is {settings.timezone!r}; it must be a name such as "
            "Europe/Berlin. Correct it and start again."
        )
        raise DefinitionError([problem(Code.DEFINITION, "timezone", text=text)]) from error


def office_mark(settings: Settings) -> str:
    """Return the decimal mark of everybody who works online; raises `DefinitionError`."""
    if settings.decimal_mark in (POINT, COMMA):
        return settings.decimal_mark
    text = (
        f"The variable FIELDPOST_DECIMAL_MARK is {settings.decimal_mark!r}; it must be a point or "
        "a comma. Correct it and start again."
    )
    raise DefinitionError([problem(Code.DEFINITION, "decimal_mark", text=text)])


def machine_zone() -> tzinfo:
    """Return the zone that this machine's clock is set to."""
    named = os.environ.get("TZ", "").removeprefix(":")
    linked = str(_LOCALTIME.resolve()).rpartition("zoneinfo/")[2]
    for name in (named, linked):
        try:
            return zone_named(name)
        except ValueError:
            continue
    if _LOCALTIME.is_file():
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    return datetime.now().astimezone().tzinfo or zone_named("UTC")


class Locale:
    """ASGI middleware: within it moments and numbers are those of the person who asks.

    That is the office's for everybody who works online, and her device's for a field worker.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.zone = office_zone(settings)
        self.mark = office_mark(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on."""
        zone, mark = self.zone, self.mark
        user: User | None = scope.get(USER)
        if scope["type"] == "http" and user is not None and user.is_field_worker:
            headers = Headers(scope=scope)
            zone = _known(headers.get(ZONE_HEADER, ""), zone)
            mark = headers.get(MARK_HEADER, "")
            mark = mark if mark in (POINT, COMMA) else self.mark
        with in_zone(zone), with_mark(mark):
            await self.app(scope, receive, send)


def _known(name: str, otherwise: tzinfo) -> tzinfo:
    try:
        return zone_named(name) if name else otherwise
    except ValueError:
        return otherwise
