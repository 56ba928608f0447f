"""Contact with the server: whose answer it is, whether anybody answers, and what that means."""

import json
from asyncio import sleep
from collections.abc import AsyncIterator, Mapping
from random import random
from typing import Any

from fieldpost.errors import Code, Problem, problem, problem_from_json
from fieldpost.wire.protocol import DEVICE_HEADER, PROTOCOL, PROTOCOL_HEADER
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import (
    Answer,
    Damaged,
    Foreign,
    PlatformError,
    Refused,
    StoreError,
    Unreachable,
    storage_problem,
)
from fieldpost_client.replica.answers import Check, is_any
from fieldpost_client.sync.pace import Pace
from fieldpost_client.sync_status import BUSY, OFFLINE, SIGNED_OUT, TROUBLE

CANCELLED = "cancelled"
"""The person has stopped the sync: not a state of the device, but how one sync ended."""

JSON = "application/json"
MOST_MISSES = 4
"""So many calls in a row without an answer: nobody is there any more."""
MOST_LOST_S = 60.0
"""So long without an answer, although one call after the other was tried."""
MOST_WAITS = 8
"""So often does one sync wait for an office that has no place for it."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 2, 30
MOST_REFUSED = 2
"""So many calls in a row that want a sign-in."""


class Stopped(Exception):  # a reason to stop, which is reported, and no error of the program
    """A sync, or one item of it, cannot go on; everything that is waiting stays as it is.

    Attributes:
        activity: `OFFLINE`, `BUSY`, `SIGNED_OUT`, `TROUBLE` or `CANCELLED`.
        problem: in words.
        status: of the server's refusal; 0 where there was none.
        retry_s: after so many seconds a busy server wants to be asked again.
    """

    def __init__(self, activity: str, fault: Problem, status: int = 0) -> None:
        super().__init__(fault.message)
        self.activity = activity
        self.problem = fault
        self.status = status
        seconds = fault.detail.get("seconds")
        self.retry_s = min(seconds, LONGEST_WAIT_S) if isinstance(seconds, int) else SHORTEST_WAIT_S


class Contact:
    """Every call of a device goes through here, and every answer is judged here.

    The platform hands on only what carries our server's mark. Here its status, its type and what
    it must say are looked at: whatever does not fit counts as no answer, and changes nothing.

    Attributes:
        pace: how much may be sent at once.
        down: how much of an image may be asked for at once.
        always: headers that every call carries.
    """

    def __init__(self, home: DeviceHome, always: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.always = always or {}
        self.platform = home.platform
        self.pace = Pace()
        self.down = Pace(16 << 10, 4 << 20, 256 << 10)
        self.begin()

    def begin(self) -> None:
        """Begin a sync: what was found out in an earlier one does not count any more."""
        self._cancelled = False
        self._has_answered = False
        self._misses, self._lost_s, self._refused = 0, 0.0, 0
        self._waits = 0

    def cancel(self) -> None:
        """End what is asked just now, and ask nothing more."""
        self._cancelled = True
        self.platform.abort()

    def is_over(self, stopped: Stopped) -> bool:
        """Say whether what stopped one item would stop every other one, too."""
        if stopped.activity == CANCELLED or not self._has_answered:
            return True
        if self._misses >= MOST_MISSES or self._lost_s >= MOST_LOST_S:
            return True
        return self._refused >= MOST_REFUSED

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        *,
        statuses: tuple[int, ...] = (200,),
        kind: str = "",
    ) -> Answer:
        """Ask the server and return its answer.

        Args:
            method, path, headers, body: of the request; the device's own headers are added.
            statuses: with which it may be answered.
            kind: media type that the answer must have; empty where it has no body.

        Raises:
            Stopped: no answer came, or it is a refusal.
        """
        while True:
            begun = self._begun()
            try:
                answer = await self.platform.fetch(method, path, self._headers(headers), body)
            except PlatformError as error:
                raise self._missed(error, begun) from error
            try:
                return self._judged(answer, statuses, kind)
            except Stopped as stopped:
                if not await self._waited(stopped):
                    raise

    async def data(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        *,
        is_whole: Check = is_any,
    ) -> Any:
        """Ask for a JSON object that holds what it must; raises `Stopped`."""
        answer = await self.ask(method, path, headers, body, kind=JSON)
        try:
            data = json.loads(answer.body)
        except ValueError as error:
            raise no_answer_of_ours() from error
        if not is_whole(data):
            raise no_answer_of_ours()
        return data

    async def send_piece(
        self, path: str, sha256: str, start: int, end: int, headers: Mapping[str, str]
    ) -> Answer:
        """Send a piece of a stored attachment; raises `Stopped`, and `StoreError` without it."""
        while True:
            begun = self._begun()
            try:
                sent = self._headers(headers)
                answer = await self.platform.send_piece(path, sha256, start, end, sent)
            except StoreError:
                raise
            except PlatformError as error:
                self.pace.failed()
                raise self._missed(error, begun) from error
            try:
                judged = self._judged(answer, (204,), "")
            except Stopped as stopped:
                if not await self._waited(stopped):
                    raise
            else:
                self.pace.moved(end - start, self.platform.elapsed() - begun)
                return judged

    async def lines(
        self, path: str, headers: Mapping[str, str], body: bytes | str
    ) -> AsyncIterator[str]:
        """Send a body and yield the lines of the answer as they arrive; raises `Stopped`."""
        while True:
            begun, heard = self._begun(), False
            try:
                asked = self.platform.fetch_lines("POST", path, self._headers(headers), body)
                async for line in asked:
                    if not heard:
                        self.pace.moved(len(body), self.platform.elapsed() - begun)
                        heard = True
                    self._answered()
                    yield line
                self._answered()
                return
            except PlatformError as error:
                stopped = self._missed(error, begun)
                if heard or not await self._waited(stopped):
                    if not heard and stopped.activity != BUSY:
                        self.pace.failed()
                    raise stopped from error

    async def load_attachment(self, path: str, sha256: str) -> int:
        """Keep an attachment of the server; return its size; raises `Stopped`."""
        begun = self._begun()
        try:
            # fault point: attachment-half-loaded — the platform keeps it whole under its digest, or
            # not at all: the next sync asks for it again.
            size = await self.platform.download_attachment(path, sha256)
        except PlatformError as error:
            raise self._missed(error, begun) from error
        self._answered()
        return size

    async def _waited(self, stopped: Stopped) -> bool:
        """Wait as long as a busy office asks for; say no where it was busy too often."""
        if stopped.activity != BUSY or self._waits >= MOST_WAITS:
            return False
        self._waits += 1
        self.platform.notify({"event": "progress", "step": "busy"})
        # in steps, so that it can be cancelled; not all devices at the same moment
        left = stopped.retry_s * (1 + random() / 2)  # noqa: S311 - spreads devices, no secret
        while left > 0 and not self._cancelled:
            await sleep(min(left, 0.5))
            left -= 0.5
        return True

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        device = {DEVICE_HEADER: self.home.state.device} if self.home.state.device else {}
        return {**device, PROTOCOL_HEADER: str(PROTOCOL), **self.always, **(more or {})}

    def _begun(self) -> float:
        if self._cancelled:
            raise _cancelled()
        return self.platform.elapsed()

    def _answered(self) -> None:
        self._has_answered = True
        self._misses, self._lost_s, self._refused = 0, 0.0, 0

    def _judged(self, answer: Answer, statuses: tuple[int, ...], kind: str) -> Answer:
        if answer.status >= 400:
            raise self._refusal(answer.status, answer.body)
        found = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status not in statuses or (kind and found != kind):
            raise no_answer_of_ours()
        self._answered()
        return answer

    def _missed(self, error: PlatformError, begun: float) -> Stopped:
        if self._cancelled:
            return _cancelled()
        if isinstance(error, Refused):
            return self._refusal(error.status, error.body)
        if isinstance(error, Unreachable):
            self._misses += 1
            self._lost_s += self.platform.elapsed() - begun
        return stopped_by(error)

    def _refusal(self, status: int, body: bytes) -> Stopped:
        refused = self._refused + 1 if status == 401 else 0
        self._answered()
        self._refused = refused
        return refusal(status, body)


def no_answer_of_ours() -> Stopped:
    """Return that what came was not what our server says: there is no connection to it."""
    return Stopped(OFFLINE, problem(Code.NOT_OURS))


def _cancelled() -> Stopped:
    return Stopped(CANCELLED, problem(Code.SYNC_STOPPED))


def refusal(status: int, body: bytes) -> Stopped:
    """Return what a refusal of our server means."""
    fault = problem_of(body)
    if status == 401:
        return Stopped(SIGNED_OUT, fault or problem(Code.SIGNED_OUT), status)
    if fault is not None and fault.code is Code.OFFICE_BUSY:
        return Stopped(BUSY, fault, status)
    if status in (502, 503, 504):
        return Stopped(OFFLINE, fault or problem(Code.UNREACHABLE), status)
    return Stopped(TROUBLE, fault or problem(Code.SERVER_TROUBLE), status)


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
    if isinstance(error, Foreign):
        return no_answer_of_ours()
    if isinstance(error, Unreachable | Damaged):
        return Stopped(OFFLINE, problem(Code.UNREACHABLE))
    if isinstance(error, StoreError):
        return Stopped(TROUBLE, storage_problem(error))
    return Stopped(TROUBLE, problem(Code.STORAGE_FAILED, cause=type(error).__name__))
