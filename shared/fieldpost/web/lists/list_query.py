"""Lists: one query for search, sort and paging, the same on every home."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from fieldpost.app import App
from fieldpost.odp.replay.access import key_condition
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Page
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import is_readable
from fieldpost.text.casefolding import folded
from fieldpost.users import User
from fieldpost.web.display.linked_rows import is_linked_to

PAGE_ROWS = 50
MOST_WAITING_FIRST = 200
_UNSORTED = ATTACHMENT_KINDS | {Kind.LINKS}


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list is asked for.

    Attributes:
        search: words that must all occur in a row.
        sort: field names, with ``-`` in front for descending.
        number: the page of the list, from 1.
        waiting: keys (typed) of rows to be shown first, where nothing is sorted or searched.
    """

    search: str = ""
    sort: tuple[str, ...] = ()
    number: int = 1
    waiting: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ListResult:
    """One page of a list.

    Attributes:
        rows: mapped objects.
        total: how many rows there are in all.
        number, last: this page and the last one.
    """

    rows: Sequence[Any]
    total: int
    number: int
    last: int


def run_list(session: Session, app: App, page: Page, user: User, query: ListQuery) -> ListResult:
    """Return one page of the rows that the user may see."""
    joins = _Joins(app, page.spec)
    links = Links(session, app, user)
    conditions = [] if (scope := page.condition(user)) is None else [scope]
    conditions += [_contains(page, joins, links, word) for word in query.search.split()[:8]]
    order = _order(page, joins, query)
    key = [getattr(page.model, a) for a in page.spec.key]
    counted = joins.apply(sa.select(sa.func.count()).select_from(page.model)).where(*conditions)
    total = session.scalar(counted) or 0
    last = max(1, -(-total // PAGE_ROWS))
    number = min(max(1, query.number), last)
    # keys first: sorting narrow rows and loading fifty is much cheaper than sorting whole records
    found = session.execute(
        joins.apply(sa.select(*key).select_from(page.model))
        .where(*conditions)
        .order_by(*order)
        .limit(PAGE_ROWS)
        .offset((number - 1) * PAGE_ROWS)
    ).all()
    # a key that cannot be read leads nowhere
    keys = [tuple(k) for k in found if is_readable(k)]
    return ListResult(_load(session, page, keys), total, number, last)


def _load(session: Session, page: Page, keys: list[tuple[Any, ...]]) -> list[Any]:
    if not keys:
        return []
    wanted = sa.or_(*(key_condition(page.spec, key) for key in keys))
    if len(page.spec.key) == 1:
        wanted = getattr(page.model, page.spec.key[0]).in_([key[0] for key in keys])
    relations = page.spec.mapper.relationships
    shown = [
        joinedload(getattr(page.model, f.name))
        for f in page.columns
        if f.kind is Kind.LOOKUP and f.name in relations
    ]
    rows = session.scalars(sa.select(page.model).where(wanted).options(*shown)).unique()
    by_key = {page.spec.key_of(row): row for row in rows}
    return [by_key[key] for key in keys if key in by_key]


class _Joins:
    """Lookup targets that a condition or an order needs, joined once each."""

    def __init__(self, app: App, model: Model) -> None:
        self.app = app
        self.model = model
        self.aliases: dict[str, Any] = {}

    def column(self, field: Field) -> Any:
        """Return the column to search and sort by: the title of the row that a lookup points to."""
        own = getattr(self.model.cls, field.attribute)
        target = self.app.models.get(field.target or "")
        if target is None:
            return own
        if field.name not in self.aliases:
            self.aliases[field.name] = (sa.orm.aliased(target.cls), target, own)
        return getattr(self.aliases[field.name][0], target.title_attribute)

    def apply(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """Add the joins to a query."""
        for alias, target, own in self.aliases.values():
            query = query.outerjoin(alias, own == getattr(alias, target.key[0]))
        return query


def _is_text(column: Any) -> bool:
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


def _contains(page: Page, joins: _Joins, links: Links, word: str) -> sa.ColumnElement[bool]:
    lowered = word.lower()
    tests: list[sa.ColumnElement[bool]] = []
    for field in page.columns:
        if field.kind in ATTACHMENT_KINDS:
            continue
        if field.kind is Kind.LINKS:
            tests.append(is_linked_to(links, page.spec, field, word))
            continue
        column = joins.column(field)
        if _is_text(column):
            tests.append(folded(column).contains(lowered, autoescape=True))
        elif field.kind is Kind.CHOICE:
            values = [
                field.codec.from_text(c.value) for c in field.choices if lowered in c.label.lower()
            ]
            tests.append(column.in_(values))
        elif field.kind in (Kind.INTEGER, Kind.DATE):
            tests.append(sa.cast(column, sa.Text).contains(lowered, autoescape=True))
    return sa.or_(*tests) if tests else sa.false()


def _order(page: Page, joins: _Joins, query: ListQuery) -> list[Any]:
    order: list[Any] = []
    if query.waiting and not query.sort and not query.search:
        first = [key_condition(page.spec, key) for key in query.waiting[:MOST_WAITING_FIRST]]
        order.append(sa.case((sa.or_(*first), 0), else_=1))
    for name in query.sort or tuple(page.sort):
        field = page.spec.fields.get(name.removeprefix("-"))
        if field is None or field.kind in _UNSORTED or field.private:
            continue
        column = joins.column(field)
        column = folded(column) if _is_text(column) else column
        descending = name.startswith("-")
        # databases disagree on where NULL stands, so say it
        order.append(column.desc().nulls_last() if descending else column.asc().nulls_last())
    return order + [getattr(page.model, a) for a in page.spec.key]
