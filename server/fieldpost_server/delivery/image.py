"""A memory image: the device's Python with the app imported, in parts, as it is kept and sent.

A device that takes it neither unpacks nor imports anything at its first start.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from fieldpost_server.http.authentication import APP_FILES
from fieldpost_server.http.parts import answer_part, wants_part

NOTES = "image.json"
"""What an image consists of; whoever makes it writes this last."""

# of the author's app, so nothing between may keep it
_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
_TYPE = "application/octet-stream"
_CODINGS = {"br": "br", "gzip": "gz"}
"""What a part is kept as: the coding's name in HTTP → the file's suffix; the smaller one first."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some megabytes of an image, kept twice: as brotli and as gzip.

    Attributes:
        file: where it is kept, without the suffix.
        size: in bytes, unpacked.
        sha256: of the unpacked content, in hex.
        wire: its bytes on the wire.
    """

    file: Path
    size: int
    sha256: str
    wire: int

    @property
    def entry(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        size = {"size": self.size, "packed": self.wire}
        return {"url": self.url, **size, "sha256": self.sha256}

    @property
    def url(self) -> str:
        """Return where it is served: below what needs a session, as the app itself."""
        return f"{APP_FILES}{self.sha256[:16]}/image-{self.file.name}"

    def packed(self, coding: str) -> bytes:
        """Return its bytes in a coding of HTTP; raises OSError."""
        return self.file.with_suffix(f".{_CODINGS[coding]}").read_bytes()

    def content(self) -> bytes:
        """Return it unpacked; raises OSError."""
        return gzip.decompress(self.packed("gzip"))


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was made and tried.

    Attributes:
        folder: where it is kept.
        size: in bytes, unpacked.
        instead: bytes on the wire of what a device need not wait for that takes it.
        yardstick: bytes on the wire of the runtime's largest file, which every device gets: how
            long it takes says how quick a line is.
        parts: in their order.
    """

    folder: Path
    size: int
    instead: int
    yardstick: int
    parts: tuple[Part, ...]

    @property
    def entry(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "size": self.size,
            "packed": self.packed,
            "instead": self.instead,
            "yardstick": self.yardstick,
            "parts": [part.entry for part in self.parts],
        }

    @property
    def packed(self) -> int:
        """Return the bytes on the wire of all of it."""
        return sum(part.wire for part in self.parts)

    def part(self, path: str) -> Part | None:
        """Return the part that is served at a path."""
        return next((part for part in self.parts if part.url == path), None)


def kept_image(folder: Path) -> Image | None:
    """Return the image that is kept in a folder; None where there is none, or a damaged one."""
    try:
        notes = json.loads((folder / NOTES).read_bytes())
        parts = [_part(folder / str(n), each) for n, each in enumerate(notes["parts"])]
        size, instead, yardstick = (int(notes[n]) for n in ("size", "instead", "yardstick"))
        return Image(folder, size, instead, yardstick, tuple(parts))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _part(file: Path, note: Mapping[str, Any]) -> Part:
    part = Part(file, note["size"], note["sha256"], note["br"]["size"])
    for coding, suffix in _CODINGS.items():
        if hashlib.sha256(part.packed(coding)).hexdigest() != note[suffix]["sha256"]:
            raise ValueError(f"the file {file}.{suffix} is damaged")
    return part


def send_part(request: Request, part: Part) -> Response:
    """Answer a request for a part, packed where whoever asks takes that."""
    takes = {each.partition(";")[0].strip() for each in _accepted(request).split(",")}
    coding = next((each for each in _CODINGS if each in takes), None)
    try:
        # a browser holds what it has of a file unpacked: pieces are pieces of that
        if coding is None or wants_part(request):
            return answer_part(request, part.content(), part.sha256, _HEADERS, _TYPE)
        told = {**_HEADERS, "Content-Encoding": coding, "ETag": f'"{part.sha256}-{coding}"'}
        return Response(part.packed(coding), headers=told, media_type=_TYPE)
    except OSError:  # the cache was emptied: devices take the packages
        return PlainTextResponse("There is no such file.", 404)


def _accepted(request: Request) -> str:
    return request.headers.get("accept-encoding", "")
