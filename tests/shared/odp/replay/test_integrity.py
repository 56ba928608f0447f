"""New parents and their children are written at once where that keeps them in order."""

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.odp.replay.integrity import is_written_first
from fieldpost.schema.models import models_of


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan")


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))


class Team(Base):
    """Refers to one of those who refer to it."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    head_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    members: Mapped[list["Member"]] = relationship(
        cascade="all, delete-orphan", foreign_keys="Member.team_id"
    )


class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    parts: Mapped[list["Member"]] = relationship(cascade="all, delete-orphan")
    whole_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))


MODELS: Any = models_of(Base)


def test_a_parent_is_written_before_its_children() -> None:
    """SQLAlchemy writes new parents first where the child refers to them, and only there (R36)."""
    assert is_written_first(MODELS["order"], MODELS["line"])
    assert not is_written_first(MODELS["line"], MODELS["order"])
    assert not is_written_first(MODELS["order"], MODELS["member"])


def test_a_circle_has_no_order() -> None:
    """Tables that refer to each other, or to themselves, have no order to rely on (R36)."""
    assert not is_written_first(MODELS["team"], MODELS["member"])
    assert not is_written_first(MODELS["member"], MODELS["member"])
