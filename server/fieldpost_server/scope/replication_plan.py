"""Which rows a user's device has: one condition for each table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from fieldpost.app import App
from fieldpost.definition.scopes import ScopeFailed
from fieldpost.pages import Page
from fieldpost.replication.rows import public_columns, row_to_wire
from fieldpost.schema.associations import LinkTable
from fieldpost.schema.fields import Kind
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import is_readable
from fieldpost.users import User
from fieldpost_server.storage.unreadable_rows import note_unreadable

Condition = sa.ColumnElement[bool]

CHUNK_ROWS = 2_000
"""Rows that are in memory at once while a table is read."""


@dataclass
class TablePlan:
    """The part of one table that a device has.

    Attributes:
        model: whose table it is, or a table of links.
        conditions: a row is there if one of them holds.
        parents: models whose child rows it holds, with the pairs (child, parent attribute); of
            links, the models on both ends.
        watches: other tables that decide which rows are there.
        undecided: a scope that decides on it fails: nobody knows which rows are there, and none of
            them may be sent.
    """

    model: Model | LinkTable
    conditions: list[Condition] = field(default_factory=list)
    parents: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    watches: set[str] = field(default_factory=set)
    undecided: bool = False

    @cached_property
    def columns(self) -> tuple[sa.Column[Any], ...]:
        """The columns that may leave the server."""
        return public_columns(self.model)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def condition(self) -> Condition:
        """Return the condition as one."""
        return sa.or_(*self.conditions)

    def select(self, *more: Condition) -> sa.Select[Any]:
        """Return the query for the columns that may leave the server."""
        return sa.select(*self.columns).where(self.condition, *more)

    def read(self, session: Session, *more: Condition) -> Iterator[Sequence[Any]]:
        """Yield the rows of `select`; one with a value that cannot be read is left out and noted.

        All that a device gets, and what is proven of it, is read here.
        """
        query = self.select(*more)
        with session.execute(query, execution_options={"yield_per": CHUNK_ROWS}) as rows:
            for row in rows:
                if is_readable(row):
                    yield row
                else:
                    note_unreadable(self.model.table, self._names, row)

    def to_wire(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return a row of `read` as it travels."""
        return row_to_wire(self.model.table, dict(zip(self._names, row, strict=True)))

    @property
    def label(self) -> str:
        """What people call the table."""
        return getattr(self.model, "label", self.model.name)

    @property
    def key_columns(self) -> list[sa.Column[Any]]:
        """The columns of the primary key."""
        return list(self.model.table.primary_key.columns)


Plan = dict[str, TablePlan]
"""By table name."""


def captured_tables(app: App) -> list[sa.Table]:
    """Return the tables whose changes are captured: all with a key, also those without a model.

    Scopes may look at any of them.
    """
    return [table for table in app.base.metadata.sorted_tables if table.primary_key.columns]


def deciding_tables(plan: Plan, name: str) -> set[str]:
    """Return the tables that decide which rows of a table are on the device, itself included."""
    found, left = set[str](), {name}
    while left:
        each = left.pop()
        found.add(each)
        if each in plan:
            entry = plan[each]
            found |= entry.watches
            left |= {parent for parent, _ in entry.parents} - found
    return found


def plan_for(app: App, user: User, offline: Iterable[Page]) -> Plan:
    """Return what a user's device has, given her offline pages.

    Offline pages bring the rows of their scope, those bring their child rows at any depth, and all
    of them what their lookups point to (R8).
    """
    plan: Plan = {}
    offline = list(offline)
    for page in offline:
        _add_scope(plan.setdefault(page.spec.name, TablePlan(page.spec)), page, user)
        _add_children(app, plan, page.spec, (page.spec.name,))
    links = [link for page in offline for link in _links_of(page)]
    for name in list(plan):
        _add_lookups(app, plan, app.models[name], user, {name})
    for link in links:
        for name in {name for name, _ in link.ends} - plan.keys():
            _add_target(app, plan, app.models[name], user)
            _add_lookups(app, plan, app.models[name], user, {name})
    for link in links:
        plan[link.name] = _link_plan(app, plan, link)
    return plan


def _add_scope(entry: TablePlan, page: Page | None, user: User) -> None:
    """Add the rows of a page's scope; where it fails, none, and the table is undecided."""
    try:
        scope = None if page is None else page.condition(user)
    except ScopeFailed:
        scope, entry.undecided = sa.false(), True
    entry.conditions.append(sa.true() if scope is None else scope)
    entry.watches |= _tables_in(scope) - {entry.model.name}


def _links_of(page: Page) -> Iterator[LinkTable]:
    """Yield the tables of the many-to-many fields that a page shows."""
    shown = [*page.columns, *(f for form in page.layout.forms() for f in form.fields.values())]
    for each in shown:
        if each.kind is Kind.LINKS and each.association is not None:
            yield each.association.link


def _link_plan(app: App, plan: Plan, link: LinkTable) -> TablePlan:
    """Return the plan of a table of links: those whose rows are there on both ends."""
    ends = [(app.models[name], pairs) for name, pairs in link.ends]
    there = [_exists(link, model, pairs, plan[model.name].condition) for model, pairs in ends]
    watches = {other for model, _ in ends for other in plan[model.name].watches}
    undecided = any(plan[model.name].undecided for model, _ in ends)
    return TablePlan(
        link, [sa.and_(*there)], list(link.ends), watches - {link.name}, undecided=undecided
    )


def _add_children(app: App, plan: Plan, parent: Model, above: tuple[str, ...]) -> None:
    for children in parent.children.values():
        if not children.owned or children.model in above:
            continue
        child = app.models[children.model]
        entry = plan.setdefault(child.name, TablePlan(child))
        inside = plan[parent.name]
        entry.conditions.append(_exists(child, parent, children.link.pairs, inside.condition))
        entry.parents.append((parent.name, children.link.pairs))
        entry.watches |= inside.watches
        entry.undecided |= inside.undecided
        _add_children(app, plan, child, (*above, child.name))


def _exists(
    child: Model | LinkTable,
    parent: Model,
    pairs: tuple[tuple[str, str], ...],
    condition: Condition,
) -> Condition:
    linked = [child.column(theirs) == parent.column(ours) for theirs, ours in pairs]
    query = sa.select(sa.literal(1)).select_from(parent.table).where(*linked, condition)
    return query.correlate(child.table).exists()


def _add_lookups(app: App, plan: Plan, model: Model, user: User, seen: set[str]) -> None:
    for target_name in sorted(set(model.references.values()) - seen):
        target = app.models.get(target_name)
        if target is None or any(name == target_name for name, _ in _parents(plan, model)):
            continue
        _add_target(app, plan, target, user)
        _add_lookups(app, plan, target, user, seen | {target_name})


def _add_target(app: App, plan: Plan, target: Model, user: User) -> None:
    entry = plan.setdefault(target.name, TablePlan(target))
    _add_scope(entry, app.page_of(target.name), user)


def _parents(plan: Plan, model: Model) -> Iterator[tuple[str, Any]]:
    entry = plan.get(model.name)
    return iter(entry.parents if entry else ())


def _tables_in(condition: Condition | None) -> set[str]:
    if condition is None:
        return set()
    return {
        element.name for element in visitors.iterate(condition) if isinstance(element, sa.Table)
    }
