"""A file on its way into the attachments store: on the disk, and digested, while it arrives."""

import hashlib
import uuid
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 16
"""What tells a picture by its beginning."""


class ArrivingFile:
    """A part with a name of its own; nobody looks for it before it is whole.

    Attributes:
        path: where it lies.
        size: bytes so far.
        head: how it begins.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"arriving-{uuid.uuid4().hex}"
        self.size = 0
        self.head = b""
        self._digest = hashlib.sha256()
        self._file: BinaryIO = self.path.open("xb")

    @property
    def sha256(self) -> str:
        """Return the digest of what has arrived."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        self._file.write(piece)
        # fault point: arriving-part-cut — the part is nobody's yet: the file is sent again, and
        # housekeeping deletes what is there of it.
        self._digest.update(piece)
        self.size += len(piece)
        if len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]

    def close(self) -> None:
        """Have all of it in the file."""
        self._file.close()

    def drop(self) -> None:
        """Forget it, unless it has found its place."""
        self._file.close()
        # fault point: arriving-part-left — it belongs to nobody: housekeeping deletes it.
        self.path.unlink(missing_ok=True)
