"""What the database itself refuses, in the catalogue's words."""

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ONETOMANY, Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.schema.fields import Field
from fieldpost.schema.models import Model, table_of
from fieldpost.schema.table_checks import columns_of, text_of
from fieldpost.wire.envelope import Envelope, Operation

_SQLITE_CHECK = re.compile(r"CHECK constraint failed: (.+)", re.DOTALL)
_SQLITE_NOT_NULL = re.compile(r"NOT NULL constraint failed: (.+)")
_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")


@cache
def _composite_references(model: Model) -> tuple[tuple[type[Any], tuple[str, ...]], ...]:
    """Return for each foreign key of several parts its target and, in its key's order, the parts.

    Only those to the primary key of another model: whatever else is left to the database.
    """
    by_table = {table_of(m): m for m in model.mapper.registry.mappers}
    found = []
    for constraint in model.table.foreign_key_constraints:
        target = by_table.get(constraint.referred_table)
        parts = {e.column: e.parent for e in constraint.elements}
        if target is None or len(parts) < 2 or set(parts) != {*target.local_table.primary_key}:
            continue
        columns = (parts[c] for c in table_of(target).primary_key)
        attributes = (model.mapper.get_property_by_column(c).key for c in columns)
        found.append((target.class_, tuple(attributes)))
    return tuple(found)


def missing_parents(
    session: Session,
    model: Model,
    row: Any,
    changed: Collection[str],
    is_seen: Callable[[str, Collection[str], Any], bool],
) -> Iterator[Field]:
    """Yield the first field of each key of several parts that points to a row that is not there.

    Args:
        session, model, row, changed: the row, and which of its attributes are to be looked at.
        is_seen: says of a model's name, the attributes of the key and a row whether it counts.
    """
    for cls, attributes in _composite_references(model):
        key = tuple(getattr(row, attribute) for attribute in attributes)
        if None in key or not set(attributes) & set(changed):
            continue
        found = session.get(cls, key)
        there = found is not None and is_seen(table_of(sa.inspect(cls)).name, attributes, found)
        new = (r for r in session.new if type(r) is cls)
        mapper = sa.inspect(cls)
        if not there and not any(tuple(mapper.primary_key_from_instance(r)) == key for r in new):
            yield model.by_attribute[attributes[0]]


@cache
def is_written_first(parent: Model, child: Model) -> bool:
    """Say whether a flush writes new rows of `parent` before those of `child`, without being told.

    SQLAlchemy does so along relationships, but not where tables refer to each other in a circle.
    """
    if not any(
        r.direction is ONETOMANY and r.mapper is child.mapper and not (r.post_update or r.viewonly)
        for r in parent.mapper.relationships
    ):
        return False
    found, left = set[sa.Table](), [parent.table]
    while left:
        table = left.pop()
        if table not in found:
            found.add(table)
            left += (c.referred_table for c in table.foreign_key_constraints)
    return child.table not in found


def rows_that_refer(
    session: Session, app: App, model: Model, row: Any, at: str
) -> Iterator[Problem]:
    """Yield which rows, and how many, still refer to a row that is to be deleted."""
    going = {
        (table_of(r.mapper).name, c.name)
        for r in model.mapper.relationships
        if r.direction is ONETOMANY and (r.cascade.delete or r.passive_deletes)
        for c in r.remote_side
    }
    for other in app.models.values():
        for constraint in other.table.foreign_key_constraints:
            parts = constraint.elements
            if constraint.referred_table is not model.table or all(
                (other.name, part.parent.name) in going for part in parts
            ):
                continue
            refers = (part.parent == getattr(row, _attribute(model, part)) for part in parts)
            query = sa.select(sa.func.count()).select_from(other.table).where(*refers)
            if count := session.scalar(query):
                detail = {"model": other.name, "count": count}
                yield problem(
                    Code.STILL_REFERRED_TO, at, count=count, label=other.label, detail=detail
                )
    yield from _links_that_refer(session, app, model, row, at)


def _attribute(model: Model, part: sa.ForeignKey) -> str:
    """Return the attribute that one part of a foreign key points to."""
    return str(model.mapper.get_property_by_column(part.column).key)


def _links_that_refer(
    session: Session, app: App, model: Model, row: Any, at: str
) -> Iterator[Problem]:
    """Yield how many rows are linked to a row whose own model knows nothing of them."""
    own = {tuple(f.association.owner_columns) for f in model.links.values() if f.association}
    for link in app.link_tables.values():
        for (name, pairs), (other, _) in (link.ends, link.ends[::-1]):
            columns = tuple(column for column, _ in pairs)
            goes = all(
                any(key.ondelete == "CASCADE" for key in link.column(c).foreign_keys)
                for c in columns
            )
            if name != model.name or columns in own or goes:
                continue
            same = (link.column(column) == getattr(row, ours) for column, ours in pairs)
            query = sa.select(sa.func.count()).select_from(link.table).where(*same)
            if count := session.scalar(query):
                label = app.models[other].label
                detail = {"model": other, "count": count}
                yield problem(Code.STILL_REFERRED_TO, at, count=count, label=label, detail=detail)


def repeated_key(model: Model, operation: Operation) -> Problem:
    """Return the problem that a form has two new rows with one key."""
    fields = [model.by_attribute[attribute] for attribute in model.key]
    label = " and ".join(each.label for each in fields)
    return problem(Code.NOT_UNIQUE, join_path(operation.at, fields[-1].name), label=label)


def integrity_problems(error: IntegrityError, app: App, envelope: Envelope) -> list[Problem]:
    """Turn the database's refusal into problems with a path."""
    if found := _check_problem(error, app, envelope) or _empty_problem(error, app, envelope):
        return [found]
    table, columns = _unique_columns(error, app)
    if table is None:
        cause = str(error.orig).splitlines()[0][:200]
        return [problem(Code.REPLAY_FAILED, cause=cause)]
    model = app.models[table]
    path, label = _place(model, columns, envelope)
    return [problem(Code.NOT_UNIQUE, path, label=label)]


def _place(model: Model, columns: Collection[str], envelope: Envelope) -> tuple[str, str]:
    """Return the path and the words of columns in the form."""
    fields = [f for f in model.fields.values() if f.column.name in columns]
    written = (o.at for o in envelope.operations if o.model == model.name and o.do != "delete")
    at = next(written, "")
    label = " and ".join(f.label for f in fields) or model.label
    return (join_path(at, fields[0].name) if fields else at), label


def _check_problem(error: IntegrityError, app: App, envelope: Envelope) -> Problem | None:
    """Return which fields a CHECK constraint is about that a value has broken."""
    diagnosis: Any = getattr(error.orig, "diag", None)
    if getattr(error.orig, "sqlstate", "") == "23514":
        said, within = str(diagnosis.constraint_name), str(diagnosis.table_name)
    elif (found := _SQLITE_CHECK.search(str(error.orig))) is not None:
        said, within = found[1], ""
    else:
        return None
    for model in app.models.values():
        for each in model.table.constraints if within in ("", model.name) else ():
            if isinstance(each, sa.CheckConstraint) and _is_meant(each, model, said):
                path, label = _place(model, columns_of(each, model.table), envelope)
                return problem(Code.CHECK_BROKEN, path, label=label, check=said[:200])
    return None


def _is_meant(constraint: sa.CheckConstraint, model: Model, said: str) -> bool:
    """Say whether a database means this constraint: by its name, its text, or a name it made."""
    named = columns_of(constraint, model.table)
    made = f"{model.name}_{named[0]}_check" if len(named) == 1 else f"{model.name}_check"
    plain = re.sub(r"""[\s"`\[\]]+""", "", said).lower()
    return said in (constraint.name, made) or plain == text_of(constraint)


def _empty_problem(error: IntegrityError, app: App, envelope: Envelope) -> Problem | None:
    """Return the field that the database wants filled in, although the model does not."""
    diagnosis: Any = getattr(error.orig, "diag", None)
    if getattr(error.orig, "sqlstate", "") == "23502":
        table, column = str(diagnosis.table_name), str(diagnosis.column_name)
    elif (found := _SQLITE_NOT_NULL.search(str(error.orig))) is not None:
        table, _, column = found[1].rpartition(".")
    else:
        return None
    if table not in app.models:
        return None
    path, label = _place(app.models[table], {column}, envelope)
    return problem(Code.REQUIRED, path, label=label)


def _unique_columns(error: IntegrityError, app: App) -> tuple[str | None, set[str]]:
    """Return table and columns of a broken unique constraint, from either database's words."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        if getattr(error.orig, "sqlstate", "") != "23505":
            return None, set()
        name = diagnosis.table_name
        return (name, _constraint_columns(diagnosis)) if name in app.models else (None, set())
    found = _SQLITE_UNIQUE.search(str(error.orig))
    if found is None:
        return None, set()
    names = [name.rsplit(".", 1) for name in found[1].split(", ")]
    table = names[0][0]
    return (table, {n[-1] for n in names}) if table in app.models else (None, set())


def _constraint_columns(diagnosis: Any) -> set[str]:
    # PostgreSQL names the constraint and says in its detail: Key (a, b)=(1, 2) already exists.
    found = re.search(r"Key \((.+?)\)=", diagnosis.message_detail or "")
    return {name.strip().strip('"') for name in found[1].split(",")} if found else set()
