"""Models as Fieldpost sees them: fields, keys, child lists and lookups of a mapped class."""

import inspect
import logging
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import UnionType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE, ONETOMANY, DeclarativeBase, Mapped, Mapper

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.schema.associations import Unlinkable, association_of
from fieldpost.schema.column_types import adapt, can_hold
from fieldpost.schema.fields import (
    Field,
    Lookup,
    field_of,
    is_private,
    is_public,
    link_field,
    words,
)
from fieldpost.schema.row_order import By, order_by_of, sort_by, sort_by_key
from fieldpost.schema.table_checks import limited
from fieldpost.schema.unreadable import judging
from fieldpost.schema.value_words import words_for
from fieldpost.text.collation import order_of
from fieldpost.text.plurals import singular

_log = logging.getLogger("fieldpost")

Key = tuple[Any, ...]
"""The values of a primary key, typed, in the order of the table's key columns."""

_NAMES = ("name", "title", "label")
"""What a column that names its row is called, or ends with."""


@dataclass(frozen=True, slots=True)
class Link:
    """How a child row points to its parent: the child's attributes and the parent's, in pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Children:
    """A list of child rows: a one-to-many relationship.

    Attributes:
        owned: its rows belong to their parent and go with it.
        by_key: the relationship orders them by nothing but their key, or by nothing.
        order: the attributes that the relationship orders them by, and whether downwards; None
            where it is by more than columns.
    """

    name: str
    label: str
    model: str
    link: Link
    owned: bool
    by_key: bool = False
    order: By | None = None


class Model:
    """One mapped class.

    Attributes:
        cls: the class.
        name: its table's name, which is its name in envelopes.
        mapper, table: SQLAlchemy's.
        key: the attributes of the primary key.
        fields: by form name, in the order of the class.
        by_attribute: the same fields by stored attribute.
        links: those of them that are many-to-many.
        unlinkable: many-to-many relationships that cannot be fields, with the reason.
        opaque: columns by attribute whose type no field holds.
        readable: stored attributes that may leave the server at all.
        public: those of them that go wherever their row goes.
        children: its one-to-many relationships by name.
        collation: the order of its texts: that of the app's language.
        references: foreign-key attribute to the name of the table it points to.
        counted: foreign-key attribute to the name of the table whose counted key it holds in the
            end: a composite key may hold its parent's key, and be pointed to in turn.
    """

    def __init__(self, cls: type[DeclarativeBase]) -> None:
        self.cls = cls
        self.mapper: Mapper[Any] = sa.inspect(cls)
        self.table = table = table_of(self.mapper)
        self.name = table.name
        self.key = tuple(self.mapper.get_property_by_column(c).key for c in table.primary_key)
        marks = dict(_marks(cls))
        lookups = _lookups(self.mapper)
        stored = list(_stored(self.mapper))
        self.references = {
            p.key: next(iter(c.foreign_keys)).column.table.name
            for p in stored
            for c in p.columns
            if c.foreign_keys
        }
        self.counted = {p.key: name for p in stored if (name := _counted(p))}
        every = [
            field_of(p.key, _column(p), marks.get(p.key, ()), lookups.get(p.key)) for p in stored
        ]
        held = {f.attribute for f in every if f is not None}
        self.opaque = {p.key: _column(p) for p in stored if p.key not in held}
        columns_with_marks = [(p.key, _column(p), marks.get(p.key, ())) for p in stored]
        self.readable = frozenset(a for a, c, m in columns_with_marks if not is_private(c, m))
        public = (a for a, c, m in columns_with_marks if is_public(c, m))
        self.public = self.readable.intersection(public)
        self.unlinkable: dict[str, str] = {}
        self.links = {f.name: f for f in self._links()}
        columns = {f.name: limited(f, table) for f in every if f is not None}
        self.fields: Mapping[str, Field] = {**columns, **self.links}
        self.by_attribute = {f.attribute: f for f in self.fields.values()}
        self.children = {c.name: c for c in _children(self.mapper)}
        self.collation = order_of("")

    def __repr__(self) -> str:
        return f"Model({self.name!r})"

    def _links(self) -> Iterator[Field]:
        for relation in self.mapper.relationships:
            if relation.secondary is None:
                continue
            try:
                yield link_field(relation.key, relation.info, *association_of(relation))
            except Unlinkable as fault:
                self.unlinkable[relation.key] = str(fault)

    def column(self, attribute: str) -> Any:
        """Return a mapped attribute, as a query names it."""
        return getattr(self.cls, attribute)

    @cached_property
    def label(self) -> str:
        """The word for one row."""
        return str(self.table.info.get("label") or singular(words(self.cls.__name__)))

    @cached_property
    def generated_key(self) -> str | None:
        """The attribute of an integer key that the database counts up, if there is one."""
        column = self.table.autoincrement_column
        if column is None or column.foreign_keys:
            return None
        return str(self.mapper.get_property_by_column(column).key)

    def key_of(self, row: Any) -> Key:
        """Return the key of a mapped object."""
        return tuple([getattr(row, name) for name in self.key])

    def key_to_json(self, key: Key) -> list[Any]:
        """Return a key as JSON data."""
        return [self.by_attribute[a].codec.encode(v) for a, v in zip(self.key, key, strict=True)]

    def key_from_json(self, data: Any) -> Key:
        """Read a key; raises ValueError where `data` is none of this model."""
        if not isinstance(data, list) or len(data) != len(self.key):
            raise ValueError(f"a key of {self.name} has {len(self.key)} parts")
        parts = tuple(
            self.by_attribute[a].codec.decode_key(v) for a, v in zip(self.key, data, strict=True)
        )
        if None in parts:
            raise ValueError("a key has no empty parts")
        return parts

    def can_hold(self, key: Key) -> bool:
        """Say whether the table's columns can hold a key: PostgreSQL fails where they cannot."""
        types = (self.by_attribute[a].column.type for a in self.key)
        return all(can_hold(type_, part) for type_, part in zip(types, key, strict=True))

    def children_of(self, row: Any, name: str, model: "Model") -> list[Any]:
        """Return the rows of a child list: as its author orders them, else as people made them.

        Temporary keys count down: ordered by key the newest row would stand first. The database
        has its own opinion of texts and of what is empty, so it is not asked.
        """
        rows, children = list(getattr(row, name)), self.children[name]
        known = model.by_attribute
        if children.order is None or any(attribute not in known for attribute, _ in children.order):
            return rows
        sort_by_key(rows, [known[attribute] for attribute in model.key], model.generated_key)
        if not children.by_key:
            sort_by(rows, [(known[a], turned) for a, turned in children.order], model.collation)
        return rows

    def title_of(self, row: Any) -> str:
        """Return the words for one row: `str(row)` where the class says how, else its title."""
        if self.has_own_words:
            try:
                with judging():
                    return str(row)
            except Exception as error:  # noqa: BLE001 - an author's code, and a row may hold anything
                _warn(self.cls, f"{type(error).__name__}: {error}")
        return self.title_from(getattr(row, self.title_attribute))

    def title_from(self, value: Any) -> str:
        """Return the words for a row whose class does not say any, by its `title_attribute`."""
        return words_for(self.by_attribute[self.title_attribute], value)

    @cached_property
    def has_own_words(self) -> bool:
        """Whether the class says what a row is called."""
        return "__str__" in {name for cls in self.cls.__mro__[:-1] for name in vars(cls)}

    @cached_property
    def title_attribute(self) -> str:
        """The attribute that names a row best: to search, to sort and to choose by."""
        public = {a for a, f in self.by_attribute.items() if not f.private}
        named = next((a for a in _NAMES if a in public), None)
        texts = [
            f.attribute
            for f in self.fields.values()
            if isinstance(f.column.type, sa.String)
            and not isinstance(f.column.type, sa.Enum)
            and not f.private
            and f.target is None
        ]
        # `CompanyName` says more than the key 'ALFKI' before it
        called = (a for a in texts if (words(a) or a).lower().split()[-1] in _NAMES)
        beside = (a for a in texts if a not in self.key)
        return named or next(called, None) or next(iter([*beside, *texts]), None) or self.key[0]


@lru_cache(maxsize=100)
def _warn(cls: type[Any], cause: str) -> None:
    """Tell the log once: the row's title stands in for its words."""
    _log.warning("str() of a %s failed: %s", cls.__name__, cause)


def table_of(mapper: Mapper[Any]) -> sa.Table:
    """Return the one table that a mapper maps."""
    table = mapper.local_table
    assert isinstance(table, sa.Table)
    return table


def _stored(mapper: Mapper[Any]) -> Iterator[Any]:
    """Yield the attributes that are columns; a `column_property` is calculated."""
    for prop in mapper.column_attrs:
        if isinstance(prop.columns[0], sa.Column):
            yield prop


def _column(prop: Any) -> sa.Column[Any]:
    column = prop.columns[0]
    assert isinstance(column, sa.Column)
    return column


def _counted(prop: Any) -> str:
    """Return the table whose counted key a foreign-key attribute holds; empty where it is none."""
    column = _column(prop)
    if not column.foreign_keys:
        return ""
    while column.foreign_keys:
        column = next(iter(column.foreign_keys)).column
    return column.table.name if column is column.table.autoincrement_column else ""


def _marks(cls: type[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each mapped column's `Annotated` metadata, also inside ``… | None``."""
    for base in reversed(cls.__mro__):
        module = sys.modules.get(base.__module__)
        for name, written in _annotations(base).items():
            hint = _resolve(written, module) if isinstance(written, str) else written
            if typing.get_origin(hint) is Mapped:
                yield name, tuple(_metadata(typing.get_args(hint)[0]))


def _annotations(cls: type[Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return dict(inspect.get_annotations(cls))


def _resolve(hint: str, module: Any) -> Any:
    try:
        return eval(hint, vars(module) if module else {})  # noqa: S307 - the author's own source
    except NameError:
        return None  # a relationship to a class of another module; columns need no such names


def _metadata(hint: Any) -> Iterator[Any]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        base, *marks = typing.get_args(hint)
        yield from _metadata(base)
        yield from marks
    elif origin in (typing.Union, UnionType):
        for part in typing.get_args(hint):
            yield from _metadata(part)


def _lookups(mapper: Mapper[Any]) -> dict[str, Lookup]:
    """Return the lookup of each foreign-key attribute."""
    found: dict[str, Lookup] = {}
    for relation in mapper.relationships:
        if relation.direction is MANYTOONE and len(relation.local_columns) == 1:
            column = next(iter(relation.local_columns))
            attribute = mapper.get_property_by_column(column).key
            found[attribute] = Lookup(relation.key, table_of(relation.mapper).name, relation.info)
    for prop in _stored(mapper):
        column = prop.columns[0]
        if column.foreign_keys and prop.key not in found:
            key = next(iter(column.foreign_keys))
            # one part of a key of several is no choice by itself
            if key.constraint is None or len(key.constraint.elements) == 1:
                found[prop.key] = Lookup(prop.key, key.column.table.name)
    return found


def _children(mapper: Mapper[Any]) -> Iterator[Children]:
    for relation in mapper.relationships:
        if relation.direction is not ONETOMANY:
            continue
        child = relation.mapper
        pairs = tuple(
            (child.get_property_by_column(remote).key, mapper.get_property_by_column(local).key)
            for local, remote in relation.local_remote_pairs
        )
        yield Children(
            name=relation.key,
            label=str(relation.info.get("label") or singular(words(child.class_.__name__))),
            model=table_of(child).name,
            link=Link(pairs),
            owned=relation.cascade.delete_orphan,
            by_key=set(relation.order_by or ()) <= set(table_of(child).primary_key.columns),
            order=order_by_of(child, relation.order_by or ()),
        )


def models_of(base: type[DeclarativeBase]) -> dict[str, Model]:
    """Describe all mapped classes of `base` by table name.

    Raises:
        DefinitionError: a class has no table of its own, or one outside of the usual schema.
    """
    found: dict[str, Model] = {}
    problems = []
    for table in base.metadata.tables.values():
        adapt(table)
    for mapper in sorted(base.registry.mappers, key=lambda m: m.class_.__name__):
        if mapper.inherits is not None or not isinstance(mapper.local_table, sa.Table):
            text = (
                f"{mapper.class_.__name__} uses mapped inheritance, which cannot be taken "
                "apart into single operations. Give it a table of its own."
            )
            problems.append(problem(Code.DEFINITION, mapper.class_.__name__, text=text))
            continue
        if mapper.local_table.schema is not None:
            text = (
                f"{mapper.class_.__name__} is in the schema '{mapper.local_table.schema}'. Devices "
                "know no schemas: leave it out of the model, and give the database's user the "
                "schema with ALTER ROLE … SET search_path."
            )
            problems.append(problem(Code.DEFINITION, mapper.class_.__name__, text=text))
            continue
        found[mapper.local_table.name] = Model(mapper.class_)
    if problems:
        raise DefinitionError(problems)
    return found
