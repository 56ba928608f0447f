"""The manifest: what a backup says of itself.

It names no paths: where each part lies follows from what it is, so that no manifest, whoever wrote
it, leads anywhere else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fieldpost.text.canonical import digest
from fieldpost.text.jsontext import parse
from fieldpost_server.backup.files import Part, opened

FORMAT = 1
MANIFEST = "manifest.json"
LIST = "attachments.list"
ATTACHMENTS = "attachments"
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
"""By kind of database, the file that holds it."""

MOST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LINE = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,18}|missing)\n")


class NoManifestError(ValueError):
    """What was read is no manifest; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        app: name of the author's app.
        fieldpost: version that made it.
        kind: of the database, a key of `DATABASES`.
        office: id of the first timeline of the database: the same in all backups of one office.
        timeline: id of the one that it was made in.
        moment: when the point was taken.
        rows: how many there were, by table.
        signing_key: id of the key that signs receipts; empty where there is none.
        needs_secret: that key is encrypted with a secret that is not in the backup.
        database: the file with all rows.
        attachments: the file with the list of attachments.
        attachment_count, attachment_bytes: how many files are in it, and how large together.
        missing: how many the office itself did not have.
    """

    app: str
    fieldpost: str
    kind: str
    office: str
    timeline: str
    moment: datetime
    rows: Mapping[str, int]
    signing_key: str
    needs_secret: bool
    database: Part
    attachments: Part
    attachment_count: int
    attachment_bytes: int
    missing: int

    @property
    def digest(self) -> str:
        """Return the digest of all that it says, and so of all that the backup holds."""
        return digest(self._told())

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        told = {**self._told(), "digest": self.digest}
        return (json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

    def _told(self) -> dict[str, Any]:
        parts = {
            "database": {"size": self.database.size, "sha256": self.database.sha256},
            "attachments": {"size": self.attachments.size, "sha256": self.attachments.sha256},
        }
        names = ("app", "fieldpost", "kind", "office", "timeline", "signing_key", "needs_secret")
        counts = ("attachment_count", "attachment_bytes", "missing")
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in (*names, *counts)},
            "moment": self.moment.isoformat(),
            "rows": dict(self.rows),
            "parts": parts,
        }


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        NoManifestError: it is none, of a later format, or was changed after it was written.
        OSError: there is none.
    """
    with opened(folder / MANIFEST) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NoManifestError("it is too large")
    try:
        told = parse(content.decode())
    except ValueError:
        raise NoManifestError("it is no JSON") from None
    if not isinstance(told, dict):
        raise NoManifestError("it is no JSON object")
    if told.get("format") != FORMAT:
        raise NoManifestError(f"its format is {str(told.get('format'))[:20]}, known is {FORMAT}")
    try:
        made = _manifest(told)
        # exactly as it was written: nothing can be changed that would not show
        is_itself = made.to_bytes() == content
    except (AttributeError, KeyError, TypeError, ValueError):
        raise NoManifestError("something in it is missing, or of another kind") from None
    if not is_itself:
        raise NoManifestError("it was changed after it was written")
    return made


def _manifest(told: Mapping[str, Any]) -> Manifest:
    moment = datetime.fromisoformat(_of(told, "moment", str))
    parts = _of(told, "parts", dict)
    rows = _of(told, "rows", dict)
    kind = _of(told, "kind", str)
    if kind not in DATABASES or moment.tzinfo is None:
        raise ValueError(kind)
    return Manifest(
        app=_of(told, "app", str),
        fieldpost=_of(told, "fieldpost", str),
        kind=kind,
        office=_of(told, "office", str),
        timeline=_of(told, "timeline", str),
        moment=moment,
        rows={name: _of(rows, name, int) for name in rows},
        signing_key=_of(told, "signing_key", str),
        needs_secret=_of(told, "needs_secret", bool),
        database=_part(parts["database"]),
        attachments=_part(parts["attachments"]),
        attachment_count=_of(told, "attachment_count", int),
        attachment_bytes=_of(told, "attachment_bytes", int),
        missing=_of(told, "missing", int),
    )


def _part(told: Mapping[str, Any]) -> Part:
    sha256 = _of(told, "sha256", str)
    if not _SHA256.fullmatch(sha256):
        raise ValueError(sha256)
    return Part(_of(told, "size", int), sha256)


def _of(told: Mapping[str, Any], name: str, kind: type) -> Any:
    value = told[name]
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise TypeError(name)
    return value


def list_text(sizes: Mapping[str, int | None]) -> bytes:
    """Return the list of attachments: digest and size in a line; None where it is missing."""
    lines = (f"{sha} {'missing' if sizes[sha] is None else sizes[sha]}\n" for sha in sorted(sizes))
    return "".join(lines).encode()


def read_list(file: Path) -> Iterator[tuple[str, int | None]]:
    """Yield digest and size of each attachment, in order; raises ValueError for what is no list."""
    before = ""
    with opened(file) as lines:
        # a line is at most so long: what is no list is not read into memory
        while line := lines.readline(100):
            match = _LINE.fullmatch(line)
            if match is None or (sha256 := match[1].decode()) <= before:
                raise ValueError("a line of it is no attachment, or out of order")
            before = sha256
            yield sha256, None if match[2] == b"missing" else int(match[2])


def attachment_path(folder: Path, sha256: str) -> Path:
    """Return where an attachment lies in a backup."""
    return folder / ATTACHMENTS / sha256[:2] / sha256
