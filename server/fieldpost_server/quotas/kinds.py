"""What is counted for each user and day, and how much of it she may have."""

from collections.abc import Mapping
from enum import StrEnum

from fieldpost_server.settings import KIB, MIB, Settings


class Kind(StrEnum):
    """One thing that is counted; the value is its name in the database."""

    FILE_BYTES = "file_bytes"
    ENTRY_BYTES = "entry_bytes"
    UPLOADS = "uploads"
    DEVICES = "devices"
    IMAGES = "images"
    SESSIONS = "sessions"

    @property
    def is_bytes(self) -> bool:
        """Say whether bytes are counted: then it is taken in portions."""
        return self in (Kind.FILE_BYTES, Kind.ENTRY_BYTES)

    def amount(self, count: int) -> str:
        """Return an amount of it in words."""
        if not self.is_bytes:
            return str(count)
        if count < MIB:
            return f"{count / KIB:.1f} KB"
        return f"{count / MIB:.1f} MB" if count < 1024 * MIB else f"{count / (1024 * MIB):.1f} GB"


WORDS: Mapping[Kind, str] = {
    Kind.FILE_BYTES: "pictures and files",
    Kind.ENTRY_BYTES: "entries",
    Kind.UPLOADS: "new uploads",
    Kind.DEVICES: "new devices",
    Kind.IMAGES: "full downloads",
    Kind.SESSIONS: "sign-ins",
}
"""What each is called for people."""


def limits_of(settings: Settings) -> dict[Kind, int]:
    """Return how much of each one user may have in a day; 0 means as much as she likes."""
    return {
        Kind.FILE_BYTES: settings.quota_file_bytes,
        Kind.ENTRY_BYTES: settings.quota_entry_bytes,
        Kind.UPLOADS: settings.quota_uploads,
        Kind.DEVICES: settings.quota_devices,
        Kind.IMAGES: settings.quota_images,
        Kind.SESSIONS: settings.quota_sessions,
    }
