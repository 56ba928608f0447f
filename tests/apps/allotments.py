"""An app whose scopes ask other tables, with rows that hang on others by more than their keys."""

from typing import Annotated

import sqlalchemy as sa
from annotated_types import Len
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import ChildList, Page
from fieldpost.users import User

Name = Annotated[str, mapped_column(String(80)), Len(1, 80)]


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Member(Base):
    """Who works on which plots: no page shows it, the scope of plots asks it."""

    __tablename__ = "member"

    id: Mapped[int] = mapped_column(primary_key=True)
    garden: Mapped[Name] = mapped_column(index=True)
    name: Mapped[Name]


class Keeper(Base):
    """Whom a plot belongs to: of a keeper a worker reads the name, and not the phone."""

    __tablename__ = "keeper"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name]
    phone: Mapped[Name | None]

    def __str__(self) -> str:
        return self.name


class Plot(Base):
    """A piece of a garden; what hangs on it points to its label or to its key."""

    __tablename__ = "plot"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[Name] = mapped_column(unique=True)
    garden: Mapped[Name] = mapped_column(index=True)
    keeper_id: Mapped[int | None] = mapped_column(ForeignKey("keeper.id"))

    keeper: Mapped[Keeper | None] = relationship()
    beds: Mapped[list["Bed"]] = relationship(cascade="all, delete-orphan", order_by="Bed.id")
    tools: Mapped[list["Tool"]] = relationship(
        primaryjoin="Plot.label == foreign(Tool.plot_label)",
        cascade="all, delete-orphan",
        order_by="Tool.code",
    )


class Bed(Base):
    """A child row by its parent's key."""

    __tablename__ = "bed"

    id: Mapped[int] = mapped_column(primary_key=True)
    plot_id: Mapped[int] = mapped_column(ForeignKey("plot.id"), index=True)
    crop: Mapped[Name]


class Tool(Base):
    """A child row by something else than its parent's key; its own key is text."""

    __tablename__ = "tool"

    code: Mapped[Annotated[str, mapped_column(String(20))]] = mapped_column(primary_key=True)
    plot_label: Mapped[Name | None] = mapped_column(index=True)
    name: Mapped[Name]


class Job(Base):
    """What somebody has to do: the scope asks nothing but the row."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[Name] = mapped_column(index=True)
    text: Mapped[Name]


def own_gardens(user: User) -> sa.ColumnElement[bool]:
    """Give everybody the plots of the gardens that they are members of."""
    mine = sa.select(Member.id).where(Member.garden == Plot.garden, Member.name == user.name)
    return mine.exists()


def own_jobs(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own jobs."""
    return Job.worker == user.name


app = App(
    "Allotments",
    Base,
    name="allotments",
    roles=["Chief"],
    pages=[
        Page(
            Plot,
            offline=True,
            scope=own_gardens,
            list=["label"],
            form=[
                "label",
                "garden",
                "keeper",
                ChildList("beds", ["crop"]),
                ChildList("tools", ["code", "name"]),
            ],
        ),
        Page(Job, offline=True, scope=own_jobs, form=["text", "worker"]),
        Page(Keeper, roles=["Chief"], form=["name", "phone"]),
    ],
)
