"""Models and pages of the benchmarks."""

from typing import Annotated

from annotated_types import Ge, Le, Len
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.types import Signature

ShortText = Annotated[str, Len(1, 200)]
Percent = Annotated[int, Ge(0), Le(100)]


class Base(DeclarativeBase):
    """The declarative base."""


class Job(Base):
    """One of a hundred thousand."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[ShortText]
    amount: Mapped[float]
    note: Mapped[str | None]


class Visit(Base):
    """A form of 1 + 20 records and a signature."""

    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[ShortText]
    score: Mapped[Percent | None]
    signature: Mapped[Signature | None]
    remarks: Mapped[str | None]
    lines: Mapped[list["Line"]] = relationship(
        cascade="all, delete-orphan", order_by="Line.id", back_populates="visit"
    )


class Line(Base):
    """One of the twenty."""

    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    note: Mapped[ShortText]
    severity: Mapped[Annotated[int, Ge(1), Le(5)]]
    visit: Mapped[Visit] = relationship(back_populates="lines")


def pages() -> list[Page]:
    """Return the pages, for an app of its own each time."""
    return [
        Page(Job, offline=True, list=["name", "amount"], sort=["-amount"]),
        Page(Visit, offline=True, form=["name", "score", "lines", "signature", "remarks"]),
    ]


app = App("Jobs", Base, pages=pages())
