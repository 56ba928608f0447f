"""Between Starlette and the handlers: handlers are plain functions of a `PageRequest`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fieldpost.errors import Code, FieldpostError, Forbidden, InputError, NotFound, Problem, problem
from fieldpost.home import Home, Upload
from fieldpost.users import User
from fieldpost.web.display.values import ADDRESS
from fieldpost.web.framework.posted_forms import form_of
from fieldpost.web.framework.templates import render
from fieldpost.wire.protocol import DRAFT_HEADER, MAX_OPERATIONS

USER = "fieldpost.user"
"""Key of the acting user in an ASGI scope; the home puts it there."""

MAX_FORM_FIELDS = 20 * MAX_OPERATIONS
MAX_FORM_FILES = 100


@dataclass(frozen=True)
class PageRequest:
    """What a handler needs to know of a request.

    Attributes:
        home: where it runs.
        user: who asks.
        method: 'GET' or 'POST'.
        path: the address without its query.
        at: the parts of the address.
        query: the query, last value of each name.
        posted: names and values of the form, in order.
        uploads: files in the form, by field name.
        draft: the draft that a save replaces.
    """

    home: Home
    user: User
    method: str
    path: str
    at: Mapping[str, str]
    query: Mapping[str, str]
    posted: Sequence[tuple[str, str]] = ()
    uploads: Mapping[str, Sequence[Upload]] = field(default_factory=dict)
    draft: str = ""

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page made from a template."""
        return render(self.home, self.user, template, status, path=self.path, **values)


Handler = Callable[[PageRequest], Response]
OnProblem = Callable[[PageRequest, Sequence[Problem]], Response]

STATUS: Mapping[Code, int] = {
    Code.STORAGE_FULL: 507,
    Code.STORAGE_FAILED: 507,
    Code.TOO_BIG: 413,
    Code.UNREACHABLE: 503,
    Code.OFFICE_BUSY: 503,
    Code.QUOTA_USED: 429,
    Code.SERVER_TROUBLE: 503,
    Code.SCOPE_FAILED: 503,
    Code.UNREADABLE: 422,
}


def endpoint(
    home: Home, handler: Handler, on_problem: OnProblem | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler for Starlette.

    Args:
        home: where it runs.
        handler: the plain function.
        on_problem: shows a posted form again where the home could not keep it.
    """

    async def respond(request: Request) -> Response:
        try:
            asked = await _read(home, request)
        except InputError as error:
            # the form cannot be read, so none can be shown again
            return error_page(_asked(home, request, (), {}), error)
        try:
            return await home.run(lambda: handler(asked))
        except InputError as error:
            if on_problem is None or asked.method != "POST":
                return error_page(asked, error)
            problems = error.problems
        except FieldpostError as error:
            return error_page(asked, error)
        try:
            return _with_wait(await home.run(lambda: on_problem(asked, problems)), problems)
        except FieldpostError as error:
            # what was posted cannot be read, so there is no form to show
            return error_page(asked, error)

    return respond


async def _read(home: Home, request: Request) -> PageRequest:
    if request.method != "POST":
        return _asked(home, request, (), {})
    most = {"most_fields": MAX_FORM_FIELDS, "most_files": MAX_FORM_FILES}
    form = await form_of(request, home.run, **most)
    uploads: dict[str, list[Upload]] = {}
    for name, upload in form.uploads:
        uploads.setdefault(name, []).append(upload)
    return _asked(home, request, form.pairs, uploads)


def _asked(
    home: Home,
    request: Request,
    posted: Sequence[tuple[str, str]],
    uploads: Mapping[str, Sequence[Upload]],
) -> PageRequest:
    return PageRequest(
        home,
        request.scope[USER],
        request.method,
        quote(request.scope["path"], safe=ADDRESS),
        dict(request.path_params),
        dict(request.query_params),
        posted,
        uploads,
        request.headers.get(DRAFT_HEADER, ""),
    )


def error_page(asked: PageRequest, error: FieldpostError) -> Response:
    """Return the page that says what went wrong."""
    status = STATUS.get(error.problems[0].code, 400)
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, Forbidden):
        status = 403
    return _with_wait(asked.page("error.html", status, problems=error.problems), error.problems)


def _with_wait(response: Response, problems: Sequence[Problem]) -> Response:
    """Say in the answer's head, too, when to come again, where a problem says so."""
    seconds = problems[0].detail.get("seconds")
    if isinstance(seconds, int):
        response.headers["Retry-After"] = str(seconds)
    return response


async def http_error(home: Home, request: Request, error: HTTPException) -> Response:
    """Return the page for an address that leads nowhere."""
    code = Code.METHOD_NOT_ALLOWED if error.status_code == 405 else Code.NOT_FOUND
    user = request.scope.get(USER) or User("")
    path = request.url.path
    return render(home, user, "error.html", error.status_code, path=path, problems=[problem(code)])
