"""A small app with all that is hard: every kind of key, field and name, three levels deep."""

import uuid
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
from annotated_types import Ge, Le, Len, MultipleOf
from sqlalchemy import ForeignKey, ForeignKeyConstraint, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import ChildList, Page
from fieldpost.rules import rule
from fieldpost.types import LONG_TEXT, PRIVATE, File, Hint, Label, Photo, Photos, Signature
from fieldpost.users import SUPERVISOR, User, current_user_name

Name = Annotated[str, mapped_column(String(80)), Len(2, 80)]
Points = Annotated[int, Ge(0), Le(100), MultipleOf(5)]
Weight = Annotated[Decimal, mapped_column(Numeric(6, 2)), Ge(0)]


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Kind(StrEnum):
    """What a visit is for."""

    first = "first"
    follow_up = "follow-up"


class Ward(Base):
    """A part of the house: its key is text."""

    __tablename__ = "ward"

    code: Mapped[Annotated[str, mapped_column(String(10))]] = mapped_column(primary_key=True)
    name: Mapped[Name]


class Patient(Base):
    """A person: the key is a UUID, and a patient may have been sent by another."""

    __tablename__ = "patient"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    number: Mapped[Annotated[str, mapped_column(String(20))] | None] = mapped_column(unique=True)
    born_on: Mapped[date | None]
    insured: Mapped[bool] = mapped_column(default=False)
    ward_code: Mapped[str | None] = mapped_column(ForeignKey("ward.code"))
    sent_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("patient.id"))
    secret: Mapped[Annotated[str, PRIVATE] | None]
    carer: Mapped[str] = mapped_column(String(80), default=current_user_name)

    ward: Mapped[Ward | None] = relationship()
    sent_by: Mapped["Patient | None"] = relationship(remote_side="Patient.id")


visited_wards = sa.Table(
    "visit & ward",
    Base.metadata,
    sa.Column("visit", ForeignKey("visit.id"), primary_key=True),
    sa.Column("ward code", ForeignKey("ward.code"), primary_key=True),
)


class Visit(Base):
    """A visit with all kinds of fields: its key is a number that the database counts."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("patient.id"))
    visited_on: Mapped[date]
    starts_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    rang_at: Mapped[time | None]
    kind: Mapped[Kind] = mapped_column(default=Kind.first)
    urgent: Mapped[bool] = mapped_column(default=False)
    weight: Mapped[Weight | None]
    temperature: Mapped[float | None]
    score: Mapped[Annotated[Points, Label("Points of 100"), Hint("In steps of 5.")] | None]
    summary: Mapped[Annotated[str, LONG_TEXT, Len(0, 2000)] | None]
    signature: Mapped[Signature | None]
    sketch: Mapped[Photo | None]
    photos: Mapped[Photos | None]
    report: Mapped[File | None]
    nurse: Mapped[str] = mapped_column(String(80), default=current_user_name)

    patient: Mapped[Patient] = relationship()
    wards: Mapped[list[Ward]] = relationship(secondary=visited_wards)
    orders: Mapped[list["Order"]] = relationship(
        back_populates="visit", cascade="all, delete-orphan", order_by="Order.id"
    )


class Order(Base):
    """What a visit orders: table and columns have names that need quoting."""

    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"))
    group: Mapped[str] = mapped_column("group", String(20))
    share: Mapped[int | None] = mapped_column('50% "done" :x')

    visit: Mapped[Visit] = relationship(back_populates="orders")
    doses: Mapped[list["Dose"]] = relationship(cascade="all, delete-orphan", order_by="Dose.number")


class Dose(Base):
    """One dose of an order: its key holds its parent's."""

    __tablename__ = "dose"

    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[Weight]

    readings: Mapped[list["Reading"]] = relationship(
        cascade="all, delete-orphan", order_by="Reading.value"
    )


class Reading(Base):
    """What was measured after a dose: it points to a key of two parts."""

    __tablename__ = "reading"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "dose_number"], ["dose.order_id", "dose.number"]),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    dose_number: Mapped[int]
    value: Mapped[int]


class Drug(Base):
    """A drug of the house's list, which only doctors may see."""

    __tablename__ = "Drug %s list"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name]


def own_visits(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own visits, and supervisors all of them."""
    return sa.true() if SUPERVISOR in user.roles else Visit.nurse == user.name


def own_patients(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own patients."""
    return Patient.carer == user.name


@rule(Visit)
def urgent_is_explained(visit: Visit) -> "list[tuple[str, str]]":
    """Want a reason for haste, and no order beyond the whole."""
    found = []
    if visit.urgent and not visit.summary:
        found.append(("summary", "Say why it is urgent."))
    found += [
        (f"orders[{index}].share", "Nobody does more than all of it.")
        for index, order in enumerate(visit.orders)
        if (order.share or 0) > 100
    ]
    return found


@rule(Dose)
def dose_is_measured(dose: Dose) -> "list[tuple[str, str]]":
    """Want a dose of something."""
    return [("amount", "A dose of nothing is no dose.")] if not dose.amount else []


app = App(
    "Clinic",
    Base,
    name="clinic",
    roles=["Doctor"],
    pages=[
        Page(
            Visit,
            offline=True,
            scope=own_visits,
            list=["patient", "visited_on", "kind", "score", "weight"],
            form=[
                "patient",
                "visited_on",
                "starts_at",
                "rang_at",
                "kind",
                "urgent",
                "weight",
                "temperature",
                "score",
                "summary",
                "signature",
                "sketch",
                "photos",
                "report",
                "wards",
                ChildList(
                    "orders",
                    [
                        "group",
                        "share",
                        ChildList("doses", ["number", "amount", ChildList("readings", ["value"])]),
                    ],
                ),
                "nurse",
            ],
            sort=["-visited_on"],
        ),
        Page(
            Patient,
            offline=True,
            scope=own_patients,
            list=["name", "number", "born_on", "insured"],
            form=["name", "number", "born_on", "insured", "ward", "sent_by"],
            sort=["name"],
        ),
        Page(Ward, offline=True, read_only=True, list=["code", "name"], sort=["code"]),
        Page(Drug, name="drugs", roles=["Doctor"]),
    ],
)
