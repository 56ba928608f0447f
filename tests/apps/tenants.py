"""Tenants: workers who must not see each other's clients, and a page that only one role opens."""

from collections.abc import Callable
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import ChildList, Page
from fieldpost.types import PRIVATE, PUBLIC, READ_ONLY, File
from fieldpost.users import User, current_user_name

Name = Annotated[str, mapped_column(String(120))]
Note = Annotated[str, PRIVATE]
Rating = Annotated[int, READ_ONLY]
Season = Annotated[str, mapped_column(String(120)), PUBLIC]


class Base(DeclarativeBase):
    """The tables of this app."""


class Client(Base):
    """Scoped: each worker sees her own clients only."""

    __tablename__ = "client"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name]
    owner: Mapped[Name] = mapped_column(default=current_user_name)
    iban: Mapped[Name | None]  # in the table, in no form
    note: Mapped[Note | None]
    rating: Mapped[Rating | None]

    def __str__(self) -> str:
        return self.name


class Salary(Base):
    """Has a page for the role Boss only."""

    __tablename__ = "salary"
    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[Name]
    amount: Mapped[int]
    season: Mapped[Season | None]

    def __str__(self) -> str:
        return self.said()

    def said(self) -> str:
        """Return the words for it."""
        return self.person


class Job(Base):
    """Points to both of them."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[Name]
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    paid_by_id: Mapped[int | None] = mapped_column(ForeignKey("salary.id"))
    worker: Mapped[Name] = mapped_column(default=current_user_name)
    hidden_flag: Mapped[Name | None]
    files: Mapped[File | None]
    client: Mapped[Client] = relationship()
    paid_by: Mapped[Salary | None] = relationship()
    parts: Mapped[list["Part"]] = relationship(
        cascade="all, delete-orphan", back_populates="job", order_by="Part.id"
    )

    def __str__(self) -> str:
        return self.title


class Part(Base):
    """A child row of a job."""

    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    text: Mapped[Name]
    cost: Mapped[Name | None]  # in no form
    job: Mapped[Job] = relationship(back_populates="parts")
    checks: Mapped[list["Check"]] = relationship(cascade="all, delete-orphan")


class Check(Base):
    """A row two levels below a job."""

    __tablename__ = "check"
    id: Mapped[int] = mapped_column(primary_key=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("part.id"))
    result: Mapped[Name]


class Incident(Base):
    """May be added, never changed or deleted."""

    __tablename__ = "incident"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[Name]
    reporter: Mapped[Name] = mapped_column(default=current_user_name)
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan", order_by="Line.id")


class Line(Base):
    """A child row of an incident."""

    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    text: Mapped[Name]


class Ledger(Base):
    """Is on no page, and nothing points to it."""

    __tablename__ = "ledger"
    id: Mapped[int] = mapped_column(primary_key=True)
    entry: Mapped[Name]


def mine(column: Any) -> Callable[[User], Any]:
    """Return the scope of a field worker's own rows; others see all."""
    return lambda user: column == user.name if user.is_field_worker else sa.true()


app = App(
    "Tenants",
    Base,
    name="tenants",
    roles=["Boss"],
    pages=[
        Page(
            Client,
            offline=True,
            scope=mine(Client.owner),
            list=["name"],
            form=["name", "rating", "owner"],
        ),
        Page(
            Job,
            offline=True,
            scope=mine(Job.worker),
            list=["title", "client"],
            form=[
                "title",
                "client",
                "paid_by",
                ChildList("parts", ["text", ChildList("checks", ["result"])]),
                "files",
                "worker",
            ],
        ),
        Page(
            Incident,
            offline=True,
            scope=mine(Incident.reporter),
            edit=False,
            delete=False,
            form=["what", "lines", "reporter"],
        ),
        Page(Salary, roles=["Boss"], list=["person", "amount", "season"]),
        # of all clients the office reads what they are called and how they are rated
        Page(Client, name="rated", roles=["Boss"], list=["name", "rating"], form=["name"]),
    ],
)
