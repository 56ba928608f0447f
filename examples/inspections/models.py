"""The data of site inspections: sites, inspections with findings, equipment, contractors."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le, Len
from sqlalchemy import Column, ForeignKey, Index, Numeric, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.moments import day_words, today
from fieldpost.types import LONG_TEXT, Hint, Label, Photos, Signature
from fieldpost.users import current_user_name

SEVERE = 4
"""From this severity on a finding endangers people."""

Name = Annotated[str, mapped_column(String(120)), Len(2, 120)]
Phone = Annotated[str, mapped_column(String(40))]
LongText = Annotated[str, LONG_TEXT, Len(0, 4000)]
Percent = Annotated[int, Ge(0), Le(100)]
Severity = Annotated[int, Ge(1), Le(5), Hint("From 1, cosmetic, to 5, danger to life.")]
Money = Annotated[Decimal, mapped_column(Numeric(10, 2)), Ge(0)]


class Base(DeclarativeBase):
    """The declarative base of the app."""


class SiteKind(StrEnum):
    """What stands on a site."""

    playground = "playground"
    footbridge = "footbridge"
    school = "school"
    sports_hall = "sports_hall"
    pumping_station = "pumping_station"
    car_park = "car_park"


class Status(StrEnum):
    """Whether an inspection is finished."""

    open = "open"
    closed = "closed"


class Weather(StrEnum):
    """The weather during an inspection."""

    dry = "dry"
    rain = "rain"
    snow_or_ice = "snow_or_ice"
    strong_wind = "strong_wind"


class Trade(StrEnum):
    """What a contractor does."""

    carpentry = "carpentry"
    electrics = "electrics"
    groundworks = "groundworks"
    metalwork = "metalwork"
    plumbing = "plumbing"
    roofing = "roofing"


class Site(Base):
    """A place that is inspected again and again."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(index=True)
    kind: Mapped[SiteKind]
    street: Mapped[Name]
    town: Mapped[Name] = mapped_column(index=True)
    contact: Mapped[Annotated[Name, Label("Contact person")] | None]
    phone: Mapped[Phone | None]
    opened_on: Mapped[date | None]

    def __str__(self) -> str:
        return self.name


class Equipment(Base):
    """A tool that inspectors take along; the office keeps the list."""

    __tablename__ = "equipment"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(unique=True)

    def __str__(self) -> str:
        return self.name


inspection_equipment = Table(
    "inspection_equipment",
    Base.metadata,
    Column("inspection_id", ForeignKey("inspection.id"), primary_key=True),
    Column("equipment_id", ForeignKey("equipment.id"), primary_key=True, index=True),
)


class Inspection(Base):
    """One visit to a site, with what was found there."""

    __tablename__ = "inspection"
    __table_args__ = (Index("ix_inspection_assignee_inspected_on", "assignee", "inspected_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    inspected_on: Mapped[date] = mapped_column(default=today, index=True)
    status: Mapped[Status] = mapped_column(default=Status.open)
    weather: Mapped[Weather | None]
    score: Mapped[Annotated[Percent, Hint("0 to 100 points; 100 is faultless.")] | None]
    next_due_on: Mapped[date | None] = mapped_column(index=True)
    remarks: Mapped[LongText | None]
    signature: Mapped[Signature | None]
    assignee: Mapped[Annotated[Name, Hint("User name of the inspector.")]] = mapped_column(
        default=current_user_name
    )

    site: Mapped[Site] = relationship()
    equipment: Mapped[list[Equipment]] = relationship(
        secondary=inspection_equipment,
        info={"label": "Equipment used", "hint": "What you measured and tested with."},
    )
    findings: Mapped[list["Finding"]] = relationship(
        back_populates="inspection", cascade="all, delete-orphan", order_by="Finding.id"
    )

    def __str__(self) -> str:
        # a form that is not complete has no site yet
        day = day_words(self.inspected_on) if self.inspected_on else "no day yet"
        return f"{self.site.name if self.site else 'Inspection'}, {day}"


class Finding(Base):
    """One thing that is not as it should be."""

    __tablename__ = "finding"

    id: Mapped[int] = mapped_column(primary_key=True)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspection.id"), index=True)
    area: Mapped[Annotated[Name, Hint("Where on the site.")] | None]
    severity: Mapped[Severity]
    note: Mapped[Annotated[str, mapped_column(String(500)), LONG_TEXT, Len(3, 500)]]
    photos: Mapped[Photos | None]
    due_on: Mapped[Annotated[date, Label("Repair due on")] | None]
    cost: Mapped[Annotated[Money, Label("Estimated cost"), Hint("In euros.")] | None]
    resolved: Mapped[bool] = mapped_column(default=False)

    inspection: Mapped[Inspection] = relationship(back_populates="findings")

    def __str__(self) -> str:
        return self.note


class Contractor(Base):
    """A firm that repairs what inspections find."""

    __tablename__ = "contractor"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(index=True)
    trade: Mapped[Trade]
    town: Mapped[Name]
    phone: Mapped[Phone | None]
    email: Mapped[Annotated[str, mapped_column(String(254)), Label("E-mail")] | None]
    hourly_rate: Mapped[Annotated[Money, Hint("In euros.")] | None]
    approved_until: Mapped[date | None]

    def __str__(self) -> str:
        return self.name
