"""Fields: what a form shows and checks, derived from a model's columns and lookups."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

import annotated_types as at
import sqlalchemy as sa

from fieldpost.schema.associations import Association
from fieldpost.schema.column_types import AwareDateTime
from fieldpost.schema.values import Codec, codec_for
from fieldpost.types import LONG_TEXT, PRIVATE, PUBLIC, READ_ONLY, AttachmentType, Hint, Label


class Kind(StrEnum):
    """What a field holds, and so which widget shows it."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    YES_NO = "yes_no"
    CHOICE = "choice"
    LOOKUP = "lookup"
    LINKS = "links"
    ID = "id"
    SIGNATURE = "signature"
    PHOTO = "photo"
    PHOTOS = "photos"
    FILE = "file"


ATTACHMENT_KINDS = frozenset({Kind.SIGNATURE, Kind.PHOTO, Kind.PHOTOS, Kind.FILE})
PICTURE_KINDS = ATTACHMENT_KINDS - {Kind.FILE}
"""What holds pictures: without position and camera data. A file is kept as it is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a choice: as form text, with its words."""

    value: str
    label: str


# told apart by what it is, not by what is in it: things are kept for each field
@dataclass(frozen=True, eq=False)
class Field:
    """One field of a model.

    Attributes:
        name: its name in forms and paths: the column's attribute, or the lookup's relationship.
        attribute: the mapped attribute that stores it; its name in an envelope.
        label: the words for it.
        kind: what it holds.
        codec: how its values travel.
        required: whether it must be filled in.
        constraints: `annotated_types` constraints, in the order of the annotation.
        choices: for `Kind.CHOICE`.
        target: for `Kind.LOOKUP` and `Kind.LINKS`, the name of the model that it points to.
        read_only: shown, not filled in.
        private: never leaves the server.
        hint: a short help.
        association: for `Kind.LINKS`, how its rows are linked; the column only stands for it.
        empty: what it holds where nothing is filled in: None, or an empty text where the column
            must not be NULL and says that an empty text will do.
    """

    name: str
    attribute: str
    label: str
    kind: Kind
    codec: Codec
    column: sa.Column[Any]
    required: bool
    constraints: tuple[Any, ...] = ()
    choices: tuple[Choice, ...] = ()
    target: str | None = None
    read_only: bool = False
    private: bool = False
    hint: str = ""
    association: Association | None = None
    empty: Any = None

    @property
    def is_aware(self) -> bool:
        """Whether its values are moments, which each person sees on her own clock."""
        return isinstance(self.column.type, AwareDateTime)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a foreign key is in a form.

    Attributes:
        name: the relationship's, or the attribute's where there is none.
        target: the model that it points to.
        info: the relationship's: its 'label' and 'hint' count.
    """

    name: str
    target: str
    info: Mapping[Any, Any] = field(default_factory=dict)


def words(name: str) -> str:
    """Turn a name of code into words: ``inspected_on`` and ``InspectedOn`` into 'Inspected on'."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s]+", " ", name).strip()
    return spaced[:1].upper() + spaced[1:].lower() if not spaced.isupper() else spaced


def is_private(column: sa.Column[Any], marks: tuple[Any, ...]) -> bool:
    """Say whether a column never leaves the server."""
    return PRIVATE in marks or bool(column.info.get("private"))


def is_public(column: sa.Column[Any], marks: tuple[Any, ...]) -> bool:
    """Say whether a column goes wherever its row goes, though nothing shows it."""
    return PUBLIC in marks or bool(column.info.get("public"))


def field_of(
    attribute: str,
    column: sa.Column[Any],
    marks: tuple[Any, ...],
    lookup: Lookup | None,
) -> Field | None:
    """Derive the field of a column; None where its values cannot be shown in a form.

    Args:
        attribute: the mapped attribute's name.
        column: its column.
        marks: the metadata of the attribute's `Annotated`.
        lookup: for a foreign key.
    """
    codec = codec_for(column.type)
    if codec is None:
        return None
    empty = "" if _may_be_empty_text(column) else None
    name = lookup.name if lookup else attribute
    info = {**column.info, **(lookup.info if lookup else {})}
    label = next((m.text for m in marks if isinstance(m, Label)), None)
    fallback = words(name.removesuffix("_id") if lookup else name)
    return Field(
        name=name,
        attribute=attribute,
        label=label or info.get("label") or fallback,
        kind=Kind.LOOKUP if lookup else _kind(column.type, marks),
        codec=codec,
        column=column,
        required=_is_required(column) and empty is None,
        empty=empty,
        constraints=tuple(_constraints(marks)),
        choices=_choices(column.type),
        target=lookup.target if lookup else None,
        read_only=READ_ONLY in marks or column.computed is not None,
        private=is_private(column, marks),
        hint=next((m.text for m in marks if isinstance(m, Hint)), str(info.get("hint") or "")),
    )


def link_field(name: str, info: Mapping[str, Any], how: Association, codec: Codec) -> Field:
    """Derive the field of a many-to-many relationship.

    Args:
        name: the relationship's.
        info: its `info`: 'label', 'hint', 'required', 'read_only' and 'private' count.
        how: its association.
        codec: how its values travel.
    """
    return Field(
        name=name,
        attribute=name,
        label=str(info.get("label") or words(name)),
        kind=Kind.LINKS,
        codec=codec,
        # there is no column: one that may be empty and has no default says what a form asks of it
        column=sa.Column(name, sa.JSON, nullable=True),
        required=bool(info.get("required")),
        target=how.target,
        read_only=bool(info.get("read_only")),
        private=bool(info.get("private")),
        hint=str(info.get("hint") or ""),
        association=how,
    )


def _constraints(marks: tuple[Any, ...]) -> Iterator[Any]:
    """Yield single constraints: groups such as `Interval` and `Len` are taken apart once, here."""
    for mark in marks:
        if isinstance(mark, at.GroupedMetadata):
            yield from _constraints(tuple(mark))
        elif isinstance(mark, at.BaseMetadata):
            yield mark


def _is_required(column: sa.Column[Any]) -> bool:
    return not column.nullable and not isinstance(column.type, sa.Boolean)


def _may_be_empty_text(column: sa.Column[Any]) -> bool:
    """Say whether a column holds an empty text by default, and never NULL."""
    if (
        column.nullable
        or not isinstance(column.type, sa.String)
        or isinstance(column.type, sa.Enum)
    ):
        return False
    default: Any = column.default
    if default is not None:
        return bool(default.is_scalar and default.arg == "")
    return default_text(column) == ""


def default_text(column: sa.Column[Any]) -> str | None:
    """Return a constant that the database fills in, as text; None where it is none.

    It stands there as SQL has it: ``'open'``, ``0``, ``''::text``.
    """
    clause: Any = column.server_default
    written = getattr(clause, "arg", None)
    if isinstance(written, str):
        return written
    if written is None:
        return None
    text = str(written).strip().strip("()")
    if quoted := re.fullmatch(r"'((?:[^']|'')*)'(?:::[\w\s\"()]+)?", text):
        return quoted[1].replace("''", "'")
    return text if re.fullmatch(r"[+-]?\d+(\.\d+)?|true|false", text, re.IGNORECASE) else None


_KINDS: Mapping[type[Any], Kind] = {
    sa.Boolean: Kind.YES_NO,
    sa.Enum: Kind.CHOICE,
    sa.Integer: Kind.INTEGER,
    sa.Numeric: Kind.DECIMAL,
    sa.Float: Kind.DECIMAL,
    sa.Date: Kind.DATE,
    sa.Time: Kind.TIME,
    AwareDateTime: Kind.DATETIME,
    sa.DateTime: Kind.DATETIME,
    sa.Uuid: Kind.ID,
    sa.Text: Kind.LONG_TEXT,
}


def _kind(type_: sa.types.TypeEngine[Any], marks: tuple[Any, ...]) -> Kind:
    if isinstance(type_, AttachmentType):
        return Kind(type_.kind)
    if LONG_TEXT in marks:
        return Kind.LONG_TEXT
    plain = type_.impl_instance if isinstance(type_, sa.types.TypeDecorator) else type_
    return next((kind for cls, kind in _KINDS.items() if isinstance(plain, cls)), Kind.TEXT)


def _choices(type_: sa.types.TypeEngine[Any]) -> tuple[Choice, ...]:
    if not isinstance(type_, sa.Enum):
        return ()
    if type_.enum_class is None:
        return tuple(Choice(name, words(name)) for name in type_.enums)
    return tuple(Choice(str(m.value), _choice_label(m)) for m in type_.enum_class)


def _choice_label(member: Enum) -> str:
    label = getattr(member, "label", None)
    return label if isinstance(label, str) else words(member.name)
