"""Links: which rows a row is linked to many-to-many, and what an envelope changes of that.

Both sides' additions and removals count, so that two people who link rows never meet in a conflict.
What a user may not see is neither shown to her, nor linked or taken away by her.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.lineage.temporary_keys import resolved
from fieldpost.odp.replay.statements import (
    SOME,
    delete_links,
    has_key,
    insert_links,
    is_one_of,
    kept,
    key_values,
    rows_of,
    touch_row,
)
from fieldpost.pages import Form
from fieldpost.schema.associations import Association
from fieldpost.schema.fields import Field
from fieldpost.schema.models import Key, Model
from fieldpost.schema.values import ValueProblem
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost.wording.titles import Titles

_CHUNK_KEYS = 200


class Links:
    """Reads links, as one user sees them.

    Args:
        session: where they are read.
        app: whose pages say what the user may see.
        user: who looks.
    """

    def __init__(self, session: Session, app: App, user: User) -> None:
        self.session = session
        self.app = app
        self.user = user
        self.titles = Titles(session, app, user)

    def keys(self, field: Field, model: Model, row: Any) -> list[Key]:
        """Return the keys of the rows that a row is linked to."""
        query = kept(self.session, ("keys", id(field), self.user), lambda: self._keys_of(field))
        return [
            tuple(found) for found in rows_of(self.session, query, key_values(model.key_of(row)))
        ]

    def _keys_of(self, field: Field) -> sa.Select[Any]:
        how, target = _how(field), self.target(field)
        link = how.link.table.alias()
        return (
            sa.select(*(target.column(attribute) for attribute in target.key))
            .join_from(target.table, link, _joined(link, how, target))
            .where(*has_key([link.c[name] for name in how.owner_columns]), *self.seen(target))
        )

    def rows(self, field: Field, model: Model, owners: Sequence[Any]) -> dict[Key, list[Any]]:
        """Return the rows that each of several rows is linked to, by its key and in order."""
        how, target = _how(field), self.target(field)
        link = how.link.table.alias()
        own = [link.c[name] for name in how.owner_columns]
        found: dict[Key, list[Any]] = {}
        for keys in _chunks([model.key_of(row) for row in owners]):
            query = (
                sa.select(target.cls, *own)
                .join_from(target.table, link, _joined(link, how, target))
                .where(is_one_of(link, how.owner_columns, keys), *self.seen(target))
            )
            for row, *key in self.session.execute(query):
                found.setdefault(tuple(key), []).append(row)
        return {key: self.titles.rows_in_order(target, linked) for key, linked in found.items()}

    def existing(self, target: Model, keys: Iterable[Key]) -> list[Any]:
        """Return those rows with these keys that the user may see, in order."""
        found: list[Any] = []
        for some in _chunks([key for key in keys if target.can_hold(key)]):
            of_key = [target.column(attribute) for attribute in target.key]
            same = sa.or_(
                *(sa.and_(*(c == p for c, p in zip(of_key, key, strict=True))) for key in some)
            )
            query = sa.select(target.cls).where(same, *self.seen(target))
            found += self.session.scalars(query).unique()
        return self.titles.rows_in_order(target, found)

    def existing_keys(self, target: Model, keys: Iterable[Key]) -> set[Key]:
        """Return those of the keys whose rows are there and may be seen by the user."""
        if len(target.key) > 1:
            return {target.key_of(row) for row in self.existing(target, keys)}
        query = kept(
            self.session, ("existing", target.name, self.user), lambda: self._key_exists(target)
        )
        found = set[Key]()
        for some in _chunks([key for key in keys if target.can_hold(key)]):
            rows = rows_of(self.session, query, {SOME: [key[0] for key in some]})
            found.update(tuple(row) for row in rows)
        return found

    def _key_exists(self, target: Model) -> sa.Select[Any]:
        column = target.column(target.key[0])
        among = column.in_(sa.bindparam(SOME, expanding=True))
        return sa.select(column).where(among, *self.seen(target))

    def seen(self, target: Model) -> list[sa.ColumnElement[bool]]:
        """Return the condition for rows that the user may see."""
        return self.titles.readable.rows(target)

    def target(self, field: Field) -> Model:
        """Return the model whose rows a field links to."""
        return self.app.models[str(field.target)]


@dataclass(frozen=True, slots=True)
class _Change:
    row: Any
    model: Model
    field: Field
    add: frozenset[Key]
    remove: frozenset[Key]


class LinkWork:
    """What one envelope changes: noted operation by operation, written when its rows are there.

    Args:
        session, app, user: of the replay.
        real: gives the real key of a temporary one; raises `UnknownKey`.
    """

    def __init__(
        self,
        session: Session,
        app: App,
        user: User,
        real: Callable[[str, int], int | None],
    ) -> None:
        self.session = session
        self.models = app.models
        self.links = Links(session, app, user)
        self.real = real
        self.merged = False
        self._changes: list[_Change] = []

    def note(self, operation: Operation, form: Form, row: Any) -> Iterator[Problem]:
        """Compare what an insert or update says of links with what is there.

        Yields:
            A problem for each field with a row that is gone, or that the user may not see.
        """
        for field in _fields_in(operation, form):
            was, now = set[Key](), set[Key]()
            if operation.do == "update":
                was = self._keys(field, operation.was.get(field.attribute))
                now = set(self.links.keys(field, form.model, row))
            is_set = field.attribute in operation.set
            new = self._keys(field, operation.set[field.attribute]) if is_set else was
            self.merged |= now != was and (not is_set or now != new)
            add, remove = frozenset(new - was - now), frozenset((was - new) & now)
            if self._are_missing(self.models[str(field.target)], add):
                path = join_path(operation.at, field.name)
                yield problem(Code.NO_SUCH_ROW, path, label=field.label)
            elif add or remove:
                self._changes.append(_Change(row, form.model, field, add, remove))

    def are_changed(self, operation: Operation, form: Form, row: Any) -> bool:
        """Say whether a row is linked to others than those that the user saw."""
        return any(
            set(self.links.keys(field, form.model, row))
            != self._keys(field, operation.was.get(field.attribute))
            for field in _fields_in(operation, form)
        )

    def write(self) -> None:
        """Write what was noted; the rows themselves are flushed."""
        for change in self._changes:
            how = _how(change.field)
            key = change.model.key_of(change.row)
            owner = dict(zip(how.owner_columns, key, strict=True))
            connection = self.session.connection()
            if change.remove:
                mine = key_values(key)
                for statement, values in delete_links(how, sorted(change.remove, key=repr)):
                    connection.execute(statement, {**mine, **values})
            added = [
                {**owner, **dict(zip(how.target_columns, key, strict=True))}
                for key in sorted(change.add, key=repr)
            ]
            if added:
                connection.execute(insert_links(how.link.table, connection.dialect.name), added)
            if (touch := touch_row(change.model)) is not None:
                connection.execute(touch, key_values(key))
            self._forget(change)
        self._changes.clear()

    def _keys(self, field: Field, data: Any) -> set[Key]:
        """Read keys from JSON data, with the real ones for temporary ones."""
        target = self.models[str(field.target)]
        try:
            keys = field.codec.decode(data) or []
        except ValueProblem:
            return set()  # of `was`; what is to be set was read before
        return {resolved(target, key, self.models, self.real) for key in keys}

    def _are_missing(self, target: Model, keys: frozenset[Key]) -> bool:
        if not keys:
            return False
        # rows of this very form, whose keys are real from the start
        new = {target.key_of(r) for r in self.session.new if type(r) is target.cls}
        wanted = keys - new
        return bool(wanted and wanted - self.links.existing_keys(target, wanted))

    def _forget(self, change: _Change) -> None:
        """Let the objects read again what they know of the links."""
        mapper, name = change.model.mapper, change.field.attribute
        updated = [p.key for p in mapper.column_attrs if _is_updated(p.columns[0])]
        self.session.expire(change.row, [name, *updated])
        if back := _how(change.field).back:
            target = self.models[str(change.field.target)].cls
            for other in list(self.session.identity_map.values()):
                if type(other) is target:
                    self.session.expire(other, [back])


def _is_updated(column: Any) -> bool:
    if not isinstance(column, sa.Column):
        return True  # calculated, from whatever has changed
    return column.onupdate is not None or column.server_onupdate is not None


def _how(field: Field) -> Association:
    assert field.association is not None
    return field.association


def _fields_in(operation: Operation, form: Form) -> list[Field]:
    named = operation.set.keys() | operation.was.keys()
    return [f for a, f in form.model.links.items() if a in named]


def _joined(link: Any, how: Association, target: Model) -> sa.ColumnElement[bool]:
    pairs = zip(how.target_columns, target.key, strict=True)
    return sa.and_(*(link.c[column] == target.column(attribute) for column, attribute in pairs))


def _chunks(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for start in range(0, len(keys), _CHUNK_KEYS):
        yield keys[start : start + _CHUNK_KEYS]
