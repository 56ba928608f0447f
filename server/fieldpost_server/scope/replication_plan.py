"""Which rows a user's device has, and what of them: conditions and columns for each table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.reading.readable import (
    Condition,
    Grant,
    Readable,
    columns_in,
    exists_above,
    tables_in,
)
from fieldpost.reading.title_parts import title_parts
from fieldpost.replication.rows import public_columns, row_to_wire
from fieldpost.schema.associations import LinkTable
from fieldpost.schema.fields import Kind
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import is_readable
from fieldpost.users import User
from fieldpost_server.storage.unreadable_rows import note_unreadable

CHUNK_ROWS = 2_000
"""Rows that are in memory at once while a table is read."""


@dataclass
class TablePlan:
    """The part of one table that a device has.

    Attributes:
        model: whose table it is, or a table of links.
        grants: a row is there if one of their conditions holds, with the columns of those that do;
            None for a table of links, which has the rows of `links`.
        links: of a table of links, which rows are there.
        parents: models whose child rows it holds, with the pairs (child, parent attribute); of
            links, the models on both ends.
        watches: tables whose other rows decide which rows are there; the table itself where a scope
            asks it once more.
        always: attributes that a device has of every row that it has.
        undecided: a scope that decides on it fails: nobody knows which rows are there, and none of
            them may be sent.
    """

    model: Model | LinkTable
    grants: list[Grant] = field(default_factory=list)
    links: Condition | None = None
    parents: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    watches: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)
    undecided: bool = False

    @cached_property
    def columns(self) -> tuple[sa.ColumnElement[Any], ...]:
        """What is read of the columns that may leave the server: nothing where she may not."""
        return tuple(self._read(column) for column in public_columns(self.model))

    def _read(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        name = column.name
        if isinstance(self.model, LinkTable):
            ends = {mine for _, pairs in self.model.ends for mine, _ in pairs}
            return column if name in ends else sa.null().label(name)
        attribute = self.model.mapper.get_property_by_column(column).key
        opened = [g.condition for g in self.grants if attribute in g.columns]
        if attribute in self.always or len(opened) == len(self.grants):
            return column
        if not opened:
            return sa.null().label(name)
        return sa.case((sa.or_(*opened), column)).label(name)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in public_columns(self.model))

    @property
    def condition(self) -> Condition:
        """Return the condition as one."""
        if self.links is not None:
            return self.links
        # false first: what nothing grants is no row, where an empty 'or' would be every row
        return sa.or_(sa.false(), *(grant.condition for grant in self.grants))

    def add(self, grant: Grant) -> bool:
        """Add a grant; say whether it is new."""
        if any(each is grant for each in self.grants):
            return False
        self.grants.append(grant)
        self.undecided |= grant.undecided
        return True

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

    Offline pages bring the rows of their scope, those bring the child rows that the pages show, at
    any depth, and all of them what their lookups point to (R8): whole where she may open a page
    with it, else its key and its title (`Readable`).
    """
    offline = list(offline)
    plan = _Planner(app, user)
    for page in offline:
        plan.add_page(page)
    for link in [link for page in offline for link in _links_of(page)]:
        plan.add_links(link)
    return plan.finished()


class _Planner:
    def __init__(self, app: App, user: User) -> None:
        self.app = app
        self.readable = Readable(app, user, patient=True)
        self.plan: Plan = {}

    def add_page(self, page: Page) -> None:
        """Add a page's records, their child rows, and what these point to."""
        for grant in self.readable.on_page(page):
            entry = self._entry(grant.model)
            if not entry.add(grant):
                continue
            standing = grant.standing
            assert standing is not None
            if standing.above is None:
                entry.watches |= _watched(grant)
            else:
                entry.parents.append((standing.above.model, standing.link.pairs))
                entry.watches |= self.plan[standing.above.model].watches
            self._add_pointed(grant)

    def add_links(self, link: LinkTable) -> None:
        """Add the rows of a table of links that are there on both ends."""
        for name, _ in link.ends:
            self._add_target(self.app.models[name])
        ends = [(self.app.models[name], pairs) for name, pairs in link.ends]
        there = [exists_above(link, m, pairs, self.plan[m.name].condition) for m, pairs in ends]
        watches = {other for model, _ in ends for other in self.plan[model.name].watches}
        self.plan[link.name] = TablePlan(
            link,
            links=sa.and_(*there),
            parents=list(link.ends),
            watches=watches,
            undecided=any(self.plan[model.name].undecided for model, _ in ends),
        )

    def finished(self) -> Plan:
        """Return the plan, when all is in it."""
        for grant in [grant for entry in self.plan.values() for grant in entry.grants]:
            if grant.standing is not None and grant.standing.above is not None:
                continue
            # what a scope asks of other tables is asked on the device, too
            for name, attributes in columns_in(self.app, [grant.condition]).items():
                if name in self.plan and name != grant.model.name:
                    self.plan[name].always |= attributes & self.app.models[name].readable
        return self.plan

    def _entry(self, model: Model) -> TablePlan:
        return self.plan.setdefault(model.name, TablePlan(model))

    def _add_target(self, model: Model) -> None:
        """Add the rows of a model that lookups may point to."""
        entry = self._entry(model)
        for grant in self.readable.grants(model):
            if entry.add(grant):
                entry.watches |= _watched(grant)
                self._add_pointed(grant)

    def _add_pointed(self, grant: Grant) -> None:
        """Add what rows point to, and what their titles say of it."""
        standing = grant.standing
        linked = standing.form.linked if standing is not None else frozenset[str]()
        for attribute, name in sorted(grant.model.references.items()):
            if attribute in grant.columns - linked and name in self.app.models:
                self._add_target(self.app.models[name])
        for name, attributes in title_parts(self.app, grant.model).pointed.items():
            self._entry(self.app.models[name]).always |= attributes


def _watched(grant: Grant) -> set[str]:
    """Return the tables whose other rows a condition asks."""
    found, table = tables_in([grant.condition]), grant.model.table
    if not _asks_itself(grant.condition, table):
        found.discard(grant.model.name)
    return found


def _asks_itself(condition: Condition, table: sa.Table) -> bool:
    """Say whether a condition on a table's rows reads the table once more."""
    if not any(isinstance(each, sa.SelectBase) for each in visitors.iterate(condition)):
        return False
    query = sa.select(sa.literal(1)).select_from(table).where(condition)
    try:
        # what is correlated is no reading: only the finished statement tells
        return _Readings(query, table.name).number > 1
    except sa.exc.SQLAlchemyError:
        # words of one database only: whole is never wrong
        return True


class _Readings(SQLCompiler):
    """Counts how often a statement reads a table."""

    def __init__(self, query: sa.Select[Any], name: str) -> None:
        self.number = 0
        self._name = name
        super().__init__(DefaultDialect(), query)

    def visit_table(self, table: Any, asfrom: Any = False, **options: Any) -> Any:  # type: ignore[override]  # as it calls it
        """Note a table where rows are read from it."""
        self.number += bool(asfrom) and table.name == self._name
        return super().visit_table(table, asfrom=asfrom, **options)  # type: ignore[no-untyped-call]  # so it is there


def _links_of(page: Page) -> Iterator[LinkTable]:
    """Yield the tables of the many-to-many fields that a page shows."""
    shown = [*page.columns, *(f for form in page.layout.forms() for f in form.fields.values())]
    for each in shown:
        if each.kind is Kind.LINKS and each.association is not None:
            yield each.association.link
