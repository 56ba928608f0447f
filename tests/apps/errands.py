"""A small app for long random stories: scope, child list, lookups, links, a unique column, rules.

Every row has a `mark` that is given once and never changed, so that its effects can be counted.
"""

import uuid

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import ChildList, Page
from fieldpost.rules import rule
from fieldpost.users import User, current_user_name

CHIEF = "chief"
MOST_ITEMS = 3


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Place(Base):
    """Where to go: its key is text that people choose."""

    __tablename__ = "place"

    code: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str | None] = mapped_column(sa.String(40))


errand_stop = sa.Table(
    "errand_stop",
    Base.metadata,
    sa.Column("errand_id", ForeignKey("errand.id"), primary_key=True),
    sa.Column("place_code", ForeignKey("place.code"), primary_key=True),
)
"""Where to stop on the way."""


class Errand(Base):
    """What somebody has to do, perhaps after something else."""

    __tablename__ = "errand"

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(40))
    title: Mapped[str | None] = mapped_column(sa.String(40))
    note: Mapped[str | None] = mapped_column(sa.String(40))
    badge: Mapped[str | None] = mapped_column(sa.String(10), unique=True)
    closed: Mapped[bool] = mapped_column(default=False)
    place_code: Mapped[str | None] = mapped_column(ForeignKey("place.code"))
    after_id: Mapped[int | None] = mapped_column(ForeignKey("errand.id"))
    assignee: Mapped[str] = mapped_column(sa.String(40), default=current_user_name)

    place: Mapped[Place | None] = relationship()
    after: Mapped["Errand | None"] = relationship(remote_side="Errand.id")
    stops: Mapped[list[Place]] = relationship(secondary=errand_stop)
    items: Mapped[list["Item"]] = relationship(cascade="all, delete-orphan", order_by="Item.id")


class Item(Base):
    """One thing of an errand; its mark begins with the errand's."""

    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    errand_id: Mapped[int] = mapped_column(ForeignKey("errand.id"))
    mark: Mapped[str] = mapped_column(sa.String(40))
    name: Mapped[str | None] = mapped_column(sa.String(40))


class Memo(Base):
    """A remark of its own on an errand: the key is a UUID."""

    __tablename__ = "memo"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(40))
    text: Mapped[str | None] = mapped_column(sa.String(40))
    errand_id: Mapped[int | None] = mapped_column(ForeignKey("errand.id"))
    writer: Mapped[str] = mapped_column(sa.String(40), default=current_user_name)

    errand: Mapped[Errand | None] = relationship()


def own_errands(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own errands, and the chief all."""
    return sa.true() if user.name == CHIEF else Errand.assignee == user.name


def own_memos(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own memos."""
    return Memo.writer == user.name


@rule(Errand)
def errand_is_sensible(errand: Errand) -> "list[tuple[str, str]]":
    """Want a note on what is closed, and a hand that can carry everything."""
    found = []
    if errand.closed and not errand.note:
        found.append(("note", "Say how it went before you close it."))
    if len(errand.items) > MOST_ITEMS:
        found.append(("items", "Nobody can carry so much."))
    return found


app = App(
    "Errands",
    Base,
    name="errands",
    pages=[
        Page(
            Errand,
            offline=True,
            scope=own_errands,
            form=[
                "mark",
                "title",
                "note",
                "badge",
                "closed",
                "place",
                "after",
                "stops",
                ChildList("items", ["mark", "name"]),
            ],
        ),
        Page(Place, offline=True, form=["code", "mark", "name"]),
        Page(Memo, offline=True, scope=own_memos, form=["mark", "text", "errand"]),
    ],
)
