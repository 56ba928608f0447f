"""What a client gets when something fails: the catalogue's words, as JSON or as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from logging import ERROR
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from fieldpost.errors import (
    Code,
    DefinitionError,
    FieldpostError,
    Forbidden,
    InputError,
    NotFound,
    Problem,
    problem,
)
from fieldpost.users import User
from fieldpost.web.display.values import ADDRESS
from fieldpost.web.framework.requests import USER
from fieldpost_server.authoring.model_fit import is_not_installed
from fieldpost_server.home import ServerHome
from fieldpost_server.http.answers import error_body, retry_after, status_of
from fieldpost_server.http.security import headers_for
from fieldpost_server.log import log
from fieldpost_server.office.pages import server_page
from fieldpost_server.settings import Settings

API = ("/sync/", "/attachments/")
"""Addresses that programs call: their errors are JSON."""

_CODES = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}


@dataclass(frozen=True, slots=True)
class Failures:
    """Exception handlers for Starlette."""

    home: ServerHome
    settings: Settings

    def handlers(self) -> dict[Any, Any]:
        """Return the handlers by exception class or status."""
        return {
            # Starlette looks a class up by its bases, the most special first
            FieldpostError: self.refused,
            DefinitionError: self.misset,
            InputError: self.refused,
            Forbidden: self.refused,
            NotFound: self.refused,
            HTTPException: self.http_error,
            ClientDisconnect: self.gone,
            500: self.trouble,
        }

    async def refused(self, request: Request, error: FieldpostError) -> Response:
        """Answer what cannot be accepted."""
        return self._answer(request, status_of(error), error.problems)

    async def misset(self, request: Request, error: DefinitionError) -> Response:
        """Answer when the server is set up wrongly: its words are for who runs it."""
        log("set up wrongly", level=ERROR, why=str(error)[:500], path=request.url.path)
        return self._answer(request, 500, [problem(Code.SERVER_TROUBLE)])

    async def http_error(self, request: Request, error: HTTPException) -> Response:
        """Answer an unknown address, a wrong method or an unreadable form."""
        code = _CODES.get(error.status_code, Code.UNEXPECTED)
        return self._answer(request, error.status_code, [problem(code, cause=error.detail)])

    async def gone(self, request: Request, error: ClientDisconnect) -> Response:  # noqa: ARG002
        """Answer nobody: the client went away before it had sent everything."""
        return Response(status_code=400)

    async def trouble(self, request: Request, error: Exception) -> Response:
        """Answer when the server itself fails; the trace goes to the log only."""
        if isinstance(error, SQLAlchemyError) and is_not_installed(error):
            why = problem(Code.NOT_INSTALLED).message
            log("set up wrongly", level=ERROR, why=why, path=request.url.path)
        else:
            log("unexpected error", level=ERROR, error=error, path=request.url.path)
        answer = self._answer(request, 500, [problem(Code.SERVER_TROUBLE)])
        # this handler stands outside of the middleware that adds them
        answer.headers.update(headers_for(request.url.scheme, self.settings))
        return answer

    def _answer(self, request: Request, status: int, problems: Sequence[Problem]) -> Response:
        if request.url.path.startswith(API):
            return JSONResponse(error_body(problems), status, retry_after(problems))
        user = request.scope.get(USER) or User("")
        return server_page(
            self.home,
            user,
            "error.html",
            status,
            problems=problems,
            path=quote(request.url.path, safe=ADDRESS),
            again=status >= 500 and request.method == "GET",
        )
