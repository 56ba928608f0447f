"""What the view of a record shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fieldpost.odp.replay.links import Links
from fieldpost.pages import Form
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field
from fieldpost.schema.unreadable import Unreadable
from fieldpost.types import Attachment
from fieldpost.web.display.contact_links import contact_link
from fieldpost.web.display.linked_rows import linked_words
from fieldpost.web.framework.requests import PageRequest
from fieldpost.web.lists.list_pages import cell_words


@dataclass(frozen=True, slots=True)
class Shown:
    """One field, in words or as attachments; `link` is where its words lead to."""

    label: str
    kind: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True)
class ShownList:
    """One child list."""

    label: str
    title: str
    rows: tuple["RecordView", ...]


@dataclass(frozen=True, slots=True)
class RecordView:
    """One row with its child lists."""

    fields: tuple[Shown, ...]
    lists: tuple[ShownList, ...]


def record_view(asked: PageRequest, form: Form, record: Any, links: Links) -> RecordView:
    """Describe a record as its view shows it."""
    shown = tuple(form.fields.values())
    linked = linked_words(links, form.model, shown, [record])
    key = form.model.key_of(record)
    fields = tuple(
        _attached(f, record)
        if f.kind in ATTACHMENT_KINDS and not isinstance(getattr(record, f.attribute), Unreadable)
        else _in_words(f, cell_words(f, record, linked, key))
        for f in shown
    )
    return RecordView(fields, tuple(_lists(asked, form, record, links)))


def _lists(asked: PageRequest, form: Form, record: Any, links: Links) -> Iterator[ShownList]:
    for name, child in form.lists.items():
        children = form.model.children_of(record, name, child.form.model)
        rows = tuple(record_view(asked, child.form, row, links) for row in children)
        yield ShownList(child.label, child.title, rows)


def _in_words(field: Field, text: str) -> Shown:
    return Shown(field.label, str(field.kind), text, link=contact_link(field, text))


def _attached(field: Field, record: Any) -> Shown:
    value = getattr(record, field.attribute)
    held = tuple(value) if isinstance(value, list) else (value,) if value else ()
    return Shown(field.label, str(field.kind), attachments=held)
