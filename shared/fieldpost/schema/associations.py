"""Associations: tables of two foreign keys, through which rows are linked many-to-many."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.sql import operators, visitors

from fieldpost.errors import Code
from fieldpost.schema.values import Codec, ValueProblem, codec_for
from fieldpost.text import jsontext

MOST_LINKS = 10_000
"""How many rows a form may link one row to; other programs may link it to more."""

Pairs = tuple[tuple[str, str], ...]
"""Pairs of a link table's column and the attribute of the model whose key it holds."""


class Unlinkable(ValueError):
    """A relationship cannot be a field; the words say why and what to do."""


@dataclass(frozen=True, slots=True)
class LinkTable:
    """The table of an association, as replication sees it.

    Attributes:
        table: its rows are two keys.
        ends: the two models by name, each with the columns that hold its key.
        fields: none; what a model has of them.
    """

    table: sa.Table
    ends: tuple[tuple[str, Pairs], tuple[str, Pairs]]
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    def column(self, name: str) -> sa.Column[Any]:
        """Return a column by its name."""
        return self.table.c[name]


@dataclass(frozen=True, slots=True)
class Association:
    """How the rows of one model are linked to those of another, seen from one side.

    Attributes:
        link: the table between them.
        target: name of the model on the other side.
        owner_columns: the table's columns that hold this side's key, in the key's order.
        target_columns: those of the other side's key.
        back: the relationship of the other side, or empty.
    """

    link: LinkTable
    target: str
    owner_columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    back: str = ""


def association_of(relation: RelationshipProperty[Any]) -> tuple[Association, Codec]:
    """Describe a relationship with a `secondary`, and how its values travel.

    Raises:
        Unlinkable: it is more than a plain association.
    """
    name = f"{relation.parent.class_.__name__}.{relation.key}"
    table = relation.secondary
    if not isinstance(table, sa.Table) or relation.viewonly:
        raise Unlinkable(
            f"{name} cannot be filled in: it is view-only, or goes through more than one table. "
            "Leave it out of the form."
        )
    own = _key_columns(relation.parent, relation.synchronize_pairs)
    theirs = _key_columns(relation.mapper, relation.secondary_synchronize_pairs)
    if fault := _fault(relation, table, own, theirs):
        raise Unlinkable(f"{name} cannot be filled in: {fault}")
    codecs = [codec_for(c.type) for c in _table(relation.mapper).primary_key]
    known = [codec for codec in codecs if codec is not None]
    if len(known) < len(codecs):
        raise Unlinkable(f"{name} cannot be filled in: the other side's key is of an unknown type.")
    ends = (_end(relation.parent, own), _end(relation.mapper, theirs))
    made = Association(
        LinkTable(table, ends),
        _table(relation.mapper).name,
        tuple(own),
        tuple(theirs),
        str(relation.back_populates or ""),
    )
    return made, _codec(known)


def _table(mapper: Mapper[Any]) -> sa.Table:
    table = mapper.local_table
    assert isinstance(table, sa.Table)
    return table


def _key_columns(mapper: Mapper[Any], pairs: Any) -> list[str]:
    """Return the link table's columns in the order of the key; empty where they hold no key."""
    by_part = {part: column.name for part, column in pairs}
    key = list(_table(mapper).primary_key.columns)
    return [by_part[part] for part in key] if set(by_part) == set(key) else []


def _end(mapper: Mapper[Any], columns: list[str]) -> tuple[str, Pairs]:
    table = _table(mapper)
    attributes = (mapper.get_property_by_column(c).key for c in table.primary_key.columns)
    return table.name, tuple(zip(columns, attributes, strict=True))


def _fault(
    relation: RelationshipProperty[Any], table: sa.Table, own: list[str], theirs: list[str]
) -> str:
    """Say what makes an association more than two keys, and what to do; empty for a plain one."""
    if any(mapper.local_table is table for mapper in relation.parent.registry.mappers):
        return f"the table '{table.name}' is a model of its own. Show that as a child list."
    if not own or not theirs or len({*own, *theirs}) < len(own) + len(theirs):
        return (
            f"the table '{table.name}' must have a foreign key to the primary key of either side, "
            "and they must not share a column."
        )
    if not _is_plain(relation, len(own) + len(theirs)):
        return "it has a condition of its own. Leave it out of the form."
    if {c.name for c in table.primary_key.columns} != {*own, *theirs}:
        return (
            f"the primary key of '{table.name}' must be its two foreign keys, so that no two rows "
            "are linked twice."
        )
    extra = [c.name for c in table.columns if c.name not in {*own, *theirs} and _is_needed(c)]
    if extra:
        return (
            f"nothing fills in the column '{extra[0]}' of '{table.name}'. Make that table a model "
            "of its own and show it as a child list."
        )
    return ""


def _is_plain(relation: RelationshipProperty[Any], parts: int) -> bool:
    """Say whether the joins compare the keys and nothing else."""
    joins = (relation.primaryjoin, relation.secondaryjoin)
    found = [e for join in joins if join is not None for e in visitors.iterate(join)]
    compared = [e for e in found if isinstance(e, sa.BinaryExpression)]
    return len(compared) == parts and all(e.operator is operators.eq for e in compared)


def _is_needed(column: sa.Column[Any]) -> bool:
    fills_itself = column.default is not None or column.server_default is not None
    return not column.nullable and not fills_itself


def _codec(parts: list[Codec]) -> Codec:
    """Return how keys travel: a sorted list of keys, each a list of its parts."""

    def to_json(keys: Any) -> Any:
        encoded = ([c.encode(v) for c, v in zip(parts, key, strict=True)] for key in set(keys))
        return sorted(encoded)

    def from_json(data: Any) -> Any:
        if not isinstance(data, list):
            raise ValueProblem(Code.NOT_A_CHOICE)
        return list(dict.fromkeys(key_from_json(entry) for entry in data))

    def key_from_json(entry: Any) -> tuple[Any, ...]:
        if not isinstance(entry, list) or len(entry) != len(parts) or None in entry:
            raise ValueProblem(Code.NOT_A_CHOICE)
        try:
            return tuple(c.decode(v) for c, v in zip(parts, entry, strict=True))
        except ValueProblem as error:
            raise ValueProblem(Code.NOT_A_CHOICE) from error

    def from_text(text: str) -> Any:
        try:
            data = jsontext.parse(text)
        except ValueError as error:
            raise ValueProblem(Code.NOT_A_CHOICE) from error
        return from_json(data)

    return Codec(to_json, from_json, from_text, lambda keys: json.dumps(to_json(keys)))


def chosen_text(values: list[str]) -> str:
    """Return what the boxes of a posted form come to, as one text of the field.

    Each value is one key, or a list of keys; the empty one says that there are boxes at all.
    """
    chosen: list[Any] = []
    for value in values:
        if not value.strip():
            continue
        try:
            data = jsontext.parse(value)
        except ValueError:
            return value
        if not isinstance(data, list):
            return value
        several = all(isinstance(entry, list) for entry in data)
        chosen += data if several else [data]
    return json.dumps(chosen, ensure_ascii=False)
