"""Replay: one envelope applied to a session, the same on the server and on the device.

The caller owns the transaction: it commits where the result is applied and rolls back otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.lineage.drift import in_present_names
from fieldpost.odp.lineage.temporary_keys import KeyBook, UnknownKey, is_temporary
from fieldpost.odp.replay.access import Place, denials, is_in_scope, places_of, top_of
from fieldpost.odp.replay.decoding import decoded
from fieldpost.odp.replay.integrity import (
    integrity_problems,
    repeated_key,
    rows_that_refer,
)
from fieldpost.odp.replay.links import Links, LinkWork
from fieldpost.odp.replay.merge import Merge
from fieldpost.odp.replay.new_keys import NewKeys
from fieldpost.odp.replay.references import References
from fieldpost.odp.replay.result import Result
from fieldpost.odp.replay.rule_run import refusal_of, rule_problems
from fieldpost.odp.replay.statements import find, hold_row, key_values
from fieldpost.pages import Changes, Form
from fieldpost.schema.models import Key, Model
from fieldpost.schema.validation import has_default
from fieldpost.users import User, acting_as
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Outcome
from fieldpost.wording.titles import Titles


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
        work = _Replay(envelope, session, app, user, keys, author)
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
    book: KeyBook
    author: User | None = None
    rows: dict[int, tuple[Any, Operation, Place]] = field(default_factory=dict)
    tops: dict[int, Any] = field(default_factory=dict)
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
        self.keys = NewKeys(self.session, self.app, self.book)
        self.links = LinkWork(self.session, self.app, self.user, self.keys.real)
        others = [Links(self.session, self.app, self.author)] if self.author else []
        self.references = References(self.session, self.app, self.links.links, *others)
        self.words = Titles(self.session, self.app, self.user).words

    def run(self) -> Result:
        values = list(self._decoded())
        self.invalid += self._unseen()
        if self.invalid:
            return Result(Outcome.INVALID, tuple(self.invalid))
        inserts = [o for o in self.envelope.operations if o.do == "insert"]
        self.keys.expect([(self.places[o.model].form.model, o) for o in inserts])
        with self.session.no_autoflush:
            for operation, new in zip(self.envelope.operations, values, strict=True):
                self._apply(operation, new)
        if problems := self._in_the_way():
            return problems
        self.keys.flush()
        self.links.write()
        self.merged |= self.links.merged
        self._check()
        if problems := self._in_the_way():
            return problems
        outcome = Outcome.MERGED if self.merged else Outcome.ACCEPTED
        return Result(outcome, (), tuple(self.keys.remembered()), self._record(), tuple(self.notes))

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
        was = self.keys.resolve_all(place.form.model, operation.was)
        merge = Merge(place.form, row, {}, was, operation.at, self.words)
        self.conflicts += merge.problems(merge.changed)
        self._compare_links(operation, place.form, row)
        for name, keys in operation.rows.items():
            child = place.form.lists.get(name)
            if child is None:
                continue
            rows = place.form.model.children_of(row, name, child.form.model)
            there = {child.form.model.key_of(each) for each in rows}
            if there != {self.keys.key(child.form.model, key) for key in keys}:
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
                real = self._referred(operation, place, attribute, value)
                self._set(operation, place, row, attribute, real)
            elif attribute != model.generated_key and attribute not in model.links:
                # SQLAlchemy takes None for a value that was not given, and gives the default
                is_emptied = value is None and has_default(model.by_attribute[attribute])
                given = sa.null() if is_emptied else value
                self._set(operation, place, row, attribute, given)
        self.keys.give(operation, model, row)
        key, inserted = model.key_of(row), self.inserted.setdefault(model.name, set())
        if key in inserted:
            # the session would take the second for the first, and one of them would be lost
            self.invalid.append(repeated_key(model, operation))
            return
        if None not in key:
            inserted.add(key)
        self.invalid += self.references.missing_above(operation, place, row, values)
        self.session.add(row)
        self.rows[id(row)] = (row, operation, place)
        if model.links:
            self.invalid += self.links.note(operation, place.form, row)

    def _set(
        self, operation: Operation, place: Place, row: Any, attribute: str, value: Any
    ) -> None:
        field = place.form.model.by_attribute.get(attribute)
        path = join_path(operation.at, attribute if field is None else field.name)
        self.invalid += refusal_of(row, attribute, value, path)

    def _referred(self, operation: Operation, place: Place, attribute: str, value: Any) -> Any:
        """Return the real key that a new row's foreign key holds."""
        if is_temporary(value):
            if (above := self.keys.above(place, attribute, value)) is not None:
                return above
            value = self.keys.resolve(place.form.model, attribute, value)
        self.invalid += self.references.missing(operation, place, attribute, value)
        return value

    def _update(self, operation: Operation, place: Place, row: Any, values: dict[str, Any]) -> None:
        model = place.form.model
        new = self.keys.resolve_all(model, operation.set)
        was = self.keys.resolve_all(model, operation.was)
        merge = Merge(place.form, row, new, was, operation.at, self.words)
        takes = [*merge.takes, *self._judged(operation, place.form, row, merge)]
        for attribute in takes:
            real = self.keys.resolve(model, attribute, values[attribute])
            self.invalid += self.references.missing(operation, place, attribute, real)
            self._set(operation, place, row, attribute, real)
        self.invalid += self.references.missing_above(operation, place, row, takes)
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
        was = self.keys.resolve_all(model, operation.was)
        merge = Merge(place.form, row, {}, was, operation.at, self.words)
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
        real = self.keys.key(model, operation.key)
        if real is None:
            return None
        return find(self.session, model, real, locking=self.locking)

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
            self._hold(top)
            if not is_in_scope(self.session, self.page, self.user, self.page.spec.key_of(top)):
                self.forbidden.append(problem(Code.ROW_FORBIDDEN))
        self.invalid += rule_problems(places)

    def _hold(self, top: Any) -> None:
        """Have whoever writes rows of this record at the same time wait, and then begin anew."""
        is_new = id(top) in self.rows and self.rows[id(top)][1].do == "insert"
        if not self.locking or not self.page.layout.lists or is_new:
            return
        spec = self.page.spec
        if (hold := hold_row(spec)) is not None:
            # fault point: record-held — held until the transaction ends, however it ends: the row
            # is as it was, and the next envelope of the record sees all of this one or nothing.
            self.session.connection().execute(hold, key_values(spec.key_of(top)))

    def _record(self) -> tuple[Any, ...]:
        tops = [t for t in self.tops.values() if sa.inspect(t).persistent]
        spec = self.page.spec
        return tuple(spec.key_to_json(spec.key_of(tops[0]))) if tops else ()
