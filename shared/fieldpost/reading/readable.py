"""Readable: the one object that says which rows and columns a user may read.

Whatever leaves the server asks it: images, pulls, choices and titles of lookups, searches, orders,
counts, envelopes and attachments. What nothing opens is closed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from fieldpost.app import App
from fieldpost.definition.scopes import ScopeFailed
from fieldpost.pages import Page
from fieldpost.reading.standings import Standing, standings
from fieldpost.reading.title_parts import title_parts
from fieldpost.schema.associations import LinkTable, Pairs
from fieldpost.schema.models import Model
from fieldpost.users import User

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, eq=False)
class Grant:
    """Rows that are open to a user, and what of them.

    Attributes:
        model: whose rows.
        condition: which.
        columns: the attributes that she may read of them, those that her scope asks for among
            them: a device asks the same.
        standing: where a page of hers has them; None where she only gets their titles.
        undecided: a scope that decides on it fails, so that it lets no row in.
    """

    model: Model
    condition: Condition
    columns: frozenset[str]
    standing: Standing | None = None
    undecided: bool = False


class Readable:
    """What one user may read of an app.

    Args:
        app: its pages say it: which roles open them, which rows their scopes let in, what they
            show.
        user: who reads.
        patient: a scope that fails lets no row in, and the others are asked all the same; else
            whatever asks fails with `ScopeFailed`.
    """

    def __init__(self, app: App, user: User, *, patient: bool = False) -> None:
        self.app = app
        self.user = user
        self.patient = patient
        self._standing: dict[Standing, Grant] = {}
        self._grants: dict[str, tuple[Grant, ...]] = {}
        self._failed: set[str] = set()

    @cached_property
    def pages(self) -> frozenset[str]:
        """The names of the pages that she may open."""
        return frozenset(page.name for page in self.app.pages_for(self.user))

    def on_page(self, page: Page) -> list[Grant]:
        """Return what a page opens to her, parents before their child lists."""
        if page.name not in self.pages:
            return []
        return [self._grant(each) for each in standings(self.app) if each.page is page]

    def grants(self, model: Model) -> tuple[Grant, ...]:
        """Return all that she may read of a model, over all pages that she may open.

        Where none of these has the model, she gets of a row, which lookups may point to, its key
        and its title: of those rows that the scopes of the other pages would let in.
        """
        if model.name not in self._grants:
            self._grants[model.name] = tuple(self._all_grants(model))
        return self._grants[model.name]

    def rows(self, model: Model) -> list[Condition]:
        """Return the condition for the rows of which she may read anything; none for every row."""
        conditions = [grant.condition for grant in self.grants(model)]
        whole = sa.or_(*conditions)
        return [] if isinstance(whole, sa.True_) else [whole]

    def columns(self, model: Model) -> frozenset[str]:
        """Return the attributes that she may read of some row of a model."""
        return frozenset(a for grant in self.grants(model) for a in grant.columns)

    def _all_grants(self, model: Model) -> Iterator[Grant]:
        found = [each for each in standings(self.app) if each.model == model.name]
        if opened := [each for each in found if each.page.name in self.pages]:
            yield from (self._grant(each) for each in opened)
            return
        grants = [self._grant(each) for each in found]
        closed = [grant.condition for grant in grants]
        title = frozenset({*model.key, *model.public, *title_parts(self.app, model).own})
        asked = columns_in(self.app, closed).get(model.name, set())
        columns = (title | asked) & model.readable
        # a model that is on no page at all is there to be chosen from
        condition = sa.or_(*closed) if found else sa.true()
        yield Grant(model, condition, columns, undecided=any(g.undecided for g in grants))

    def _grant(self, standing: Standing) -> Grant:
        if standing not in self._standing:
            condition = self._condition(standing)
            model = standing.form.model
            asked = columns_in(self.app, [condition]).get(model.name, set())
            columns = standing.columns | (asked & model.readable)
            undecided = self._is_undecided(standing)
            self._standing[standing] = Grant(model, condition, columns, standing, undecided)
        return self._standing[standing]

    def _condition(self, standing: Standing) -> Condition:
        if standing.above is None:
            return self._scope(standing.page)
        above, inside = standing.above.form.model, self._grant(standing.above).condition
        return exists_above(standing.form.model, above, standing.link.pairs, inside)

    def _is_undecided(self, standing: Standing) -> bool:
        if standing.above is None:
            return standing.page.name in self._failed
        return self._grant(standing.above).undecided

    def _scope(self, page: Page) -> Condition:
        try:
            scope = page.condition(self.user)
        except ScopeFailed:
            if not self.patient:
                raise
            self._failed.add(page.name)
            return sa.false()
        return sa.true() if scope is None else scope


def exists_above(
    child: Model | LinkTable, parent: Model, pairs: Pairs, condition: Condition
) -> Condition:
    """Return the condition that a row points to a row of `parent` which meets a condition."""
    linked = [child.column(theirs) == parent.column(ours) for theirs, ours in pairs]
    query = sa.select(sa.literal(1)).select_from(parent.table).where(*linked, condition)
    return query.correlate(child.table).exists()


def tables_in(conditions: Iterable[Condition]) -> set[str]:
    """Return the names of all tables that conditions look at."""
    return {e.name for c in conditions for e in visitors.iterate(c) if isinstance(e, sa.Table)}


def columns_in(app: App, conditions: Iterable[Condition]) -> dict[str, set[str]]:
    """Return the attributes, by model, that conditions look at."""
    found: dict[str, set[str]] = {}
    for each in (e for condition in conditions for e in visitors.iterate(condition)):
        if not isinstance(each, sa.Column) or each.table is None:
            continue
        table = each.table.element if isinstance(each.table, sa.Alias) else each.table
        model = app.models.get(getattr(table, "name", ""))
        if model is not None and each.name in model.table.columns:
            column = model.table.columns[each.name]
            attribute = model.mapper.get_property_by_column(column).key
            found.setdefault(model.name, set()).add(attribute)
    return found
