"""A store in memory with the promises of the browser's: a write happens whole or not at all."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fieldpost_client.platform.base import Key, Operation, StoreError
from fieldpost_client.platform.numbers import packed, unpacked

STORES = (
    "session",
    "outbox",
    "history",
    "attachments",
    "staged",
    "drafts",
    "replica",
    "pieces",
    "snapshots",
)


class Crash(BaseException):
    """The device loses its power: what is in the store stays, everything else is gone."""


class HostStore:
    """Stores as dictionaries; a write happens whole or not at all.

    Attributes:
        tables: what is stored, by store and key.
        writes: how many writes were asked for.
        fail: number of a write to the name of the error that it fails with.
        crash: number of a write to 'before' or 'after': the device dies at that moment.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Any]] = {name: {} for name in STORES}
        self.writes = 0
        self.fail: dict[int, str] = {}
        self.crash: dict[int, str] = {}

    async def read(self, store: str, key: Key) -> Any:
        """Return one value, or None."""
        return unpacked(_plain(self.tables[store].get(key)))

    async def read_all(self, store: str) -> list[tuple[Key, Any]]:
        """Return all pairs in the order of their keys."""
        return [(key, unpacked(_plain(self.tables[store][key]))) for key in await self.keys(store)]

    async def keys(self, store: str) -> list[Key]:
        """Return all keys in order."""
        return sorted(self.tables[store], key=lambda key: (isinstance(key, str), key))

    async def read_image(self, hashes: Sequence[str]) -> bytes:
        """Return the pieces, joined."""
        pieces = self.tables["pieces"]
        if missing := [name for name in hashes if not _is_piece(pieces.get(name), name)]:
            raise StoreError("NotFoundError", f"piece {missing[0]} is missing")
        return b"".join(pieces[name] for name in hashes)

    async def write(self, operations: Sequence[Operation]) -> None:
        """Do all operations, or none."""
        if not operations:
            return
        self.writes += 1
        if self.crash.get(self.writes) == "before":
            raise Crash
        if name := self.fail.get(self.writes):
            raise StoreError(name)
        changed = {name: dict(pairs) for name, pairs in self.tables.items()}
        for operation in operations:
            _apply(changed, operation)
        self.tables = changed
        if self.crash.get(self.writes) == "after":
            raise Crash

    def stage(self, content: bytes, type_: str = "image/jpeg", name: str = "photo.jpg") -> str:
        """Put a file where the shell puts what is chosen in a form; return its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.tables["staged"][sha256] = {**_file(content, type_, name), "draft": ""}
        return sha256

    def keep_download(self, content: bytes, type_: str) -> None:
        """Keep an attachment that came from the server."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.tables["attachments"][sha256] = {**_file(content, type_, ""), "state": "downloaded"}

    def blob(self, sha256: str) -> bytes:
        """Return the bytes of an attachment, saved or only staged; raises `StoreError`."""
        found = self.tables["attachments"].get(sha256) or self.tables["staged"].get(sha256)
        content = found.get("blob") if isinstance(found, dict) else None
        if not isinstance(content, bytes):
            raise StoreError("MissingAttachment", f"attachment {sha256} is missing")
        return content


def _is_piece(piece: Any, sha256: str) -> bool:
    if not isinstance(piece, bytes):
        return False
    # what has a name of another kind is a part of a file that is on its way
    return len(sha256) != 64 or hashlib.sha256(piece).hexdigest() == sha256


def _file(content: bytes, type_: str, name: str) -> dict[str, Any]:
    return {"blob": content, "type": type_, "size": len(content), "name": name}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes) or value is None:
        return value
    if isinstance(value, dict) and "blob" in value:
        value = {name: each for name, each in value.items() if name != "blob"}
    return json.loads(json.dumps(value))


def _as_doubles(value: Any) -> Any:
    """Return plain data as JavaScript keeps it: whole numbers are doubles there, too."""
    if isinstance(value, list):
        return [_as_doubles(each) for each in value]
    if isinstance(value, dict):
        return {name: _as_doubles(each) for name, each in value.items()}
    return int(float(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _apply(tables: dict[str, dict[Key, Any]], operation: Operation) -> None:
    match operation:
        case ("add", store, key, _) if key in tables[store]:
            raise StoreError("ConstraintError", f"{store} has {key} already")
        case ("put" | "add", store, key, value):
            # what is no plain data would not survive IndexedDB either
            tables[store][key] = _as_doubles(_plain(packed(value)))
        case ("delete", store, key):
            tables[store].pop(key, None)
        case ("clear", store):
            tables[store].clear()
        case ("adopt", sha256):
            _adopt(tables, sha256)
        case _:
            raise StoreError("DataError", f"unknown operation {operation[0]!r}")


def _adopt(tables: dict[str, dict[Key, Any]], sha256: str) -> None:
    found = tables["staged"].pop(sha256, None)
    if sha256 in tables["attachments"]:
        return
    if not isinstance(found, dict) or not isinstance(found.get("blob"), bytes):
        raise StoreError("MissingAttachment", f"attachment {sha256} is missing")
    kept = {name: value for name, value in found.items() if name != "draft"}
    tables["attachments"][sha256] = {**kept, "state": "pending"}
