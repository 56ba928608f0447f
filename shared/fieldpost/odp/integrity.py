"""What the database itself refuses, in the catalogue's words."""

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ONETOMANY, Session

from fieldpost.app import App
from fieldpost.envelope import Envelope
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.models import Model, table_of

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")


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
        for column in other.table.columns:
            for key in column.foreign_keys:
                if key.column.table is not model.table or (other.name, column.name) in going:
                    continue
                attribute = model.mapper.get_property_by_column(key.column).key
                refers = column == getattr(row, attribute)
                query = sa.select(sa.func.count()).select_from(other.table).where(refers)
                if count := session.scalar(query):
                    yield problem(
                        Code.STILL_REFERRED_TO,
                        at,
                        count=count,
                        label=other.label,
                        detail={"model": other.name, "count": count},
                    )


def integrity_problems(error: IntegrityError, app: App, envelope: Envelope) -> list[Problem]:
    """Turn the database's refusal into problems with a path."""
    table, columns = _unique_columns(error, app)
    if table is None:
        cause = str(error.orig).splitlines()[0][:200]
        return [problem(Code.REPLAY_FAILED, cause=cause)]
    model = app.models[table]
    fields = [f for f in model.fields.values() if f.column.name in columns]
    at = next((o.at for o in envelope.operations if o.model == table and o.do != "delete"), "")
    label = " and ".join(f.label for f in fields) or model.label
    path = join_path(at, fields[0].name) if fields else at
    return [problem(Code.NOT_UNIQUE, path, label=label)]


def _unique_columns(error: IntegrityError, app: App) -> tuple[str | None, set[str]]:
    """Return table and columns of a broken unique constraint, from either database's words."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        if getattr(error.orig, "sqlstate", "") != "23505":
            return None, set()
        return diagnosis.table_name, _constraint_columns(diagnosis)
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
