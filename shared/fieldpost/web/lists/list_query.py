"""Lists: one query for search, sort and paging, the same on every home."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.odp.replay.access import key_condition
from fieldpost.pages import Page
from fieldpost.schema.fields import Field
from fieldpost.schema.models import Key
from fieldpost.schema.unreadable import is_readable
from fieldpost.users import User
from fieldpost.web.lists.sqlite_order import can_sort, with_function
from fieldpost.web.lists.text_query import TextQuery
from fieldpost.wording.places import UNSORTED, are_alike, in_database
from fieldpost.wording.titles import search_parts

PAGE_ROWS = 50
MOST_WAITING_FIRST = 200


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
    conditions = [] if (scope := page.condition(user)) is None else [scope]
    order = _order(page, query)
    wanted = PAGE_ROWS * max(1, query.number)
    first = () if query.sort or query.search else query.waiting
    text = TextQuery(session, app, page, user, conditions)
    places = None if search_parts(query.search) else _places(text, order)
    if places is not None:
        total = _count(session, page, conditions)
        number, last = _pages(query, total)
        keys = _sorted_by_database(session, page, conditions, places, first, number)
    else:
        found, total = text.find(query.search, order, wanted, frozenset(first))
        number, last = _pages(query, total)
        keys = found[PAGE_ROWS * (number - 1) : PAGE_ROWS * number]
    # a key that cannot be read leads nowhere
    readable = [key for key in keys if is_readable(key)]
    return ListResult(_load(session, page, readable), total, number, last)


def _pages(query: ListQuery, total: int) -> tuple[int, int]:
    """Return the page that is shown, and the last one."""
    last = max(1, -(-total // PAGE_ROWS))
    return min(max(1, query.number), last), last


def _count(session: Session, page: Page, conditions: Sequence[Any]) -> int:
    counted = sa.select(sa.func.count()).select_from(page.model).where(*conditions)
    return session.scalar(counted) or 0


def _places(text: TextQuery, order: Sequence[tuple[Field, bool]]) -> list[Any] | None:
    """Return what the database sorts by; None where it does not sort as Python does."""
    others = [each for each, _ in order if not are_alike(each)]
    if others and not can_sort(text.session, others):
        return None
    found: list[Any] = []
    for number, (each, descending) in enumerate(order):
        try:
            places = _of_field(text, number, each)
        except sqlite3.Error:
            return None  # the connection is being read from: the longer way needs no function
        # databases disagree on where NULL stands, so say it
        found += [p.desc().nulls_last() if descending else p.asc().nulls_last() for p in places]
    return found


def _of_field(text: TextQuery, number: int, each: Field) -> list[Any]:
    column = text.page.spec.column(each.attribute)
    if are_alike(each):
        return [in_database(each, column)]
    return with_function(text.session, text.app, number, each, column, text.place(each))


def _sorted_by_database(
    session: Session,
    page: Page,
    conditions: Sequence[Any],
    places: Sequence[Any],
    first: Sequence[Key],
    number: int,
) -> list[Key]:
    key = [page.spec.column(attribute) for attribute in page.spec.key]
    order = list(places)
    for attribute, column in zip(page.spec.key, key, strict=True):
        order.append(in_database(page.spec.by_attribute[attribute], column))
    # keys first: sorting narrow rows and loading fifty is much cheaper than sorting whole records
    query = sa.select(*key).where(*conditions).order_by(*order)
    start, stop = (number - 1) * PAGE_ROWS, number * PAGE_ROWS
    if not first:
        return _keys(session, query.offset(start).limit(PAGE_ROWS))
    # asked for apart: an order that begins with them is in no index
    among = sa.or_(*(key_condition(page.spec, each) for each in first[:MOST_WAITING_FIRST]))
    ahead = _keys(session, query.where(among))
    shown = ahead[start:stop]
    if len(shown) == PAGE_ROWS:
        return shown
    others = query.where(sa.not_(among)).offset(max(0, start - len(ahead)))
    return shown + _keys(session, others.limit(PAGE_ROWS - len(shown)))


def _keys(session: Session, query: sa.Select[Any]) -> list[Key]:
    return [tuple(row) for row in session.execute(query)]


def _order(page: Page, query: ListQuery) -> list[tuple[Field, bool]]:
    """Return the fields to sort by, and whether downwards.

    An order tells what stands in a column: nobody sorts by one that the page does not show.
    """
    shown = {*page.columns, *page.layout.fields.values()}
    found = []
    for name in query.sort or tuple(page.sort):
        plain = name.removeprefix("-")
        each = page.spec.fields.get(plain) or page.spec.by_attribute.get(plain)
        if each is None or each.kind in UNSORTED or each.private:
            continue
        if each in shown or not query.sort:
            found.append((each, name.startswith("-")))
    return found


def _load(session: Session, page: Page, keys: list[tuple[Any, ...]]) -> list[Any]:
    if not keys:
        return []
    wanted = sa.or_(*(key_condition(page.spec, key) for key in keys))
    if len(page.spec.key) == 1:
        wanted = getattr(page.model, page.spec.key[0]).in_([key[0] for key in keys])
    rows = session.scalars(sa.select(page.model).where(wanted)).unique()
    by_key = {page.spec.key_of(row): row for row in rows}
    return [by_key[key] for key in keys if key in by_key]
