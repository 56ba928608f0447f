"""A store whose lists show what no column holds: titles, days, choices and numbers in words.

Its rows are generated; what a list must find, and in which order, is told in plain Python from what
it shows.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import Page

ROWS = 130
"""Three pages of a list."""


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Condition(Enum):
    """Choices whose declared order is neither that of their names nor of their values."""

    worn = "b"
    as_new = "c"
    broken = "a"


class Shelf(Base):
    """A place, called by more than one of its columns."""

    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(10))
    checked_on: Mapped[date | None]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Tag(Base):
    """A word for things."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))


tagged = sa.Table(
    "tagged",
    Base.metadata,
    sa.Column("thing", ForeignKey("thing.code"), primary_key=True),
    sa.Column("tag", ForeignKey("tag.id"), primary_key=True),
)


class Thing(Base):
    """A thing: its key is a text that databases sort each in their way."""

    __tablename__ = "thing"

    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(80))
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    condition: Mapped[Condition | None]
    lent: Mapped[bool | None]
    due_on: Mapped[date | None]
    seen_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    weight: Mapped[float | None]
    pieces: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(String(200), info={"label": "Remarks"})

    shelf: Mapped[Shelf | None] = relationship(info={"label": "Where it lies"})
    tags: Mapped[list[Tag]] = relationship(secondary=tagged)


COLUMNS = (
    "code",
    "name",
    "shelf",
    "condition",
    "lent",
    "due_on",
    "seen_at",
    "price",
    "weight",
    "pieces",
    "note",
    "tags",
)
app = App(
    "Stock",
    Base,
    name="stock",
    language="sv",
    pages=[
        Page(Thing, offline=True, list=COLUMNS, sort=["name"]),
        Page(Shelf, offline=True),
        Page(Tag, offline=True),
    ],
)

_WORDS = (
    "Pump",
    "pump",
    "Pümp",
    "Äpple",
    "apple",
    "A\u0308pple",
    "Ångström",
    "ÅNGSTRÖM",
    "zebra",
    "Straße",
    "STRASSE",
    "Łódź",
    "Ørsted",
    "ﬁlter",
    "Filter",
    "ＦＩＬＴＥＲ",
    "Ελλάς",
    "ΕΛΛΑΣ",
    "Ёлка",
    "елка",
    "İzmir",
    "日本",
    "한국",
    "co-op",
    "co op",
    "_x",
    "10",
    "9",
    "٩",
    "50 %",
    "50%",
    "O'Neill",
    "O’Neill",
    "",
    "𝔸",
    "\u1e9e",
    "naïve",
)


def rows(seed: int = 1) -> Iterator[Any]:
    """Yield generated rows, the same for each seed."""
    chance = Random(seed)
    shelves = [
        Shelf(id=n, name=chance.choice(_WORDS), code=chance.choice(("A-17", "a-17", "Ä-2", "B-10")))
        for n in range(1, 13)
    ]
    tags = [Tag(id=n, name=word) for n, word in enumerate(_WORDS[:20], start=1)]
    yield from shelves
    yield from tags
    named = [word for word in _WORDS if word]
    codes = ["a", "A", "b", "B", "ä", "Z", "_", "-"]
    for n in range(ROWS):
        some = _some(chance)
        yield Thing(
            code=f"{codes[n % len(codes)]}{n // len(codes)}",
            name=some(lambda: " ".join(chance.sample(named, 2))),
            shelf=some(lambda: chance.choice(shelves)),
            condition=some(lambda: chance.choice(list(Condition))),
            lent=some(lambda: chance.random() < 0.5),
            due_on=some(lambda: date(2026, 6, 25) + timedelta(chance.randint(0, 20))),
            seen_at=some(lambda: datetime(2026, 7, chance.randint(1, 3), 8, tzinfo=UTC)),
            price=some(lambda: Decimal(chance.randint(-300, 300)) / 4),
            weight=some(lambda: chance.choice((0.5, 12.25, -3.0, 1e16))),
            pieces=some(lambda: chance.randint(-5, 120)),
            note=some(lambda: chance.choice(_WORDS)),
            tags=chance.sample(tags, chance.choice((0, 0, 1, 2, 3))),
        )


def _some(chance: Random) -> Callable[[Callable[[], Any]], Any]:
    return lambda make: None if chance.random() < 0.15 else make()


SEARCHES = (
    "A-17",
    "a-17 pump",
    "1 Jul 2026",
    "jul",
    "2026-07-01",
    "08:00",
    "as new",
    "WORN",
    "yes",
    "no",
    "75.00",
    "-3",
    "1e+16",
    "angstrom",
    "Å",
    "a\u030a",
    "strasse",
    "ß",
    "lodz",
    "orsted",
    "filter",
    "ﬁ",
    "ελλας",
    "елка",
    "izmir",
    "日",
    "한국",
    "한",
    "9",
    "%",
    "_",
    "'",
    "o'neill",
    "co-op",
    "a",
    "naive pump",
    "\u1e9e",
    "nothing has this",
    "\u0301",
)
SORTS = tuple(n for n in (*COLUMNS, *(f"-{n}" for n in COLUMNS)) if "tags" not in n)

Line = tuple[str, ...]
"""What a list shows of a row, by column."""


def shown(get: Callable[[str], str], **query: str) -> list[Line]:
    """Return the lines of all pages of the list of things; `get` asks for a page."""
    lines: list[Line] = []
    for number in range(1, 9):
        text = get(f"/pages/thing?{urlencode({**query, 'page': str(number)})}")
        lines += lines_of(text)
        if 'rel="next"' not in text:
            return lines
    raise AssertionError("the list has no end")


def lines_of(text: str) -> list[Line]:
    """Return the lines of one page."""
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", text.partition("<tbody>")[2], re.DOTALL):
        cells = re.findall(r"<td [^>]*>(.*?)</td>", row, re.DOTALL)
        found.append(tuple(html.unescape(re.sub(r"<[^>]*>", "", each)) for each in cells))
    return found


def holding(lines: Sequence[Line], words: str) -> list[Line]:
    """Return those lines that show each of the words somewhere, whatever their case and accents."""
    parts = [plain(word) for word in words.split()]
    return [
        line
        for line in lines
        if all(any(part in plain(_with_day(cell)) for cell in line) for part in parts)
    ]


def plain(text: str) -> str:
    """Return a text as people compare it: told by Unicode's rules, not by the project's code."""
    for sign, other in {"’": "'", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "٩": "9"}.items():
        text = text.replace(sign, other)
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _with_day(cell: str) -> str:
    """Add how computers write a day to one that is shown in words."""
    match = re.match(r"(\d+) (\w{3}) (\d{4})", cell)
    if match is None or match[2] not in _MONTHS:
        return cell
    return f"{cell} {match[3]}-{_MONTHS.index(match[2]) + 1:02}-{int(match[1]):02}"


_LETTERS = " abcdefghijklmnopqrstuvwxyzåäö"


def check_order(lines: Sequence[Line], sort: str) -> None:
    """Check that lines stand as a Swede reads them: nothing last, choices as they are declared."""
    name = sort.removeprefix("-")
    cells = [line[COLUMNS.index(name)].strip() for line in lines]
    filled = [cell for cell in cells if cell]
    assert cells == filled + [""] * (len(cells) - len(filled))
    places = [found for cell in filled if (found := _place(name, cell)) is not None]
    assert len(places) > ROWS / 4
    assert sorted(places, reverse=sort.startswith("-")) == places


def _place(column: str, cell: str) -> Any:
    """Return what a cell is sorted by; None for texts of other alphabets or with signs."""
    if column == "condition":
        return ["Worn", "As new", "Broken"].index(cell)
    if column == "lent":
        return cell == "Yes"
    if column in ("price", "weight", "pieces"):
        return float(cell)
    if column in ("due_on", "seen_at"):
        day, month, year = cell.partition(",")[0].split()
        return int(year), _MONTHS.index(month), int(day)
    if column in ("shelf", "code"):
        # with a number in the middle only the first letter is compared here
        cell = cell.replace("-", "").translate({ord(digit): None for digit in "0123456789"})
        cell = cell[:1]
    letters = [_letter(each) for each in unicodedata.normalize("NFC", cell).lower()]
    known = all(each in _LETTERS for letter in letters for each in letter)
    return [_LETTERS.index(each) for each in "".join(letters)] if known else None


def _letter(each: str) -> str:
    return {"ø": "ö"}.get(each, each if each in "åäö" else plain(each))
