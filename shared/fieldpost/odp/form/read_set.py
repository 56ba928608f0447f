"""The read set: what a form of a strict page showed, so that any change by others shows."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from fieldpost.errors import join_path
from fieldpost.odp.form.rows import Opened
from fieldpost.pages import Form
from fieldpost.wire.envelope import Operation

Written = Collection[tuple[str, str]]
"""Model and ``repr`` of the key of rows that carry what was seen in an operation of their own."""


def with_read_set(
    form: Form, opened: Opened | None, operations: Sequence[Operation]
) -> list[Operation]:
    """Return the operations of a strict page's form, with a look for each row that it showed."""
    if opened is None or not operations:
        return list(operations)
    written = {(o.model, repr(list(o.key))) for o in operations if o.was}
    return [*_read_set(form, opened, "", written), *operations]


def _read_set(form: Form, opened: Opened, at: str, written: Written) -> Iterator[Operation]:
    lists = {name: opened["children"].get(name, ()) for name in form.lists}
    rows = {name: [list(entry["key"]) for entry in entries] for name, entries in lists.items()}
    key = list(opened["key"])
    was: dict[str, Any] = {}
    if (form.model.name, repr(key)) not in written:
        was = dict(opened["values"])
    if was or rows:
        yield Operation("look", form.model.name, tuple(key), {}, was, at, rows)
    for name, entries in lists.items():
        for index, entry in enumerate(entries):
            place = f"{join_path(at, name)}[{index}]"
            yield from _read_set(form.lists[name].form, entry, place, written)
