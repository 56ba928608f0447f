"""Replay: one envelope applied to a session, the same on the server and on the device.

The caller owns the transaction: it commits where the result is applied and rolls back otherwise.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.envelope import Envelope, Operation
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.models import Key, Model
from fieldpost.odp.access import Place, denials, is_in_scope, places_of, top_of
from fieldpost.odp.decoding import decoded
from fieldpost.odp.drift import in_present_names
from fieldpost.odp.integrity import (
    integrity_problems,
    is_written_first,
    missing_parents,
    repeated_key,
    rows_that_refer,
)
from fieldpost.odp.keys import KeyBook, UnknownKey, is_temporary, resolved, resolved_part
from fieldpost.odp.links import LinkWork
from fieldpost.odp.merge import Merge
from fieldpost.odp.statements import find
from fieldpost.odp.verdicts import rule_problems
from fieldpost.pages import Changes, Form
from fieldpost.receipts import NewKey, Outcome, Receipt
from fieldpost.users import User, acting_as


@dataclass(frozen=True, slots=True)
class Result:
    """What a replay came to.

    Attributes:
        outcome: `ACCEPTED`, `MERGED`, `CONFLICT`, `INVALID`, `FORBIDDEN` or `WAITING`.
        problems: all that stands in its way.
        keys: real keys of new rows.
        record: key of the top record, as JSON data; empty where it was deleted.
        notes: what it overwrote, where the page lets the last save win.
    """

    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    keys: tuple[NewKey, ...] = ()
    record: tuple[Any, ...] = ()
    notes: tuple[Problem, ...] = ()

    def receipt(self, envelope: Envelope, received_at: str = "") -> Receipt:
        """Return the receipt that tells it; `received_at` is empty on a device."""
        return Receipt(
            envelope.id,
            envelope.device,
            envelope.number,
            envelope.digest,
            self.outcome,
            self.problems,
            self.keys,
            received_at,
            self.record,
            self.notes,
        )


def replay(
    envelope: Envelope,
    session: Session,
    app: App,
    user: User,
    keys: KeyBook,
    author: User | None = None,
) -> Result:
    """Apply an envelope within the session's transaction.

    The steps are those of `docs/protocol.md`, "Replay": authorise, decode, resolve keys, load,
    compare, apply, flush, check rules and scope.

    Args:
        envelope, session, app: what, where, and of which app.
        user: whose rights and scope count.
        keys: what temporary keys stand for.
        author: whom defaults such as `current_user_name` mean, where that is not the user: whose
            work it is that a supervisor repairs.
    """
    envelope = in_present_names(app, envelope)
    if refused := tuple(denials(app, envelope, user)):
        return Result(Outcome.FORBIDDEN, refused)
    with acting_as(author or user):
        work = _Replay(envelope, session, app, user, keys)
        try:
            return work.run()
        except UnknownKey:
            return Result(Outcome.WAITING, (problem(Code.PREDECESSOR_MISSING),))
        except IntegrityError as error:
            found = integrity_problems(error, app, envelope)
            return Result(Outcome.INVALID, tuple(found))


@dataclass
class _Replay:
    envelope: Envelope
    session: Session
    app: App
    user: User
    keys: KeyBook
    rows: dict[int, tuple[Any, Operation, Place]] = field(default_factory=dict)
    unflushed: dict[tuple[str, int], Any] = field(default_factory=dict)
    fresh: dict[tuple[str, int], int] = field(default_factory=dict)
    above: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    flushed: set[tuple[str, int]] = field(default_factory=set)
    tops: dict[int, Any] = field(default_factory=dict)
    there: dict[tuple[str, Any], Any] = field(default_factory=dict)
    inserted: dict[str, set[Key]] = field(default_factory=dict)
    invalid: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    forbidden: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    merged: bool = False

    def __post_init__(self) -> None:
        self.page = self.app.pages[self.envelope.page]
        self.is_strict = self.page.changes == Changes.STRICT
        self.places = places_of(self.page)
        # a row that another transaction is changing is waited for: compare and write see one state
        self.locking = self.session.get_bind().dialect.name != "sqlite"
        self.links = LinkWork(self.session, self.app, self.user, self._real)

    def run(self) -> Result:
        values = list(self._decoded())
        self.invalid += self._unseen()
        if self.invalid:
            return Result(Outcome.INVALID, tuple(self.invalid))
        self.keys.expect(self._new_rows())
        with self.session.no_autoflush:
            for operation, new in zip(self.envelope.operations, values, strict=True):
                self._apply(operation, new)
        if problems := self._in_the_way():
            return problems
        self._flush()
        self.links.write()
        self.merged |= self.links.merged
        self._check()
        if problems := self._in_the_way():
            return problems
        outcome = Outcome.MERGED if self.merged else Outcome.ACCEPTED
        return Result(outcome, (), tuple(self._new_keys()), self._record(), tuple(self.notes))

    def _in_the_way(self) -> Result | None:
        if self.forbidden:
            # nothing about rows that are not the user's: not even what stands in them
            return Result(Outcome.FORBIDDEN, tuple(self.forbidden))
        if self.conflicts:
            return Result(Outcome.CONFLICT, tuple(self.conflicts + self.invalid))
        if self.invalid:
            return Result(Outcome.INVALID, tuple(self.invalid))
        return None

    def _decoded(self) -> Iterator[dict[str, Any]]:
        for operation in self.envelope.operations:
            values, problems = decoded(operation, self.places[operation.model].form)
            self.invalid += problems
            yield values

    def _new_rows(self) -> dict[Model, list[int]]:
        """Return the temporary keys of the rows that are to be inserted."""
        found: dict[Model, list[int]] = {}
        for operation in self.envelope.operations:
            model = self.places[operation.model].form.model
            if operation.do != "insert" or model.generated_key is None:
                continue
            for attribute, data in zip(model.key, operation.key, strict=False):
                if attribute == model.generated_key and is_temporary(data):
                    found.setdefault(model, []).append(data)
        return found

    def _unseen(self) -> Iterator[Problem]:
        """Say so where a strict page's envelope changes a record and has no look at it."""
        operations, top = self.envelope.operations, self.page.spec.name
        if not self.is_strict or not self.page.layout.lists:
            return
        if any(o.model == top and o.do in ("insert", "look") for o in operations):
            return
        yield problem(Code.LOOKS_MISSING)

    # apply one operation

    def _apply(self, operation: Operation, values: dict[str, Any]) -> None:
        place = self.places[operation.model]
        if operation.do == "insert":
            self._insert(operation, place, values)
            return
        row = self._load(operation, place.form.model)
        if row is None:
            self._miss(operation)
            return
        top = top_of(self.session, place, row)
        if not self._may_touch(top):
            self.forbidden.append(problem(Code.ROW_FORBIDDEN, operation.at))
            return
        if operation.do == "update":
            self._update(operation, place, row, values)
        elif operation.do == "look":
            self._look(operation, place, row)
        else:
            self._delete(operation, place, row)

    def _miss(self, operation: Operation) -> None:
        """Judge an operation on a row that is gone."""
        if operation.do == "delete":
            self.notes.append(problem(Code.ALREADY_DELETED, operation.at))
        elif operation.do == "update" or self.is_strict:
            self.conflicts.append(problem(Code.DELETED_BY_OTHERS, operation.at))

    def _look(self, operation: Operation, place: Place, row: Any) -> None:
        if not self.is_strict:
            return  # the page was strict when the form was filled in
        was = self._resolved_json(place.form.model, operation.was)
        merge = Merge(place.form, row, {}, was, operation.at)
        self.conflicts += merge.problems(merge.changed)
        self._compare_links(operation, place.form, row)
        for name, keys in operation.rows.items():
            child = place.form.lists.get(name)
            if child is None:
                continue
            rows = place.form.model.children_of(row, name, child.form.model)
            there = {child.form.model.key_of(each) for each in rows}
            if there != {self._real_key(child.form.model, key) for key in keys}:
                path = join_path(operation.at, name)
                self.conflicts.append(problem(Code.ROWS_CHANGED_BY_OTHERS, path, label=child.title))

    def _compare_links(self, operation: Operation, form: Form, row: Any) -> None:
        if operation.was and self.links.are_changed(operation, form, row):
            label = form.model.title_of(row) or form.model.label
            self.conflicts.append(problem(Code.ROWS_CHANGED_BY_OTHERS, operation.at, label=label))

    def _insert(self, operation: Operation, place: Place, values: dict[str, Any]) -> None:
        model = place.form.model
        row = model.mapper.class_manager.new_instance()
        for attribute, value in values.items():
            if attribute in model.references:
                setattr(row, attribute, self._referred(operation, place, attribute, value))
            elif attribute != model.generated_key and attribute not in model.links:
                setattr(row, attribute, value)
        self._give_key(operation, model, row)
        key, inserted = model.key_of(row), self.inserted.setdefault(model.name, set())
        if key in inserted:
            # the session would take the second for the first, and one of them would be lost
            self.invalid.append(repeated_key(model, operation))
            return
        if None not in key:
            inserted.add(key)
        self._check_references(operation, model, row, values)
        self.session.add(row)
        self.rows[id(row)] = (row, operation, place)
        if model.links:
            self.invalid += self.links.note(operation, place.form, row)

    def _referred(self, operation: Operation, place: Place, attribute: str, value: Any) -> Any:
        """Return the real key that a new row's foreign key holds."""
        if is_temporary(value):
            # twenty child rows point to one parent
            name = (place.form.model.name, attribute, value)
            if name in self.above:
                return self.above[name]
            if (above := self._parent_key(place, attribute, value)) is not None:
                self.above[name] = above
                return above
            value = self._resolve(place.form.model, attribute, value)
        self._check_reference(operation, place.form.model, attribute, value)
        return value

    def _parent_key(self, place: Place, attribute: str, value: Any) -> Any:
        """Return the key of a new parent row where it is known: both are written at once."""
        above = place.parent.form.model if place.parent else None
        row = self.unflushed.get((above.name, value)) if above else None
        if row is None or above is None or not is_written_first(above, place.form.model):
            return None
        return next(
            (getattr(row, theirs) for ours, theirs in place.pairs if ours == attribute), None
        )

    def _give_key(self, operation: Operation, model: Model, row: Any) -> None:
        """Fill in the parts of the key that 'set' does not hold."""
        for attribute, data in zip(model.key, operation.key, strict=False):
            if attribute == model.generated_key and is_temporary(data):
                self.unflushed[model.name, data] = row
                if (chosen := self.keys.chosen(model.name, data)) is not None:
                    setattr(row, attribute, chosen)
            elif attribute not in operation.set:
                value = model.by_attribute[attribute].codec.decode(data)
                setattr(row, attribute, self._resolve(model, attribute, value))

    def _update(self, operation: Operation, place: Place, row: Any, values: dict[str, Any]) -> None:
        model = place.form.model
        new = self._resolved_json(model, operation.set)
        was = self._resolved_json(model, operation.was)
        merge = Merge(place.form, row, new, was, operation.at)
        takes = [*merge.takes, *self._judged(operation, place.form, row, merge)]
        for attribute in takes:
            real = self._resolve(model, attribute, values[attribute])
            self._check_reference(operation, model, attribute, real)
            setattr(row, attribute, real)
        self._check_references(operation, model, row, takes)
        self.rows[id(row)] = (row, operation, place)
        self.invalid += self.links.note(operation, place.form, row)

    def _judged(self, operation: Operation, form: Form, row: Any, merge: Merge) -> list[str]:
        """Judge what others changed; return the attributes of theirs that are overwritten."""
        if self.is_strict:
            self.conflicts += merge.problems(merge.changed)
            self._compare_links(operation, form, row)
            return []
        self.merged |= bool(merge.changed)
        if self.page.changes == Changes.LAST_WINS:
            self.notes += merge.overwritten()
            return merge.both_changed
        self.conflicts += merge.problems(merge.both_changed)
        return []

    def _delete(self, operation: Operation, place: Place, row: Any) -> None:
        model = place.form.model
        was = self._resolved_json(model, operation.was)
        merge = Merge(place.form, row, {}, was, operation.at)
        if merge.changed or self.links.are_changed(operation, place.form, row):
            label = model.title_of(row) or model.label
            wins = self.page.changes == Changes.LAST_WINS
            code = Code.OVERWRITTEN if wins else Code.CHANGED_BY_OTHERS
            found = problem(
                code, operation.at, label=f"'{label}'", mine="deleted", theirs="changed"
            )
            (self.notes if wins else self.conflicts).append(found)
            if not wins:
                return
            self.merged = True
        self.invalid += rows_that_refer(self.session, self.app, model, row, operation.at)
        self.session.delete(row)

    # keys and rows

    def _load(self, operation: Operation, model: Model) -> Any:
        real = self._real_key(model, operation.key)
        if real is None:
            return None
        return find(self.session, model, real, locking=self.locking)

    def _real_key(self, model: Model, data: Sequence[Any]) -> Key | None:
        """Return a key with the real values of its temporary parts; None where it is none."""
        try:
            key = model.key_from_json(list(data))
        except ValueError:
            return None
        return resolved(model, key, self.app.models, self._real)

    def _real(self, model: str, temporary: int) -> int | None:
        if (model, temporary) in self.unflushed:
            self._flush()
        if (known := self.fresh.get((model, temporary))) is not None:
            return known
        return self.keys.real(model, temporary)

    def _resolve(self, model: Model, attribute: str, value: Any) -> Any:
        if not is_temporary(value):
            return value
        return resolved_part(model, attribute, value, self.app.models, self._real)

    def _resolved_json(self, model: Model, data: Mapping[str, Any]) -> dict[str, Any]:
        return {a: self._resolve(model, a, value) for a, value in data.items()}

    def _flush(self) -> None:
        self.session.flush()
        for (model, temporary), row in self.unflushed.items():
            spec = self.app.models[model]
            assert spec.generated_key is not None
            real = getattr(row, spec.generated_key)
            self.fresh[model, temporary] = real
            self.flushed.add((model, real))
        self.unflushed.clear()

    def _check_reference(
        self, operation: Operation, model: Model, attribute: str, value: Any
    ) -> None:
        """Say in words that a chosen row is gone, before the database does it in its own."""
        target = self.app.models.get(model.references.get(attribute, ""))
        if value is None or target is None or len(target.key) != 1:
            return
        if (target.name, value) in self.there:
            return  # twenty child rows point to one parent
        if (row := find(self.session, target, (value,))) is not None:
            # held on to: the session would forget it, and rules that look at it read it again
            self.there[target.name, value] = row
        else:
            new = self.session.new
            if any(type(r) is target.cls and target.key_of(r) == (value,) for r in new):
                return  # a row of this very form, whose key is real from the start
            each = model.by_attribute[attribute]
            self.invalid.append(
                problem(Code.NO_SUCH_ROW, join_path(operation.at, each.name), label=each.label)
            )

    def _check_references(
        self, operation: Operation, model: Model, row: Any, changed: Collection[str]
    ) -> None:
        for each in missing_parents(self.session, model, row, changed):
            path = join_path(operation.at, each.name)
            self.invalid.append(problem(Code.NO_SUCH_ROW, path, label=each.label))

    # checks on the whole

    def _may_touch(self, top: Any) -> bool:
        if top is None:
            return False
        if id(top) in self.tops or not sa.inspect(top).persistent:
            self.tops[id(top)] = top
            return True
        if not is_in_scope(self.session, self.page, self.user, self.page.spec.key_of(top)):
            return False
        self.tops[id(top)] = top
        return True

    def _check(self) -> None:
        places = {}
        known: dict[tuple[Any, ...], Any] = {}
        for row, operation, place in self.rows.values():
            # rows of one list have one top record
            beside = (place.form.model.name, *(getattr(row, ours) for ours, _ in place.pairs))
            if place.parent is None:
                top = row
            elif beside in known:
                top = known[beside]
            else:
                top = known[beside] = top_of(self.session, place, row)
            if top is None:
                self.forbidden.append(problem(Code.ROW_FORBIDDEN, operation.at))
                continue
            self.tops[id(top)] = top
            places[id(row)] = (row, operation.at, place.form)
        for top in self.tops.values():
            if sa.inspect(top).deleted or sa.inspect(top).was_deleted:
                continue
            places.setdefault(id(top), (top, "", self.page.layout))
            if not is_in_scope(self.session, self.page, self.user, self.page.spec.key_of(top)):
                self.forbidden.append(problem(Code.ROW_FORBIDDEN))
        self.invalid += rule_problems(places)

    def _new_keys(self) -> Iterator[NewKey]:
        for (model, temporary), real in self.fresh.items():
            if real != temporary:
                new = NewKey(model, temporary, real)
                self.keys.remember(new)
                yield new

    def _record(self) -> tuple[Any, ...]:
        tops = [t for t in self.tops.values() if sa.inspect(t).persistent]
        spec = self.page.spec
        return tuple(spec.key_to_json(spec.key_of(tops[0]))) if tops else ()
