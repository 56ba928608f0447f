"""The platform on plain CPython: a store in memory, a server in process, faults to order.

Tests run the whole client on it, and the client warms itself up on it before a memory snapshot.
"""

import gzip
import hashlib
import json
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpost.errors import Code, problem
from fieldpost.wire.protocol import PROTOCOL, SERVER_HEADER
from fieldpost_client.platform.asgi import call_app
from fieldpost_client.platform.base import Answer, Damaged, Refused, Unreachable, ours
from fieldpost_client.platform.memory import HostStore


@dataclass
class Fault:
    """What goes wrong with one request.

    Attributes:
        path: the request's path begins with it.
        kind: 'request' is lost before the server sees it; 'answer' is lost after the server did
            its work; 'lines' cuts the answer after `lines` lines, the server works on; 'death'
            kills the server's work after `lines` lines; 'portal' is answered by something between,
            with 200 and a page; 'status' is refused by our server with `status`, which does nothing
            else; 'silence' is not answered for as long as a device waits.
        lines: for 'lines' and 'death'.
        times: how many requests it hits.
        skip: how many it lets pass before.
        status: for 'status'.
        method: hits only requests with this method; empty hits all.
    """

    path: str
    kind: str
    lines: int = 0
    times: int = 1
    skip: int = 0
    status: int = 500
    method: str = ""


SILENCE_S = 45.0
"""After so long without a sign of life a device gives a request up; see `pwa/office.js`."""

_ANSWERED = frozenset({"portal", "status"})


class _Death(Exception):
    pass


@dataclass
class HostPlatform:
    """A device on the desk.

    Attributes:
        server: the server's ASGI app; None is a device without a connection.
        store: its durable data.
        headers: sent with every request, such as the cookie.
        faults: what goes wrong next.
        moment: the clock; a function.
        seconds: of the clock that never jumps; only what is slow lets it go on.
        bytes_a_second: how quickly a body goes to the server; None is at once.
        events: what the shell was told.
        requests: method and path of every request that left the device.
        verifier: says whether a signature is a key's over a message: (key, message, signature).
            There is none in the standard library: whoever has a server hands one in.
    """

    server: Any = None
    store: HostStore = field(default_factory=HostStore)
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    moment: Callable[[], datetime] = lambda: datetime.now(UTC)
    seconds: float = 0.0
    bytes_a_second: float | None = None
    ids: Callable[[], str] = lambda: str(uuid.uuid4())
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    verifier: Callable[[bytes, bytes, bytes], bool] = lambda *_: False

    async def fetch(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Ask the server."""
        fault = self._fault(method, path)
        answer = await self._ask(method, path, headers or {}, body, fault)
        if fault is not None and fault.kind not in _ANSWERED:
            raise Unreachable(f"no answer from {path}")
        return answer

    async def fetch_lines(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> AsyncIterator[str]:
        """Yield the lines of the answer."""
        fault = self._fault(method, path)
        answer = await self._ask(method, path, headers or {}, body, fault)
        if fault is not None and fault.kind == "answer":
            raise Unreachable(f"no answer from {path}")
        if answer.status != 200:
            raise Refused(answer.status, answer.body)
        lines = [line for line in answer.body.decode().split("\n") if line.strip()]
        for line in lines if fault is None else lines[: fault.lines]:
            yield line
        if fault is not None:
            raise Unreachable(f"the answer from {path} broke off")

    async def send_piece(
        self, path: str, sha256: str, start: int, end: int, headers: Mapping[str, str]
    ) -> Answer:
        """PATCH a slice of a stored attachment."""
        return await self.fetch("PATCH", path, headers, self.store.blob(sha256)[start:end])

    async def download_attachment(self, path: str, sha256: str) -> int:
        """GET an attachment into the store."""
        answer = await self.fetch("GET", path)
        if answer.status != 200:
            raise Refused(answer.status, answer.body)
        if hashlib.sha256(answer.body).hexdigest() != sha256:
            raise Damaged(f"{path} has another hash")
        type_ = answer.headers.get("content-type", "application/octet-stream")
        self.store.keep_download(answer.body, type_)
        return len(answer.body)

    async def is_whole(self, sha256: str) -> bool:
        """Say whether a file of the store is what its name says."""
        found = self.store.tables["attachments"].get(sha256)
        content = found.get("blob") if isinstance(found, dict) else None
        return isinstance(content, bytes) and hashlib.sha256(content).hexdigest() == sha256

    async def gzip(self, data: bytes) -> bytes:
        """Compress."""
        return gzip.compress(data, mtime=0)

    async def gunzip(self, data: bytes) -> bytes:
        """Decompress."""
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise Damaged(str(error)) from error

    async def sha256_pieces(self, data: bytes, size: int) -> list[str]:
        """Return the hashes of the data's pieces."""
        starts = range(0, len(data), size)
        return [hashlib.sha256(data[start : start + size]).hexdigest() for start in starts]

    async def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Ask the verifier."""
        return self.verifier(public_key, message, signature)

    def notify(self, event: Mapping[str, Any]) -> None:
        """Remember what the shell would be told."""
        self.events.append(json.loads(json.dumps(event)))

    def abort(self) -> None:
        """End nothing: on the desk an answer is there at once."""

    def elapsed(self) -> float:
        """Return the seconds of the clock that never jumps."""
        return self.seconds

    def now(self) -> datetime:
        """Return the clock's moment."""
        return self.moment()

    def new_id(self) -> str:
        """Return the next id."""
        return self.ids()

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            hit = path.startswith(fault.path) and fault.method in ("", method)
            if hit and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | str | None,
        fault: Fault | None,
    ) -> Answer:
        if self.server is None or (fault is not None and fault.kind == "request"):
            raise Unreachable(f"no way to {path}")
        self.requests.append((method, path))
        sent = body.encode() if isinstance(body, str) else body or b""
        self._wait_for(len(sent), fault)
        server = self.server
        if fault is not None and fault.kind == "death":
            server = _mortal(server, fault.lines)
        if fault is not None and fault.kind == "portal":
            server = _portal
        if fault is not None and fault.kind == "status":
            server = _refusing(fault.status)
        every = {**self.headers, **headers}
        return ours(
            await call_app(server, method, path, every, sent, host="testserver", client="127.0.0.1")
        )

    def _wait_for(self, size: int, fault: Fault | None) -> None:
        """Let the clock go on for as long as a body of `size` bytes takes."""
        seconds = size / self.bytes_a_second if self.bytes_a_second else 0.0
        if fault is not None and fault.kind == "silence":
            seconds = SILENCE_S
        self.seconds += min(seconds, SILENCE_S)
        if seconds >= SILENCE_S:
            raise Unreachable("nothing was heard for too long")


async def _portal(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything as a network's sign-in page does."""
    page = HTMLResponse("<!doctype html><h1>Welcome to our Wi-Fi</h1>")
    await page(scope, receive, send)


def _refusing(status: int) -> ASGIApp:
    """Return an app of ours that refuses everything with this status."""
    code = Code.SIGNED_OUT if status == 401 else Code.SERVER_TROUBLE
    body = {"error": problem(code).to_json()}
    return JSONResponse(body, status, {SERVER_HEADER: str(PROTOCOL)})


def _mortal(app: ASGIApp, limit: int) -> ASGIApp:
    """Return the app as it is when its process dies after so many lines of its answer."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        lines = 0

        async def send_some(message: Message) -> None:
            nonlocal lines
            if message["type"] == "http.response.body":
                if lines >= limit:
                    raise _Death
                lines += message.get("body", b"").count(b"\n")
            await send(message)

        try:
            await app(scope, receive, send_some)
        except* _Death:
            pass  # starlette streams inside a task group, which wraps what it raises

    return called
