"""Limits of one server that a person has to know where she decides: they travel with settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PICTURES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heic",
    "image/heif",
    "image/avif",
)
"""Kinds of pictures that are kept as such. SVG is none of them: it may hold scripts."""

SHOWN = frozenset(PICTURES) - {"image/heic", "image/heif"}
"""Those that every browser shows; whatever else a user brought is only handed over as a file."""

BYTES = "application/octet-stream"
"""What every file that is no picture is handed over as, whatever it was called."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes.

    Attributes:
        attachment_bytes: size of the largest attachment.
        pictures: media types of the pictures that it takes.
    """

    attachment_bytes: int = 100 << 20
    pictures: tuple[str, ...] = PICTURES

    def to_json(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {"attachment_bytes": self.attachment_bytes, "pictures": list(self.pictures)}


def limits_from_json(data: Any) -> Limits:
    """Read what `Limits.to_json` wrote; a server that tells none has those that are usual."""
    if not isinstance(data, Mapping):
        return Limits()
    size, pictures = data.get("attachment_bytes"), data.get("pictures")
    if not isinstance(size, int) or isinstance(size, bool) or not isinstance(pictures, list):
        return Limits()
    return Limits(size, tuple(str(each) for each in pictures))
