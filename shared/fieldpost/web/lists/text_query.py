"""What a database cannot do alike everywhere: to find words in what a list shows, to sort texts.

The rows pass through Python one by one: columns that are searched or sorted, nothing else. What is
kept of them is in proportion to the pages that are shown, not to the table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.models import Key
from fieldpost.schema.places import downwards, in_python, place_of, upwards
from fieldpost.schema.unreadable import Unreadable, is_readable
from fieldpost.schema.value_words import sought_words
from fieldpost.text.casefolding import folded
from fieldpost.users import User
from fieldpost.wording.places import of_key
from fieldpost.wording.titles import NOT_HERE, Titles, search_parts

_AT_ONCE = 2_000
_SPARE = 10_000
_MOST_NAMED = 500


class _Known(dict[Any, Any]):
    """What a function has made of each value, made once."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> Any:
        made = self[value] = self._make(value)
        return made


class _First:
    """The first rows of a list in their order, and how many there are in all.

    Args:
        limit: how many are wanted.
        passes: what entries are sorted by and whether downwards, one after the other.
    """

    def __init__(self, limit: int, passes: Sequence[tuple[Callable[[Any], Any], bool]]) -> None:
        self.limit = limit
        self.passes = passes
        self.total = 0
        self.kept: list[Any] = []

    def add(self, entries: Iterable[Any]) -> None:
        """Add rows; those that cannot be among the first are forgotten."""
        most, kept = 2 * self.limit + _SPARE, self.kept
        place, descending = self.passes[-1]
        last: Any = None
        for entry in entries:
            self.total += 1
            if last is not None and (place(entry) < last if descending else place(entry) > last):
                continue
            kept.append(entry)
            if len(kept) > most:
                self.sort()
                last = place(kept[-1])
        self.sort()

    def sort(self) -> None:
        """Put what is kept in order, and keep the first."""
        for place, descending in self.passes:
            self.kept.sort(key=place, reverse=descending)
        del self.kept[self.limit :]


class TextQuery:
    """One search or order of a list, in Python.

    Args:
        session, app, user: where, of which app, for whom.
        page: whose list it is.
        conditions: which of its rows the user may see.
    """

    def __init__(
        self, session: Session, app: App, page: Page, user: User, conditions: Sequence[Any]
    ) -> None:
        self.session = session
        self.app = app
        self.page = page
        self.user = user
        self.conditions = conditions
        self.titles = Titles(session, app, user)
        self._named: dict[str, Mapping[Key, str]] = {}

    def find(
        self,
        search: str,
        order: Sequence[tuple[Field, bool]],
        limit: int,
        first: frozenset[Key] = frozenset(),
    ) -> tuple[list[Key], int]:
        """Return the keys of the first rows, and how many there are.

        Args:
            search: words that must all be in what the list shows of a row.
            order: fields to sort by, and whether downwards; what is empty comes last.
            limit: how many rows are wanted.
            first: rows that stand before all others.
        """
        place = of_key(self.page.spec)
        passes: list[tuple[Callable[[Any], Any], bool]] = [(lambda e: place(e[0]), False)]
        for number, (_, descending) in reversed(list(enumerate(order, start=1))):
            passes.append((_downwards(number) if descending else _upwards(number), descending))
        if first:
            passes.append((lambda e: e[0] not in first, False))
        found = _First(limit, passes)
        found.add(self._entries(search_parts(search), [each for each, _ in order]))
        return [entry[0] for entry in found.kept], found.total

    def _entries(self, parts: list[str], order: list[Field]) -> Iterable[Any]:
        """Yield key and places of each row that has the words."""
        masks, linked = self._masks(parts) if parts else ({}, [])
        read = list({f.attribute: f for f in [*masks, *order]}.values())
        size = len(self.page.spec.key)
        at = {f: size + n for n, f in enumerate(read)}
        places = [(at[f], self.place(f)) for f in order]
        marks = [(at[f], mask) for f, mask in masks.items()]
        every = (1 << len(parts)) - 1
        for row in self._rows(read):
            key = tuple(row[:size])
            if not is_readable(key):
                continue  # it leads nowhere
            mask = 0
            for known in linked:
                mask |= known.get(key, 0)
            for n, mark in marks:
                if mask == every:
                    break
                mask |= mark(row[n])
            if mask == every:
                yield (key, *[place(row[n]) for n, place in places])

    def _rows(self, fields: Sequence[Field]) -> Iterable[Any]:
        spec = self.page.spec
        columns = [spec.column(a) for a in (*spec.key, *(f.attribute for f in fields))]
        query = sa.select(*columns).where(*self.conditions)
        # the connection does without what a session does for mapped objects
        connection = self.session.connection()
        return connection.execute(query, execution_options={"yield_per": _AT_ONCE})

    def place(self, each: Field) -> Callable[[Any], Any]:
        """Return the function that gives what a field's value is sorted by."""
        if each.kind is not Kind.LOOKUP:
            return in_python(each, self.app.order)
        words, order = self._words(each), self.app.order
        return _Known(lambda value: place_of(order, words(value))).__getitem__

    # what is shown

    def _masks(self, parts: list[str]) -> tuple[dict[Field, Callable[[Any], int]], list[Any]]:
        """Return by field which of the words a value has, as bits; of linked rows by the key."""

        def mask_of(words: str) -> int:
            text, mask = folded(words), 0
            for n, part in enumerate(parts):
                if part in text:
                    mask |= 1 << n
            return mask

        masks: dict[Field, Callable[[Any], int]] = {}
        linked = []
        for each in self.page.columns:
            if each.kind is Kind.LINKS:
                linked.append(self._linked(each, mask_of))
            else:
                masks[each] = self._mask(each, mask_of)
        return masks, linked

    def _mask(self, each: Field, mask_of: Callable[[str], int]) -> Callable[[Any], int]:
        words = self._words(each)
        if each.kind in ATTACHMENT_KINDS:
            return lambda value: mask_of(words(value))
        if each.kind in (Kind.TEXT, Kind.LONG_TEXT):
            # hardly two are the same: nothing is kept of them
            return lambda value: 0 if value is None else mask_of(words(value))
        return _Known(lambda value: mask_of(words(value))).__getitem__

    def _words(self, each: Field) -> Callable[[Any], str]:
        target = self.app.models.get(each.target or "")
        if each.kind is not Kind.LOOKUP or target is None:
            return lambda value: sought_words(each, value)
        if each.name not in self._named:
            pointing = sa.select(self.page.spec.column(each.attribute)).where(*self.conditions)
            # a row may point to one of its own table
            among = target.column(target.key[0]).in_(pointing.correlate(None))
            seen = self.titles.readable.rows(target)
            self._named[each.name] = self.titles.where(target, among, *seen)
        named = self._named[each.name]
        return lambda value: (
            sought_words(each, value) if _is_empty(value) else (named.get((value,), NOT_HERE))
        )

    def _linked(self, each: Field, mask_of: Callable[[str], int]) -> Mapping[Key, int]:
        """Return by key which of the words the titles have that a row is linked to."""
        how, spec = each.association, self.page.spec
        assert how is not None
        target = self.app.models[how.target]
        seen = self.titles.where(target, *self.titles.readable.rows(target))
        masks = {key: mask for key, title in seen.items() if (mask := mask_of(title))}
        if not masks:
            return {}
        link = how.link.table.alias()
        own = [link.c[name] for name in how.owner_columns]
        theirs = [link.c[name] for name in how.target_columns]
        mine = (c == spec.column(a) for c, a in zip(own, spec.key, strict=True))
        query = sa.select(*own, *theirs).join_from(link, spec.table, sa.and_(*mine))
        if len(theirs) == 1 and len(masks) <= _MOST_NAMED:
            query = query.where(theirs[0].in_([key[0] for key in masks]))
        found: dict[Key, int] = {}
        for row in self.session.execute(query.where(*self.conditions)):
            owner = tuple(row[: len(own)])
            found[owner] = found.get(owner, 0) | masks.get(tuple(row[len(own) :]), 0)
        return found


def _is_empty(value: Any) -> bool:
    return value is None or isinstance(value, Unreadable)


def _upwards(number: int) -> Callable[[Any], Any]:
    return lambda entry: upwards(entry[number])


def _downwards(number: int) -> Callable[[Any], Any]:
    return lambda entry: downwards(entry[number])
