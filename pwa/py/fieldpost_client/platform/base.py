"""What the client needs from where it runs: a durable store, the network, the clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fieldpost.errors import Code, Problem, problem
from fieldpost.wire.protocol import SERVER_HEADER

Key = str | int
"""A key in a store: a name, a hash, a URL path, or an envelope's number."""

Operation = tuple[Any, ...]
"""``("put", store, key, value)``, ``("add", store, key, value)``, which never stores over what is
there, ``("delete", store, key)``, ``("clear", store)`` or ``("adopt", sha256)``, which makes a
staged attachment one that waits to be sent."""


class PlatformError(Exception):
    """Something outside of Python did not work."""


class Unreachable(PlatformError):
    """No answer came, or it broke off."""


class Foreign(Unreachable):
    """Something that is not our server has answered: it was not reached."""


class Refused(PlatformError):
    """The server answered, but not with what was asked for; `status` is its HTTP status."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"the server answered {status}")
        self.status = status
        self.body = body


class Damaged(PlatformError):
    """What arrived has another hash than it should have; nothing of it was kept."""


class StoreError(PlatformError):
    """A transaction did not happen; nothing of it was stored.

    Attributes:
        name: ``QuotaExceededError`` (no space), ``MissingAttachment`` (an adopted attachment is
            nowhere), ``NotFoundError`` (a piece of an image is missing), ``TakenOver`` (another tab
            works with the data), ``ConstraintError`` (what was to be added is there), ``Gone`` (the
            data was removed), ``TimeoutError``, or another name that the browser gave.
    """

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name


_CAUSES = {
    "MissingAttachment": "a picture or file is missing: choose it again",
    "Gone": "this app's data was removed from the browser: load this page again",
    "TimeoutError": "it took too long",
}


def storage_problem(error: StoreError) -> Problem:
    """Return what a transaction that did not happen means, in words."""
    if error.name == "QuotaExceededError":
        return problem(Code.STORAGE_FULL)
    if error.name in ("TakenOver", "ConstraintError"):
        return problem(Code.TAKEN_OVER)
    return problem(Code.STORAGE_FAILED, cause=_CAUSES.get(error.name, error.name))


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ours(answer: Answer) -> Answer:
    """Return an answer that carries our server's mark.

    Raises:
        Foreign: it does not: the page of a network, a filter, a proxy without its server.
    """
    if SERVER_HEADER not in answer.headers:
        raise Foreign("something between has answered")
    return answer


class Store(Protocol):
    """The durable data of the device: named stores of key and value.

    Values are plain JSON data, in the store ``pieces`` bytes. The blobs of ``attachments`` and
    ``staged`` stay outside of Python: what is read there is the rest of the value.
    """

    async def read(self, store: str, key: Key) -> Any:
        """Return one value, or None when there is none."""

    async def read_all(self, store: str) -> list[tuple[Key, Any]]:
        """Return all pairs in the order of their keys."""

    async def keys(self, store: str) -> list[Key]:
        """Return all keys in order, without reading the values."""

    async def read_image(self, hashes: Sequence[str]) -> bytes:
        """Return the pieces with these hashes, joined.

        Raises:
            StoreError: ``NotFoundError`` when one is missing.
        """

    async def write(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one transaction, which is on the disk when this returns.

        Raises:
            StoreError: nothing of it was done.
        """


class Platform(Protocol):
    """Everything outside of Python that the client uses."""

    @property
    def store(self) -> Store:
        """Return the durable store."""

    async def fetch(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Ask the app's own server; every answer of it is returned, whatever its status.

        Raises:
            Unreachable: no answer came, or it broke off.
            Foreign: what came lacks the mark of our server (`SERVER_HEADER`). This and the above
                hold for all that is asked.
        """

    def fetch_lines(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> AsyncIterator[str]:
        """Yield the lines of the answer as they arrive, without their ends, empty ones left out.

        Raises:
            Unreachable: no answer came, or it broke off; lines before that were yielded.
            Refused: the answer's status is not 200.
        """

    async def send_piece(
        self, path: str, sha256: str, start: int, end: int, headers: Mapping[str, str]
    ) -> Answer:
        """PATCH the bytes `start` (included) to `end` (excluded) of a stored attachment.

        Raises:
            Unreachable: no answer came.
            StoreError: ``MissingAttachment`` when it is not stored.
        """

    async def download_attachment(self, path: str, sha256: str) -> int:
        """GET an attachment into the store ``attachments`` as downloaded; return its size in bytes.

        Raises:
            Unreachable: no answer came, or it broke off.
            Refused: the answer's status is not 200.
            Damaged: its hash is another.
            StoreError: it could not be stored.
        """

    async def is_whole(self, sha256: str) -> bool:
        """Say whether a file of the store ``attachments`` is what its name says.

        Raises:
            StoreError: it could not be read.
        """

    async def gzip(self, data: bytes) -> bytes:
        """Compress."""

    async def gunzip(self, data: bytes) -> bytes:
        """Decompress.

        Raises:
            Damaged: the data is not compressed by gzip, or not whole.
        """

    async def sha256_pieces(self, data: bytes, size: int) -> list[str]:
        """Return the hexadecimal hashes of pieces of `size` bytes; the last may be shorter."""

    async def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether an Ed25519 signature (64 bytes) is this key's (32 bytes) over the message."""

    def abort(self) -> None:
        """End all that is asked of the server just now: each raises `Unreachable`."""

    def elapsed(self) -> float:
        """Return the seconds of a clock that never jumps."""

    def notify(self, event: Mapping[str, Any]) -> None:
        """Tell the shell: ``{"event": "status" | "progress", …}`` with plain JSON data."""

    def now(self) -> datetime:
        """Return the device's time with its offset."""

    def new_id(self) -> str:
        """Return a fresh UUID as text."""
