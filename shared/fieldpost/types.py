"""What a model's columns may hold beside plain values: attachments, and marks for fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column


@dataclass(frozen=True, slots=True)
class Attachment:
    """A reference to binary content, which itself never enters a record.

    Attributes:
        sha256: digest of the content, 64 hexadecimal digits.
        size: bytes.
        type: media type, such as ``image/jpeg``.
        name: the file's name.
    """

    sha256: str
    size: int
    type: str
    name: str

    def to_json(self) -> dict[str, Any]:
        """Return the reference as plain data."""
        return {"sha256": self.sha256, "size": self.size, "type": self.type, "name": self.name}

    @classmethod
    def from_json(cls, data: Any) -> "Attachment":
        """Read a reference.

        Raises:
            ValueError: `data` is none.
        """
        if not isinstance(data, Mapping) or set(data) != {"sha256", "size", "type", "name"}:
            raise ValueError("an attachment has sha256, size, type and name")
        sha256, size = data["sha256"], data["size"]
        if (
            not isinstance(sha256, str)
            or len(sha256) != 64
            or set(sha256) - set("0123456789abcdef")
        ):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError("size must be a number of bytes")
        if not _is_short_text(data["type"]) or not _is_short_text(data["name"]):
            raise ValueError("type and name must be short text")
        return cls(sha256, size, data["type"], data["name"])


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 255 and "\0" not in value


class AttachmentType(sa.types.TypeDecorator[Any]):
    """Internal: a column that refers to one attachment, or with `several` to a list of them."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: str, *, several: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.several = several

    def process_bind_param(self, value: Any, dialect: Any) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """Turn references into JSON."""
        if value is None:
            return None
        return [v.to_json() for v in value] if self.several else value.to_json()

    def process_result_value(self, value: Any, dialect: Any) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """Turn JSON into references."""
        if value is None:
            return None
        if self.several:
            return [Attachment.from_json(v) for v in value]
        return Attachment.from_json(value)


Signature = Annotated[Attachment, mapped_column(AttachmentType("signature"))]
"""A drawn signature: ``signature: Mapped[Signature | None]``."""

Photo = Annotated[Attachment, mapped_column(AttachmentType("photo"))]
"""One photo."""

Photos = Annotated[list[Attachment], mapped_column(AttachmentType("photos", several=True))]
"""Several photos."""

File = Annotated[Attachment, mapped_column(AttachmentType("file"))]
"""Any file."""


@dataclass(frozen=True, slots=True)
class Label:
    """The words for a field: ``Annotated[int, Label("Points of 100")]``."""

    text: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A short help shown at the field."""

    text: str


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str


LONG_TEXT = _Mark("long_text")
"""Text of several lines: ``Annotated[str, LONG_TEXT]``."""

PRIVATE = _Mark("private")
"""A column that never leaves the server: ``Annotated[str, PRIVATE]``."""

PUBLIC = _Mark("public")
"""A column that devices have wherever they have its row, though no page shows it: for rules.

Without it a device has of a row what its user's pages show, and of a row that she can only choose
in a lookup its key and its title: ``Annotated[bool, PUBLIC]``.
"""

READ_ONLY = _Mark("read_only")
"""A field that is shown but not filled in."""
