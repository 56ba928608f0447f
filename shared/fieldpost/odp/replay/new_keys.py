"""New keys: what temporary keys stand for while one envelope is replayed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.odp.lineage.temporary_keys import KeyBook, is_temporary, resolved, resolved_part
from fieldpost.odp.replay.access import Place
from fieldpost.odp.replay.integrity import is_written_first
from fieldpost.schema.models import Key, Model
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import NewKey


class NewKeys:
    """Gives new rows their keys, and finds the real keys of rows that are written or known.

    Args:
        session: of the replay.
        app: whose models have keys.
        book: what earlier envelopes' temporary keys became.
    """

    def __init__(self, session: Session, app: App, book: KeyBook) -> None:
        self.session = session
        self.models = app.models
        self.book = book
        self._unflushed: dict[tuple[str, int], Any] = {}
        self._fresh: dict[tuple[str, int], int] = {}
        self._above: dict[tuple[str, str, int], Any] = {}

    def expect(self, inserts: Sequence[tuple[Model, Operation]]) -> None:
        """Tell the key book which temporary keys the new rows have."""
        found: dict[Model, list[int]] = {}
        for model, operation in inserts:
            for attribute, data in zip(model.key, operation.key, strict=False):
                if attribute == model.generated_key and is_temporary(data):
                    found.setdefault(model, []).append(data)
        self.book.expect(found)

    def give(self, operation: Operation, model: Model, row: Any) -> None:
        """Fill in the parts of a new row's key that 'set' does not hold."""
        for attribute, data in zip(model.key, operation.key, strict=False):
            if attribute == model.generated_key and is_temporary(data):
                self._unflushed[model.name, data] = row
                if (chosen := self.book.chosen(model.name, data)) is not None:
                    setattr(row, attribute, chosen)
            elif attribute not in operation.set:
                value = model.by_attribute[attribute].codec.decode(data)
                setattr(row, attribute, self.resolve(model, attribute, value))

    def above(self, place: Place, attribute: str, value: int) -> Any:
        """Return the key of a new parent row where it is known, and both are written at once."""
        # twenty child rows point to one parent
        name = (place.form.model.name, attribute, value)
        if name not in self._above:
            if (found := self._parent_key(place, attribute, value)) is None:
                return None
            self._above[name] = found
        return self._above[name]

    def _parent_key(self, place: Place, attribute: str, value: int) -> Any:
        above = place.parent.form.model if place.parent else None
        row = self._unflushed.get((above.name, value)) if above else None
        if row is None or above is None or not is_written_first(above, place.form.model):
            return None
        return next(
            (getattr(row, theirs) for ours, theirs in place.pairs if ours == attribute), None
        )

    def key(self, model: Model, data: Sequence[Any]) -> Key | None:
        """Return a key with the real values of its temporary parts; None where it is none.

        Raises:
            UnknownKey: a temporary part stands for a row that has not arrived.
        """
        try:
            key = model.key_from_json(list(data))
        except ValueError:
            return None
        return resolved(model, key, self.models, self.real)

    def real(self, model: str, temporary: int) -> int | None:
        """Return the real key of a temporary one; what is new is written first."""
        if (model, temporary) in self._unflushed:
            self.flush()
        if (known := self._fresh.get((model, temporary))) is not None:
            return known
        return self.book.real(model, temporary)

    def resolve(self, model: Model, attribute: str, value: Any) -> Any:
        """Return a value with the real key in the place of a temporary one."""
        if not is_temporary(value):
            return value
        return resolved_part(model, attribute, value, self.models, self.real)

    def resolve_all(self, model: Model, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return values as `resolve` does each."""
        return {a: self.resolve(model, a, value) for a, value in data.items()}

    def flush(self) -> None:
        """Write what the session holds, and learn the keys of the rows that are new in it."""
        self.session.flush()
        for (model, temporary), row in self._unflushed.items():
            spec = self.models[model]
            assert spec.generated_key is not None
            self._fresh[model, temporary] = getattr(row, spec.generated_key)
        self._unflushed.clear()

    def remembered(self) -> Iterator[NewKey]:
        """Yield the real keys that temporary ones became, each kept in the book."""
        for (model, temporary), real in self._fresh.items():
            if real != temporary:
                new = NewKey(model, temporary, real)
                self.book.remember(new)
                yield new
