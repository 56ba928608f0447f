"""The pending change: what envelopes that could not be applied want, with present keys."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fieldpost.app import App
from fieldpost.errors import Problem, join_path
from fieldpost.home import Trouble
from fieldpost.odp.form.rows import Opened, new_key_name
from fieldpost.odp.lineage.drift import in_present_names
from fieldpost.odp.lineage.temporary_keys import resolved_part
from fieldpost.odp.repair.fold import Row, folded, places_of_rows, row_of
from fieldpost.pages import Form, Page
from fieldpost.schema.models import Model
from fieldpost.wire.envelope import Envelope, Operation

Real = Callable[[str, int], int | None]
"""Gives the real key that a temporary one became; None where that is not known."""


@dataclass(frozen=True)
class PendingChange:
    """See the module.

    Attributes:
        operations: what is to be written; each row once.
        before: what the first form was opened on; None where nobody knows.
        read_set: what rows of a strict page showed that are not written.
        rows_at: the rows by their place in the forms that were saved.
    """

    operations: tuple[Operation, ...]
    before: Opened | None = None
    read_set: Mapping[Row, Mapping[str, Any]] = field(default_factory=dict)
    rows_at: Mapping[str, Row] = field(default_factory=dict)

    @cached_property
    def _writes(self) -> dict[Row, Operation]:
        return {row_of(o): o for o in self.operations if o.do != "insert"}

    @cached_property
    def _places(self) -> dict[Row, str]:
        # a row that two forms showed at different places counts where it was first
        return {row: at for at, row in reversed(list(self.rows_at.items()))}

    @cached_property
    def _inserts(self) -> dict[str, list[Operation]]:
        return _grouped((o.model, o) for o in self.operations if o.do == "insert")

    @cached_property
    def _updates(self) -> dict[str, list[Operation]]:
        updates = (o for o in self.operations if o.do == "update")
        return _grouped((o.at.rpartition("[")[0], o) for o in updates)

    def of(self, model: str, key: Sequence[Any]) -> Operation | None:
        """Return what is to be done to a row that was there."""
        return self._writes.get((model, repr(list(key))))

    def place_of(self, model: str, key: Sequence[Any]) -> str | None:
        """Return where a row stood in the form; None where that is not known."""
        return self._places.get((model, repr(list(key))))

    def inserts(self, model: str) -> Sequence[Operation]:
        """Return the new rows of a model."""
        return self._inserts.get(model, ())

    def updates_in(self, place: str) -> Sequence[Operation]:
        """Return what is changed of rows in the child list at a place of the form."""
        return self._updates.get(place, ())

    def new_keys(self, form: Form) -> frozenset[str]:
        """Return what `row_from_post` takes as the keys that new rows bring along."""
        forms = {each.model.name: each for each in form.forms()}
        return frozenset(
            new_key_name(forms[o.model], o.key)
            for o in self.operations
            if o.do == "insert" and o.model in forms
        )

    def relocated(self, found: Problem, places: Mapping[Row, str]) -> Problem:
        """Return a problem with its path in the form as it is now; at the whole where it has none.

        Args:
            found: with a path in the form that was saved.
            places: where rows stand now.
        """
        at = max(
            (at for at in self.rows_at if at and _is_within(found.path, at)), key=len, default=""
        )
        if not at:
            return found if "[" not in found.path else replace(found, path="")
        now = places.get(self.rows_at[at])
        rest = found.path[len(at) :].lstrip(".")
        return replace(found, path="" if now is None else join_path(now, rest))


def _grouped(pairs: Iterable[tuple[str, Operation]]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for name, operation in pairs:
        found.setdefault(name, []).append(operation)
    return found


def _is_within(path: str, at: str) -> bool:
    return path == at or path.startswith((f"{at}.", f"{at}["))


def pending_change_of(app: App, page: Page | None, trouble: Trouble, real: Real) -> PendingChange:
    """Fold the envelopes of a trouble.

    Args:
        app: whose models and renamings count.
        page: the envelopes' page, by its present name; None where it is gone.
        trouble: the envelopes, in order.
        real: what temporary keys became.
    """
    operations: list[Operation] = []
    rows_at: dict[str, Row] = {}
    for envelope in trouble.envelopes:
        present = present_operations(app, envelope, real)
        places = {row_of(o): o.at for o in present}
        operations = folded(operations, present, places)
        for row, at in places.items():
            rows_at.setdefault(at, row)
    before = None
    if trouble.before is not None and page is not None:
        before = _present_opened(app.models, page.layout, trouble.before, real)
        for row, at in places_of_rows(page.layout, before):
            rows_at.setdefault(at, row)
    read_set = {row_of(o): o.was for o in operations if o.do == "look"}
    return PendingChange(tuple(o for o in operations if o.do != "look"), before, read_set, rows_at)


def present_operations(app: App, envelope: Envelope, real: Real) -> list[Operation]:
    """Return the operations of an envelope with the present names and keys."""
    named = in_present_names(app, envelope).operations
    return [_with_present_keys(app.models, operation, real) for operation in named]


def _with_present_keys(models: dict[str, Model], operation: Operation, real: Real) -> Operation:
    model = models.get(operation.model)
    if model is None:
        return operation
    return replace(
        operation,
        key=_key(models, model, operation.key, real),
        set=_values(models, model, operation.set, real),
        was=_values(models, model, operation.was, real),
    )


def _key(models: dict[str, Model], model: Model, key: Sequence[Any], real: Real) -> tuple[Any, ...]:
    if len(key) != len(model.key):
        return tuple(key)
    pairs = zip(model.key, key, strict=True)
    return tuple(_part(models, model, attribute, part, real) for attribute, part in pairs)


def _values(
    models: dict[str, Model], model: Model, values: Mapping[str, Any], real: Real
) -> dict[str, Any]:
    return {a: _value(models, model, a, data, real) for a, data in values.items()}


def _value(models: dict[str, Model], model: Model, attribute: str, data: Any, real: Real) -> Any:
    if attribute not in model.links:
        return _part(models, model, attribute, data, real)
    target = models[str(model.links[attribute].target)]
    if not isinstance(data, list) or not all(isinstance(key, list) for key in data):
        return data
    return [list(_key(models, target, key, real)) for key in data]


def _part(models: dict[str, Model], model: Model, attribute: str, data: Any, real: Real) -> Any:
    # what is not known stays temporary: the row may be there under that key, or come later
    return resolved_part(model, attribute, data, models, lambda name, key: real(name, key) or key)


def _present_opened(
    models: dict[str, Model], form: Form, opened: Opened, real: Real
) -> dict[str, Any]:
    return {
        **opened,
        "key": list(_key(models, form.model, opened["key"], real)),
        "values": _values(models, form.model, opened["values"], real),
        "children": {
            name: [
                _present_opened(models, child.form, entry, real)
                for entry in opened["children"].get(name, ())
            ]
            for name, child in form.lists.items()
        },
    }
