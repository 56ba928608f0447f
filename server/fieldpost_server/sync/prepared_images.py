"""Images that were made for a first download: kept for a while, so that a download goes on."""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from fieldpost.errors import Code, InputError, problem
from fieldpost_server.feed.cursor import Cursor

KEPT_S = 2 * 3600
"""So long after it was made an image may be asked for."""
MOST_IMAGES = 100
MOST_BYTES = 2 << 30
"""Of all images together; the oldest go first."""

_TAG = re.compile(r'"([0-9a-f]{64})"')
_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One image as it travels.

    Attributes:
        content: compressed.
        headers: what its answers say of it.
    """

    content: bytes
    headers: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Return its strong entity tag: the digest of what travels."""
        return hashlib.sha256(self.content).hexdigest()

    def answer(self, request: Request) -> Response:
        """Send it, or the part that is asked for."""
        size = len(self.content)
        headers = {**self.headers, "ETag": f'"{self.tag}"', "Accept-Ranges": "bytes"}
        found = _RANGE.fullmatch(request.headers.get("range", ""))
        first = int(found[1]) if found else 0
        last = min(int(found[2]), size - 1) if found and found[2] else size - 1
        if found is None or not first <= last:
            return Response(self.content, headers=headers, media_type="application/gzip")
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        part = self.content[first : last + 1]
        return Response(part, 206, headers=headers, media_type="application/gzip")


class PreparedImages:
    """Images in a folder that all processes of a server share: one of each device.

    A file appears by one rename and holds its headers in its first line, so that it is never seen
    in part. Whoever asks must be its device; the digest in its name tells images of one apart.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, device: str, prepared: Prepared) -> None:
        """Keep an image in the place of the device's former one, and only so many in all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for former in self.folder.glob(f"{_owner(device)}-*"):
            former.unlink(missing_ok=True)
        part = self.folder / f"part-{uuid.uuid4().hex}"
        head = json.dumps(dict(prepared.headers), ensure_ascii=True)
        part.write_bytes(head.encode() + b"\n" + prepared.content)
        # fault point: image-unplaced — nobody looks for the part, which goes with what is old: a
        # download that is asked to go on begins again.
        part.replace(self._path(device, prepared.tag))
        self._make_room()

    def find(self, device: str, tag: str) -> Prepared | None:
        """Return an image of a device; None where it is not kept any more."""
        path = self._path(device, tag)
        try:
            if time.time() - path.stat().st_mtime > KEPT_S:
                return None
            head, _, content = path.read_bytes().partition(b"\n")
            found = Prepared(content, json.loads(head))
        except (OSError, ValueError):
            return None
        # a file that was damaged is none
        return found if found.tag == tag else None

    def wanted(self, request: Request, device: str, now: Cursor) -> Prepared | None:
        """Return the image that a request goes on with; None where it wants a new one.

        Args:
            request: asks for it by ``If-Match``.
            device: whose it must be.
            now: a cursor of this moment: the image must show the same rows of the same timeline.

        Raises:
            InputError: it is not kept any more, or shows what the user may not have any more.
        """
        asked = request.headers.get("if-match", "")
        if not asked:
            return None
        named = _TAG.fullmatch(asked)
        found = self.find(device, named[1]) if named else None
        if found is not None:
            shown = Cursor.parse(found.headers["Fieldpost-Cursor"])
            if (shown.timeline, shown.plan) == (now.timeline, now.plan):
                return found
        raise InputError([problem(Code.IMAGE_GONE, "if-match")])

    def _path(self, device: str, tag: str) -> Path:
        return self.folder / f"{_owner(device)}-{tag}"

    def _make_room(self) -> None:
        """Delete what is too old or too much; another process may do the same just now."""
        found = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        kept = size = 0
        for made, length, path in sorted(found, reverse=True):
            kept, size = kept + 1, size + length
            is_old = time.time() - made > KEPT_S
            # the newest stays, however large it is: its download is beginning
            if is_old or (kept > 1 and (kept > MOST_IMAGES or size > MOST_BYTES)):
                # fault point: old-image-undeleted — it only takes space: the next one that is made
                # deletes it.
                path.unlink(missing_ok=True)


def _owner(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()[:32]
