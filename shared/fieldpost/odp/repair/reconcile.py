"""Reconciling: a record as it is now with what a worker wanted of it, as one form to fill in.

Nothing is decided here: where both sides changed a field, the form gets the worker's value and a
mark with all three. The form is saved like every other, compared with the record as it is now.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpost.errors import join_path
from fieldpost.odp.form.rows import Opened, Row, new_row
from fieldpost.odp.repair.conflict_marks import (
    ConflictMark,
    are_same,
    changes_of,
    merged_links,
    safe_text,
)
from fieldpost.odp.repair.fold import Row as RowName
from fieldpost.odp.repair.fold import places_of_rows
from fieldpost.odp.repair.pending_change import PendingChange
from fieldpost.pages import Form, FormList
from fieldpost.schema.fields import Field, Kind
from fieldpost.wire.envelope import Operation

LOST = "Somebody deleted this row. Keep it to bring it back, or remove it."
REMOVED = "You removed this row, and somebody changed it meanwhile. Remove it anyway, or keep it."


@dataclass
class Reconciled:
    """The form to show.

    Attributes:
        row: what it is filled in with.
        marks: by path.
        remarks: words for whole rows, by their place.
        changed: what others changed of rows that the worker removed, by the place of the row.
        places: where rows stand in it.
        left: what has no place in it, by the worker's operations.
    """

    row: Row
    marks: dict[str, ConflictMark] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    changed: dict[str, list[ConflictMark]] = field(default_factory=dict)
    places: dict[RowName, str] = field(default_factory=dict)
    left: list[Operation] = field(default_factory=list)

    @property
    def open_paths(self) -> list[str]:
        """Return the paths of all fields that somebody has to decide."""
        return [path for path, mark in self.marks.items() if mark.is_open]


def reconciled(
    form: Form, pending: PendingChange, theirs: Opened | None, *, strict: bool
) -> Reconciled:
    """Return the form in which a record is repaired.

    Args:
        form: the page's.
        pending: what the worker wants.
        theirs: the record as it is now; None where it is new, or others have deleted it.
        strict: whether each change by others is to be looked at.
    """
    there = () if theirs is None else (row for row, _ in places_of_rows(form, theirs))
    return _Reconciler(pending, frozenset(there), strict=strict).reconcile(form, theirs)


class _Reconciler:
    def __init__(self, pending: PendingChange, there: frozenset[RowName], *, strict: bool) -> None:
        self.pending = pending
        self.there = there
        self.strict = strict
        self.found = Reconciled(Row("", None))
        self.used: dict[RowName, set[str]] = {}

    def reconcile(self, form: Form, theirs: Opened | None) -> Reconciled:
        inserted = next(iter(self.pending.inserts(form.model.name)), None)
        before = self.pending.before
        if theirs is not None:
            self.found.row = self._known(form, theirs, before, "")
        elif inserted is not None and not inserted.at:
            self.found.row = self._new(form, inserted, "")
        else:
            self.found.row = self._restored(form, before)
        self.found.left = list(self._left())
        return self.found

    # rows

    def _known(self, form: Form, theirs: Opened, before: Opened | None, at: str) -> Row:
        """Return a row that is there, with what the worker wants of it."""
        row, values = Row(at, list(theirs["key"])), theirs["values"]
        operation = self._take(form, row.key or (), at)
        seen = self._seen(form, operation, before, row.key or ())
        row.deleted = operation is not None and operation.do == "delete"
        for name, each in form.fields.items():
            data = values.get(each.attribute)
            if operation is None or operation.do == "update":
                data = self._decided(form, each, operation, seen, data, join_path(at, name))
            row.texts[name] = safe_text(each, data)
        if row.deleted and at and (changes := changes_of(form, theirs, seen)):
            self.found.remarks[at] = REMOVED
            self.found.changed[at] = changes
        self._fill_lists(form, row, theirs, before)
        return row

    def _new(self, form: Form, operation: Operation, at: str) -> Row:
        """Return a row that the worker adds; it keeps the key that others may know it by."""
        row = new_row(form, at)
        row.new_key = list(operation.key)
        self._note(form, operation.key, at, operation)
        for name, each in form.fields.items():
            if each.attribute in operation.set and not each.read_only:
                row.texts[name] = safe_text(each, operation.set[each.attribute])
        self._fill_lists(form, row, None, None, operation.key)
        return row

    def _lost(self, form: Form, key: Sequence[Any], before: Opened | None, at: str) -> Row:
        """Return a row that others deleted, as the worker left it: a new one."""
        operation = self._take(form, key, at)
        values = dict(self._seen(form, operation, before, key))
        if operation is not None:
            values |= operation.set
        row = new_row(form, at)
        for name, each in form.fields.items():
            path = join_path(at, name)
            if each.attribute not in values or each.read_only:
                continue
            row.texts[name] = safe_text(each, values[each.attribute])
            if operation is not None and each.attribute in operation.set:
                was = operation.was.get(each.attribute)
                data = operation.set[each.attribute]
                self.found.marks[path] = ConflictMark(each, data, None, was, is_open=False)
        if at:
            self.found.remarks[at] = LOST
        self._fill_lists(form, row, None, before, key, restore=True)
        return row

    def _restored(self, form: Form, before: Opened | None) -> Row:
        top = next((o for o in self.pending.operations if o.model == form.model.name), None)
        key = before["key"] if before else top.key if top else ()
        return self._lost(form, key, before, "")

    # child lists

    def _fill_lists(
        self,
        form: Form,
        row: Row,
        theirs: Opened | None,
        before: Opened | None,
        key: Sequence[Any] = (),
        *,
        restore: bool = False,
    ) -> None:
        key = row.key or key
        for name, child in form.lists.items():
            rows: list[Row] = []
            place = join_path(row.at, name)
            earlier = {repr(list(e["key"])): e for e in _children(before, name)}
            for entry in _children(theirs, name):
                known = earlier.get(repr(list(entry["key"])))
                rows.append(self._known(child.form, entry, known, f"{place}[{len(rows)}]"))
            above = "" if not row.at else self.pending.place_of(form.model.name, key)
            for lost, known in self._lost_below(child, above, earlier, restore=restore):
                rows.append(self._lost(child.form, lost, known, f"{place}[{len(rows)}]"))
            for operation in self._added_below(form, child, key):
                rows.append(self._new(child.form, operation, f"{place}[{len(rows)}]"))
            row.lists[name] = rows

    def _added_below(self, form: Form, child: FormList, key: Sequence[Any]) -> Iterator[Operation]:
        values = dict(zip(form.model.key, key, strict=False))
        pointing = {theirs: values.get(ours) for theirs, ours in child.link.pairs}
        for operation in self.pending.inserts(child.form.model.name):
            is_below = all(operation.set.get(a) == part for a, part in pointing.items())
            if is_below and _list_of(operation.at) in ("", child.name):
                yield operation

    def _lost_below(
        self,
        child: FormList,
        above: str | None,
        earlier: Mapping[str, Opened],
        *,
        restore: bool,
    ) -> Iterator[tuple[list[Any], Opened | None]]:
        """Yield rows that others deleted and the worker wants: key, and what they were."""
        model = child.form.model.name
        for name, entry in earlier.items():
            operation = self.pending.of(model, entry["key"])
            is_gone = operation is not None and operation.do == "delete"
            is_wanted = restore or self._is_wanted(child.form, entry)
            if (model, name) not in self.there and not is_gone and is_wanted:
                yield list(entry["key"]), entry
        if above is None:
            return
        for operation in self.pending.updates_in(join_path(above, child.name)):
            row = (model, repr(list(operation.key)))
            if operation.model == model and row[1] not in earlier and row not in self.there:
                # nobody knows what it was beyond what the form showed of it
                yield list(operation.key), None

    def _is_wanted(self, form: Form, entry: Opened) -> bool:
        """Say whether the worker changed something of a row or below it."""
        operation = self.pending.of(form.model.name, entry["key"])
        if operation is not None and operation.do == "update":
            return True
        return any(
            next(self._added_below(form, child, entry["key"]), None) is not None
            or any(self._is_wanted(child.form, e) for e in _children(entry, name))
            for name, child in form.lists.items()
        )

    # values

    def _decided(
        self,
        form: Form,
        each: Field,
        operation: Operation | None,
        seen: Mapping[str, Any],
        theirs: Any,
        path: str,
    ) -> Any:
        """Return the value to fill in, and mark the field where it is not simply theirs."""
        attribute = each.attribute
        if attribute not in seen or each.read_only or attribute in form.model.key:
            return theirs
        before = seen[attribute]
        is_set = operation is not None and attribute in operation.set
        if not is_set and not self.strict:
            return theirs
        mine = operation.set[attribute] if operation is not None and is_set else before
        if are_same(each, mine, theirs):
            return theirs
        is_open = not are_same(each, theirs, before)
        if each.kind is Kind.LINKS and not self.strict:
            mine, is_open = merged_links(mine, theirs, before), False
            if are_same(each, mine, theirs):
                return theirs
        self.found.marks[path] = ConflictMark(each, mine, theirs, before, is_open=is_open)
        return mine if is_set else theirs

    def _seen(
        self, form: Form, operation: Operation | None, before: Opened | None, key: Sequence[Any]
    ) -> Mapping[str, Any]:
        """Return what the worker saw of a row."""
        looked = self.pending.read_set.get((form.model.name, repr(list(key))), {})
        shown = before["values"] if before is not None else {}
        return {**shown, **looked, **(operation.was if operation is not None else {})}

    # what has a place, and what has none

    def _take(self, form: Form, key: Sequence[Any], at: str) -> Operation | None:
        operation = self.pending.of(form.model.name, key)
        self._note(form, key, at, operation)
        return operation

    def _note(self, form: Form, key: Sequence[Any], at: str, operation: Operation | None) -> None:
        name = (form.model.name, repr(list(key)))
        self.found.places[name] = at
        if operation is not None:
            held = {f.attribute for f in form.fields.values() if not f.read_only}
            self.used[name] = held | form.linked | set(form.model.key)

    def _left(self) -> Iterator[Operation]:
        for operation in self.pending.operations:
            held = self.used.get((operation.model, repr(list(operation.key))))
            if held is None and operation.do != "delete":
                yield operation
            elif held is not None:
                rest = {a: data for a, data in operation.set.items() if a not in held}
                if rest:
                    yield replace(operation, set=rest)


def _children(opened: Opened | None, name: str) -> Sequence[Opened]:
    found: Sequence[Opened] = () if opened is None else opened["children"].get(name, ())
    return found


def _list_of(at: str) -> str:
    return at.rpartition("[")[0].rpartition(".")[2]
