"""The platform inside the browser: the only module that knows `js` and `pyodide`.

Nothing of JavaScript may be touched when this module is imported: it is imported before the memory
snapshot is made, and a snapshot cannot hold a reference to a JavaScript object.
"""

import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pyodide.ffi import JsException, to_js

from fieldpost_client.platform.base import (
    Answer,
    Damaged,
    Foreign,
    Key,
    Operation,
    PlatformError,
    Refused,
    StoreError,
    Unreachable,
)
from fieldpost_client.platform.numbers import packed, unpacked


class BrowserStore:
    """IndexedDB, through the worker's functions; see `fieldpost_client.platform.base.Store`."""

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge

    async def read(self, store: str, key: Key) -> Any:
        """Return one value, or None."""
        text = await _stored(self._bridge.read(store, key))
        return None if text is None else unpacked(json.loads(text))

    async def read_all(self, store: str) -> list[tuple[Key, Any]]:
        """Return all pairs in the order of their keys."""
        pairs = json.loads(await _stored(self._bridge.readAll(store)))
        return [(key, unpacked(value)) for key, value in pairs]

    async def keys(self, store: str) -> list[Key]:
        """Return all keys in order."""
        keys: list[Key] = json.loads(await _stored(self._bridge.keys(store)))
        return keys

    async def read_image(self, hashes: Sequence[str]) -> bytes:
        """Return the pieces, joined."""
        return _bytes(await _stored(self._bridge.readImage(json.dumps(list(hashes)))))

    async def write(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one strict transaction."""
        pieces: list[bytes] = []
        plain = []
        for operation in operations:
            if operation[0] == "put" and isinstance(operation[3], bytes):
                plain.append([*operation[:3], len(pieces)])
                pieces.append(operation[3])
            else:
                plain.append([*operation[:3], *map(packed, operation[3:])])
        await _stored(self._bridge.write(json.dumps(plain), to_js(pieces)))


class BrowserPlatform:
    """The browser; see `fieldpost_client.platform.base.Platform`."""

    def __init__(self) -> None:
        import js  # not at the top: see the module's docstring

        self._bridge = js.fieldpost
        self.store = BrowserStore(self._bridge)

    async def fetch(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Ask the app's own server."""
        asked = self._bridge.fetch(method, path, json.dumps(dict(headers or {})), _sent(body))
        return _answer(await _fetched(asked))

    async def fetch_lines(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> AsyncIterator[str]:
        """Yield the lines of the answer as they arrive."""
        asked = self._bridge.fetchLines(method, path, json.dumps(dict(headers or {})), _sent(body))
        reader = await _fetched(asked)
        try:
            while (lines := await _fetched(reader.next())) is not None:
                for line in json.loads(lines):
                    yield line
        finally:
            reader.close()

    async def send_piece(
        self, path: str, sha256: str, start: int, end: int, headers: Mapping[str, str]
    ) -> Answer:
        """PATCH a slice of a stored attachment."""
        asked = self._bridge.sendPiece(path, sha256, start, end, json.dumps(dict(headers)))
        return _answer(await _fetched(asked))

    async def download_attachment(self, path: str, sha256: str) -> int:
        """GET an attachment into the store."""
        return int(await _fetched(self._bridge.downloadAttachment(path, sha256)))

    async def is_whole(self, sha256: str) -> bool:
        """Say whether a file of the store is what its name says."""
        return bool(await _stored(self._bridge.isWhole(sha256)))

    async def gzip(self, data: bytes) -> bytes:
        """Compress."""
        return _bytes(await _stored(self._bridge.gzip(to_js(data))))

    async def gunzip(self, data: bytes) -> bytes:
        """Decompress."""
        return _bytes(await _fetched(self._bridge.gunzip(to_js(data))))

    async def sha256_pieces(self, data: bytes, size: int) -> list[str]:
        """Return the hashes of the data's pieces."""
        hashes: list[str] = json.loads(await _stored(self._bridge.sha256Pieces(to_js(data), size)))
        return hashes

    async def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is this key's over the message."""
        return bool(
            await _stored(self._bridge.verify(to_js(public_key), to_js(message), to_js(signature)))
        )

    def abort(self) -> None:
        """End all that is asked of the server just now."""
        self._bridge.abort()

    def elapsed(self) -> float:
        """Return the seconds of a clock that never jumps."""
        return float(self._bridge.elapsed())

    def notify(self, event: Mapping[str, Any]) -> None:
        """Tell the shell."""
        self._bridge.notify(json.dumps(event))

    def now(self) -> datetime:
        """Return the device's time with its offset."""
        # from the browser: Python's own idea of the time zone is as old as the snapshot
        milliseconds, offset = json.loads(self._bridge.clock())
        zone = timezone(timedelta(minutes=offset))
        return datetime.fromtimestamp(milliseconds / 1000, zone)

    def new_id(self) -> str:
        """Return a fresh UUID as text."""
        return str(uuid.uuid4())


def _sent(body: bytes | str | None) -> Any:
    return to_js(body) if isinstance(body, bytes) else body


def _bytes(array: Any) -> bytes:
    data: bytes = array.to_bytes()
    return data


def _answer(found: Any) -> Answer:
    return Answer(found.status, json.loads(found.headers), _bytes(found.body))


async def _stored(asked: Any) -> Any:
    try:
        return await asked
    except JsException as error:
        raise StoreError(error.name, error.message) from error


async def _fetched(asked: Any) -> Any:
    try:
        return await asked
    except JsException as error:
        raise _network_error(error.name, error.message) from error


def _network_error(name: str, message: str) -> PlatformError:
    if name == "Unreachable":
        return Unreachable(message)
    if name == "Foreign":
        return Foreign(message)
    if name == "Damaged":
        return Damaged(message)
    if name.startswith("Refused:"):
        return Refused(int(name.removeprefix("Refused:")), message.encode())
    return StoreError(name, message)
