"""Answers of the HTTP API: one shape for every error."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from fieldpost.errors import Code, FieldpostError, Forbidden, NotFound, Problem, problem

_STATUS: Mapping[Code, int] = {
    Code.SIGNED_OUT: 401,
    Code.TOO_BIG: 413,
    Code.UPLOAD_OFFSET: 409,
    Code.UPLOAD_HASH: 422,
    Code.IMAGE_GONE: 412,
    Code.NOT_A_PICTURE: 415,
    Code.FOREIGN_ORIGIN: 403,
    Code.SIGN_IN_THROTTLED: 429,
    Code.SIGN_IN_BUSY: 503,
    Code.OFFICE_BUSY: 503,
    Code.RESTORE_UNCONFIRMED: 409,
    Code.NO_SEAT_LEFT: 409,
    Code.LAST_ADMIN: 409,
    Code.OWN_ACCOUNT: 409,
    Code.USER_EXISTS: 409,
    Code.PASSWORD_WRONG: 422,
    Code.INVITATION_OVER: 410,
    Code.CODE_WRONG: 422,
    Code.SIGN_IN_OVER: 422,
    Code.PASSKEY_FAILED: 422,
    Code.PASSKEYS_ELSEWHERE: 409,
    Code.FACTOR_NEEDED: 409,
    Code.FACTORS_FULL: 409,
    Code.FACTOR_UNREADABLE: 503,
    Code.CONFIRM_FIRST: 422,
    Code.SERVER_TROUBLE: 503,
    Code.SCOPE_FAILED: 503,
    Code.UNREADABLE: 422,
}


def error_body(problems: Iterable[Problem]) -> dict[str, Any]:
    """Return the one shape of every error body: the first problem, and all."""
    every = [p.to_json() for p in problems]
    return {"error": {**every[0], "problems": every}}


def status_of(error: FieldpostError) -> int:
    """Return the HTTP status that fits an error."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Forbidden):
        return 403
    return _STATUS.get(error.problems[0].code, 400)


def retry_after(problems: Sequence[Problem]) -> dict[str, str]:
    """Return the header that says when to come again, where a problem says so."""
    seconds = problems[0].detail.get("seconds")
    return {"Retry-After": str(seconds)} if isinstance(seconds, int) else {}


def error_answer(error: FieldpostError) -> JSONResponse:
    """Return an error as JSON."""
    headers = retry_after(error.problems)
    return JSONResponse(error_body(error.problems), status_of(error), headers)


def signed_out() -> JSONResponse:
    """Return the answer to an API call without a valid session."""
    return JSONResponse(error_body([problem(Code.SIGNED_OUT)]), 401)
