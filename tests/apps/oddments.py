"""An app with a column of every type, into which other programs write what they like."""

import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.types import Photos


class Base(DeclarativeBase):
    """The models of this app."""


class Kind(enum.StrEnum):
    """A choice of two."""

    large = "large"
    small = "small"


class Thing(Base):
    """One of everything; every column but the key may be empty."""

    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    number: Mapped[int | None]
    amount: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 2))
    rate: Mapped[float | None]
    flag: Mapped[bool | None]
    day: Mapped[date | None]
    clock: Mapped[time | None]
    moment: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    local: Mapped[datetime | None]
    token: Mapped[uuid.UUID | None]
    kind: Mapped[Kind | None] = mapped_column(sa.Enum(Kind, native_enum=False, length=20))
    photos: Mapped[Photos | None]
    extra: Mapped[Any | None] = mapped_column(sa.JSON, info={"public": True})
    raw: Mapped[bytes | None] = mapped_column(info={"public": True})

    parts: Mapped[list["Part"]] = relationship(cascade="all, delete-orphan", back_populates="thing")


class Part(Base):
    """A row below a thing, with a date of its own."""

    __tablename__ = "part"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"))
    day: Mapped[date | None]

    thing: Mapped[Thing] = relationship(back_populates="parts")


class Daily(Base):
    """A row whose key is a date."""

    __tablename__ = "daily"

    day: Mapped[date] = mapped_column(primary_key=True)
    note: Mapped[str | None]


class Stock(Base):
    """A row that the database checks more closely than any form."""

    __tablename__ = "stock"
    __table_args__ = (
        sa.CheckConstraint("amount > 0", name="some"),
        sa.CheckConstraint("least <= amount", name="enough"),
        sa.CheckConstraint("amount <> 13"),
        sa.CheckConstraint("least + amount <> 100"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    least: Mapped[int]


SHOWN = [
    "name",
    "number",
    "amount",
    "rate",
    "flag",
    "day",
    "clock",
    "moment",
    "local",
    "token",
    "kind",
    "photos",
]

app = App(
    "Oddments",
    Base,
    name="oddments",
    pages=[
        Page(Thing, offline=True, list=SHOWN, form=[*SHOWN, "parts"], title="Things"),
        Page(Daily, offline=True),
        Page(Stock, offline=True, form=["amount", "least"], title="Stock"),
    ],
)
