"""Mine, theirs, before: the versions of a field that both sides changed, ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldpost.odp.form.rows import Row
from fieldpost.odp.repair.conflict_marks import ConflictMark, safe_text
from fieldpost.types import Attachment
from fieldpost.web.display.envelope_contents import Change, Contents, ValueWords


@dataclass(frozen=True, slots=True)
class Version:
    """One of the values that a field may get.

    Attributes:
        name: 'mine', 'theirs' or 'before'.
        label: the word for it.
        text: what the field's input would hold.
        words: the value in words; empty where it is shown by attachments, or is empty.
        attachments: pictures and files.
        is_chosen: the field holds it.
    """

    name: str
    label: str
    text: str
    words: str
    attachments: tuple[Attachment, ...]
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class RowRemark:
    """What is to be said of a whole row, with what others changed of it."""

    words: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Marks:
    """What a repair shows beside the fields.

    Attributes:
        fields: marks by path.
        remarks: by the place of a row.
        contents: puts values into words; None where there are no marks.
        labels: what the versions are called, where a supervisor repairs the work of another.
        owner: whose values they are that nobody contradicts.
    """

    fields: Mapping[str, ConflictMark] = field(default_factory=dict)
    remarks: Mapping[str, RowRemark] = field(default_factory=dict)
    contents: Contents | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = "Yours"

    def versions(self, path: str, text: str) -> Sequence[Version]:
        """Return the versions of the field at a path that holds `text`; none where it is clear."""
        mark = self.fields.get(path)
        if mark is None or not mark.is_open:
            return ()
        return [self._version(name, mark, text) for name in ("mine", "theirs", "before")]

    def before(self, path: str) -> ValueWords | None:
        """Return what a field was that the worker alone has changed; None for every other."""
        mark = self.fields.get(path)
        if mark is None or mark.is_open or self.contents is None:
            return None
        return self.contents.value(mark.field, mark.before)

    def _version(self, name: str, mark: ConflictMark, text: str) -> Version:
        assert self.contents is not None
        data: Any = getattr(mark, name)
        shown, own = self.contents.value(mark.field, data), safe_text(mark.field, data)
        is_chosen = same_text(own, text)
        label = self.labels.get(name, name.capitalize())
        return Version(name, label, own, shown.text, shown.attachments, is_chosen)


NONE = Marks()


def same_text(one: str, other: str) -> bool:
    """Say whether two inputs hold the same; browsers send each line end as CR LF."""
    return one.replace("\r\n", "\n") == other.replace("\r\n", "\n")


def put_version(row: Row, marks: Mapping[str, ConflictMark], action: str) -> str:
    """Put a version into its field, as the button ``put:theirs:score`` asks; return its path."""
    name, _, path = action.removeprefix("put:").partition(":")
    mark = marks.get(path)
    place, _, field_name = path.rpartition(".")
    wanted = next((each for each in row.every() if each.at == place), None)
    if mark is None or wanted is None or name not in ("mine", "theirs", "before"):
        return ""
    wanted.texts[field_name] = safe_text(mark.field, getattr(mark, name))
    return path
