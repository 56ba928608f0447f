"""Titles: what rows are called where others point to them, and their order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE, Session, selectinload

from fieldpost.app import App
from fieldpost.reading.readable import Readable
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.models import Key, Model
from fieldpost.schema.unreadable import is_readable
from fieldpost.schema.value_words import words_for
from fieldpost.schema.values import ValueProblem
from fieldpost.text.casefolding import folded
from fieldpost.users import User
from fieldpost.wording.places import of_key

MOST_WORDS = 8
"""How many words of a search count."""

NOT_HERE = "an entry that is not here"
"""Stands for a row that is gone, or that the user may not see."""

_CHUNK_KEYS = 500

T = TypeVar("T")


def search_parts(words: str) -> list[str]:
    """Return the words of a search, folded: each of them must be in what is found."""
    parts = (folded(word) for word in words.split()[:MOST_WORDS])
    return [part for part in parts if part]


class Titles:
    """Reads titles, as one user sees them.

    Args:
        session: where rows are read.
        app: whose language orders them, and whose pages say what the user may see.
        user: who looks.
    """

    def __init__(self, session: Session, app: App, user: User) -> None:
        self.session = session
        self.app = app
        self.user = user
        self.readable = Readable(app, user)
        self._every: dict[str, list[tuple[Key, str]]] = {}

    def every(self, target: Model) -> Sequence[tuple[Key, str]]:
        """Return key and title of all rows that the user may choose from, in order."""
        if target.name not in self._every:
            found = self.where(target, *self.readable.rows(target))
            self._every[target.name] = self.in_order(target, found.items(), lambda pair: pair)
        return self._every[target.name]

    def matching(self, target: Model, words: str, most: int) -> list[tuple[Key, str]]:
        """Return those of `every` whose title has all words of a search, the first few."""
        parts = search_parts(words)
        every = self.every(target)
        if not parts:
            return list(every[:most])
        found = (pair for pair in every if all(part in folded(pair[1]) for part in parts))
        return [pair for pair, _ in zip(found, range(most), strict=False)]

    def words(self, field: Field, data: Any) -> str:
        """Return a value in words, given as JSON data; of a lookup, the title where it may be seen.

        Linked rows and attachments have no words of their own: they are shown as what they are.
        """
        try:
            value = field.codec.decode(data)
        except ValueProblem:
            return str(data)
        target = self.app.models.get(field.target or "")
        if field.kind is not Kind.LOOKUP or target is None or value is None:
            return words_for(field, value)
        return self.of(target, [value]).get(value, NOT_HERE)

    def of(self, target: Model, parts: Iterable[Any]) -> Mapping[Any, str]:
        """Return the titles of those rows with keys of one part that the user may see, by part."""
        if len(target.key) != 1:
            return {}
        column, found = target.column(target.key[0]), dict[Any, str]()
        wanted = [part for part in dict.fromkeys(parts) if target.can_hold((part,))]
        for start in range(0, len(wanted), _CHUNK_KEYS):
            among = column.in_(wanted[start : start + _CHUNK_KEYS])
            seen = self.where(target, among, *self.readable.rows(target))
            found |= {key[0]: title for key, title in seen.items()}
        return found

    def where(self, target: Model, *conditions: Any) -> Mapping[Key, str]:
        """Return the titles of all rows that meet conditions, by key."""
        key = [target.column(attribute) for attribute in target.key]
        if not target.has_own_words:
            title = target.column(target.title_attribute)
            rows = self.session.execute(sa.select(title, *key).where(*conditions))
            return {tuple(found): target.title_from(value) for value, *found in rows}
        # the class may speak of what its rows point to: that is read at once, not row by row
        pointed = [
            selectinload(getattr(target.cls, relation.key))
            for relation in target.mapper.relationships
            if relation.direction is MANYTOONE
        ]
        query = sa.select(target.cls).where(*conditions).options(*pointed)
        found = self.session.scalars(query).unique()
        return {target.key_of(row): target.title_of(row) for row in found}

    def in_order(self, target: Model, things: Iterable[T], named: Any) -> list[T]:
        """Sort things by the title, then by the key, of the row that each stands for.

        A row whose key cannot be read is left out: nobody can name it.

        Args:
            target: whose rows they are.
            things: what is sorted.
            named: gives key and title of a thing.
        """
        order, place = self.app.order, of_key(target)

        placed = [
            (order.key(title), place(key), thing)
            for thing in things
            for key, title in [named(thing)]
            if is_readable(key)
        ]
        return [thing for *_, thing in sorted(placed, key=lambda each: each[:2])]

    def rows_in_order(self, target: Model, rows: Iterable[Any]) -> list[Any]:
        """Sort mapped objects of a model by title, then by key."""
        return self.in_order(target, rows, lambda row: (target.key_of(row), target.title_of(row)))
