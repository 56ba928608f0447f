"""The menu and the lists of records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from fieldpost.errors import Code, Forbidden, problem
from fieldpost.home import SyncEntry
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Page
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Key
from fieldpost.schema.value_words import words_for
from fieldpost.web.display.linked_rows import MOST_TITLES, linked_words
from fieldpost.web.display.values import record_url
from fieldpost.web.framework.requests import PageRequest
from fieldpost.web.lists.list_query import ListQuery, ListResult, run_list

NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
"""Kinds that stand below each other by their last digit."""

Entries = Mapping[tuple[Any, ...], SyncEntry]


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a listed record, in words."""

    label: str
    text: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One listed record; `state` is that of its open envelope: 'waiting', 'attention' or empty."""

    url: str
    cells: tuple[Cell, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Heading:
    """One column's heading, with the address that sorts by it."""

    label: str
    url: str
    direction: str
    is_number: bool = False


def open_page(asked: PageRequest) -> Page:
    """Return the page of the address; raises `NotFound` or `Forbidden`."""
    page = asked.home.app.page(asked.at["page"])
    if not page.may_open(asked.user):
        raise Forbidden([problem(Code.FORBIDDEN)])
    return page


def menu(asked: PageRequest) -> Response:
    """Show the pages that the user may open."""
    home, user = asked.home, asked.user
    cards = [
        (page, home.is_here(page, user), home.is_offline(page)) for page in home.app.pages_for(user)
    ]
    without = user.is_field_worker and not any(offline for _, _, offline in cards)
    return asked.page(
        "menu.html", cards=cards, no_offline_page=without, done=asked.query.get("done", "")
    )


def list_page(asked: PageRequest) -> Response:
    """Show a page's list."""
    page = open_page(asked)
    entries = asked.home.open_entries(page)
    query = _query(asked, page, entries)
    with asked.home.session() as session:
        result = run_list(session, asked.home.app, page, asked.user, query)
        links = Links(session, asked.home.app, asked.user)
        linked = linked_words(links, page.spec, page.columns, result.rows, MOST_TITLES)
        lines = [_line(page, row, entries, linked) for row in result.rows]
    return asked.page(
        "list.html",
        page=page,
        lines=lines,
        headings=[_heading(asked, f, query.sort) for f in page.columns],
        result=result,
        search=query.search,
        pager=_pager(asked, result),
        done=asked.query.get("done", ""),
    )


def _query(asked: PageRequest, page: Page, waiting: Entries) -> ListQuery:
    number = asked.query.get("page", "1")
    return ListQuery(
        search_words(asked.query.get("q", "")),
        tuple(n for n in asked.query.get("sort", "").split(",") if n)[:5],
        int(number) if number.isdecimal() and len(number) < 8 else 1,
        tuple(sorted(page.spec.key_from_json(list(key)) for key in waiting)),
    )


def search_words(text: str) -> str:
    """Return what somebody searches for, bounded, without the one character PostgreSQL has not."""
    return text[:200].replace("\0", "\ufffd")


def _line(
    page: Page,
    row: Any,
    entries: Entries,
    linked: dict[tuple[str, Key], str],
) -> Line:
    real = page.spec.key_of(row)
    key = page.spec.key_to_json(real)
    cells = tuple(
        Cell(f.label, cell_words(f, row, linked, real), f.kind in NUMBERS) for f in page.columns
    )
    entry = entries.get(tuple(key))
    return Line(record_url(page.name, key), cells, entry.state if entry else "")


def cell_words(field: Field, row: Any, linked: dict[tuple[str, Key], str], key: Key) -> str:
    """Return a field of a record in words, as a list shows it.

    Args:
        field: the field.
        row: the record.
        linked: titles of what lookups and many-to-many fields point to, by name and key.
        key: the record's.
    """
    if field.kind in (Kind.LINKS, Kind.LOOKUP):
        return linked.get((field.name, key), "")
    return words_for(field, getattr(row, field.attribute))


def _heading(asked: PageRequest, field: Field, sort: tuple[str, ...]) -> Heading:
    first = sort[0] if sort else ""
    direction = {field.name: "ascending", f"-{field.name}": "descending"}.get(first, "")
    name = f"-{field.name}" if direction == "ascending" else field.name
    address = _address(asked, sort=name, page="")
    return Heading(field.label, address, direction, field.kind in NUMBERS)


def _address(asked: PageRequest, **changes: str) -> str:
    kept = {n: v for n, v in asked.query.items() if n in ("q", "sort", "page")}
    wanted = {n: v for n, v in {**kept, **changes}.items() if v}
    return f"{asked.path}?{urlencode(wanted)}" if wanted else asked.path


def _pager(asked: PageRequest, result: ListResult) -> dict[str, str]:
    links = {}
    if result.number > 1:
        links["previous"] = _address(asked, page=str(result.number - 1))
    if result.number < result.last:
        links["next"] = _address(asked, page=str(result.number + 1))
    return links
