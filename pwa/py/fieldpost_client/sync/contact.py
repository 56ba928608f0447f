"""Talking to the server: headers, and what its refusals mean for a sync."""

import json
from collections.abc import Mapping
from typing import Any

from fieldpost.errors import Code, Problem, problem, problem_from_json
from fieldpost.wire.protocol import DEVICE_HEADER, PROTOCOL, PROTOCOL_HEADER
from fieldpost_client.platform.base import (
    Answer,
    Damaged,
    Platform,
    PlatformError,
    Refused,
    StoreError,
    Unreachable,
    storage_problem,
)
from fieldpost_client.sync_status import OFFLINE, SIGNED_OUT, TROUBLE


class Stopped(Exception):  # a reason to stop, which is reported, and no error of the program
    """A sync cannot go on; everything that is waiting stays as it is.

    Attributes:
        activity: `OFFLINE`, `SIGNED_OUT` or `TROUBLE`.
        problem: in words.
    """

    def __init__(self, activity: str, fault: Problem) -> None:
        super().__init__(fault.message)
        self.activity = activity
        self.problem = fault


def headers_for(device: str) -> dict[str, str]:
    """Return the headers of every call of a device."""
    return {DEVICE_HEADER: device, PROTOCOL_HEADER: str(PROTOCOL)}


async def ask(
    platform: Platform,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | str | None = None,
) -> Answer:
    """Ask the server and return its answer with a status below 400.

    Raises:
        Stopped: no answer came, or it is a refusal.
    """
    try:
        answer = await platform.fetch(method, path, headers, body)
    except PlatformError as error:
        raise stopped_by(error) from error
    if answer.status >= 400:
        raise refusal(answer.status, answer.body)
    return answer


def data_of(answer: Answer) -> Any:
    """Read a JSON answer; raises `Stopped`."""
    try:
        return json.loads(answer.body)
    except ValueError as error:
        # a sign-in page of a network's operator, or a server of something else
        raise Stopped(OFFLINE, problem(Code.UNREACHABLE)) from error


def refusal(status: int, body: bytes) -> Stopped:
    """Return what a refusal means."""
    fault = problem_of(body)
    if status == 401:
        return Stopped(SIGNED_OUT, fault or problem(Code.SIGNED_OUT))
    if status in (502, 503, 504):
        return Stopped(OFFLINE, fault or problem(Code.UNREACHABLE))
    return Stopped(TROUBLE, fault or problem(Code.SERVER_TROUBLE))


def problem_of(body: bytes) -> Problem | None:
    """Read the server's error body; None where it is none."""
    try:
        return problem_from_json(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def stopped_by(error: PlatformError) -> Stopped:
    """Return what something outside of Python means for a sync."""
    if isinstance(error, Refused):
        return refusal(error.status, error.body)
    if isinstance(error, Unreachable | Damaged):
        return Stopped(OFFLINE, problem(Code.UNREACHABLE))
    if isinstance(error, StoreError):
        return Stopped(TROUBLE, storage_problem(error))
    return Stopped(TROUBLE, problem(Code.STORAGE_FAILED, cause=type(error).__name__))
