"""A small app of keys: counted, UUID, text and composite ones, each pointing to its own kind.

Rows of all kinds are linked many-to-many, and most names need quoting.
"""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import ChildList, Page
from fieldpost.rules import rule
from fieldpost.users import User, current_user_name
from fieldpost.wire.envelope import Operation

Name = Annotated[str, mapped_column(String(80))]


class Base(DeclarativeBase):
    """The declarative base of the app."""


gadget_towns = sa.Table(
    "Gadget in Town",
    Base.metadata,
    sa.Column("Gadget", ForeignKey("Gadget.id"), primary_key=True),
    sa.Column("town %s", ForeignKey("town.code"), primary_key=True),
)

slot_towns = sa.Table(
    "slot_town",
    Base.metadata,
    sa.Column("aisle", String(10), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("town", ForeignKey("town.code"), primary_key=True),
    # filled in by the database, and so no hindrance
    sa.Column("since", sa.Integer, nullable=False, server_default="2026"),
    ForeignKeyConstraint(["aisle", "number"], ["shelf slot.Aisle", "shelf slot.Number #"]),
)

order_slots = sa.Table(
    "order, slot",
    Base.metadata,
    sa.Column("order", ForeignKey("order.id"), primary_key=True),
    sa.Column("slot aisle", String(10), primary_key=True),
    sa.Column("slot number", sa.Integer, primary_key=True),
    ForeignKeyConstraint(
        ["slot aisle", "slot number"], ["shelf slot.Aisle", "shelf slot.Number #"]
    ),
)

order_gadgets = sa.Table(
    "order_gadget",
    Base.metadata,
    sa.Column("order_id", ForeignKey("order.id"), primary_key=True),
    sa.Column("gadget_id", ForeignKey("Gadget.id"), primary_key=True),
)

order_orders = sa.Table(
    "before",
    Base.metadata,
    sa.Column("later", ForeignKey("order.id"), primary_key=True),
    sa.Column("earlier", ForeignKey("order.id"), primary_key=True),
)


class Town(Base):
    """A text key."""

    __tablename__ = "town"

    code: Mapped[Annotated[str, mapped_column(String(20))]] = mapped_column(primary_key=True)
    name: Mapped[Name]
    within_code: Mapped[str | None] = mapped_column(ForeignKey("town.code"))

    within: Mapped["Town | None"] = relationship(remote_side="Town.code")


class Gadget(Base):
    """A UUID key; everybody sees their own only."""

    __tablename__ = "Gadget"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    part_of_id: Mapped[uuid.UUID | None] = mapped_column("Part Of", ForeignKey("Gadget.id"))
    owner: Mapped[Name] = mapped_column(default=current_user_name)

    part_of: Mapped["Gadget | None"] = relationship(remote_side="Gadget.id")
    towns: Mapped[list[Town]] = relationship(secondary=gadget_towns)
    orders: Mapped[list["Order"]] = relationship(secondary=order_gadgets, back_populates="gadgets")


class Slot(Base):
    """A composite key, half text and half number."""

    __tablename__ = "shelf slot"
    __table_args__ = (
        ForeignKeyConstraint(
            ["above aisle", "above number"], ["shelf slot.Aisle", "shelf slot.Number #"]
        ),
    )

    aisle: Mapped[str] = mapped_column("Aisle", String(10), primary_key=True)
    number: Mapped[int] = mapped_column("Number #", primary_key=True)
    name: Mapped[Name]
    above_aisle: Mapped[str | None] = mapped_column("above aisle", String(10))
    above_number: Mapped[int | None] = mapped_column("above number")

    above: Mapped["Slot | None"] = relationship(remote_side=[aisle, number])
    towns: Mapped[set[Town]] = relationship(secondary=slot_towns)


class Order(Base):
    """A counted key, with rows of its own kind below it."""

    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column("group")
    amount: Mapped[int | None] = mapped_column("Amount %s")
    inside_id: Mapped[int | None] = mapped_column("select", ForeignKey("order.id"))

    inside: Mapped["Order | None"] = relationship(remote_side="Order.id", back_populates="parts")
    parts: Mapped[list["Order"]] = relationship(
        back_populates="inside", cascade="all, delete-orphan", order_by="Order.id"
    )
    gadgets: Mapped[list[Gadget]] = relationship(
        secondary=order_gadgets,
        back_populates="orders",
        info={"label": "Gadgets to bring", "hint": "As many as you can carry."},
    )
    slots: Mapped[list[Slot]] = relationship(secondary=order_slots)
    after: Mapped[list["Order"]] = relationship(
        secondary=order_orders,
        primaryjoin=lambda: Order.id == order_orders.c.later,
        secondaryjoin=lambda: Order.id == order_orders.c.earlier,
    )


def own_gadgets(user: User) -> sa.ColumnElement[bool]:
    """Give everybody their own gadgets."""
    return Gadget.owner == user.name


@rule(Order)
def no_more_than_three(order: Order) -> "list[tuple[str, str]]":
    """Want no more gadgets than one can carry."""
    return [("gadgets", "Nobody carries more than three.")] if len(order.gadgets) > 3 else []


app = App(
    "Depot",
    Base,
    name="depot",
    pages=[
        Page(
            Order,
            offline=True,
            list=["name", "gadgets", "slots"],
            form=[
                "name",
                "amount",
                "inside",
                "gadgets",
                "slots",
                "after",
                ChildList("parts", ["name", "amount", "gadgets"]),
            ],
        ),
        Page(
            Gadget,
            offline=True,
            scope=own_gadgets,
            list=["name", "towns"],
            form=["name", "part_of", "towns", "owner"],
        ),
        Page(
            Slot,
            offline=True,
            form=["aisle", "number", "name", "above_aisle", "above_number", "towns"],
        ),
        Page(Town, offline=True, form=["code", "name", "within"], sort=["name"]),
    ],
)


@dataclass(frozen=True)
class Sort:
    """One sort of key: where its rows are, keys of two new rows, and how one points to another.

    Attributes:
        page: the page of its rows.
        model: their table.
        cls: their class.
        keys: of new rows, as envelopes name them; negative numbers are temporary.
        own: attributes that hold the key, where they have to be given.
        pointing: attributes that hold the key of another row, in its order.
    """

    page: str
    model: str
    cls: type[Base]
    keys: tuple[tuple[Any, ...], tuple[Any, ...]]
    own: tuple[str, ...]
    pointing: tuple[str, ...]

    def new(self, which: int, above: Any = None, **more: Any) -> Operation:
        """Return the insert of a new row, below another one where it is named."""
        key = self.keys[which]
        values = {"name": f"New {which}", **dict(zip(self.own, key, strict=False)), **more}
        return Operation("insert", self.model, key, {**values, **self.below(above)})

    def below(self, above: Any) -> dict[str, Any]:
        """Return what points to a key."""
        return {} if above is None else dict(zip(self.pointing, above, strict=True))


SORTS = {
    "counted": Sort("order", "order", Order, ((-7,), (-8,)), (), ("inside_id",)),
    "uuid": Sort(
        "gadget",
        "Gadget",
        Gadget,
        ((str(uuid.UUID(int=51)),), (str(uuid.UUID(int=50)),)),
        (),
        ("part_of_id",),
    ),
    "text": Sort("town", "town", Town, (("Å, %s",), ("a b",)), ("code",), ("within_code",)),
    "composite": Sort(
        "shelf-slot",
        "shelf slot",
        Slot,
        (("W/1", 7), ("E", -7)),
        ("aisle", "number"),
        ("above_aisle", "above_number"),
    ),
}
"""Every sort of key, by name."""

PLANE, SAW, BERTS = (uuid.UUID(int=number) for number in (1, 2, 9))


def rows() -> "list[list[Base]]":
    """Return the rows that a test begins with, those first that others point to."""
    return [
        [
            Town(code="A/1", name="Årup"),
            Town(code="b 2", name="Bo"),
            Slot(aisle="N", number=1, name="North one"),
            Slot(aisle="S,", number=2, name="South two"),
            Gadget(id=PLANE, name="Plane", owner="anna"),
            Gadget(id=SAW, name="Saw", owner="anna"),
            Gadget(id=BERTS, name="Berts own", owner="bert"),
        ],
        [Order(id=1, name="First", amount=1), Order(id=2, name="Second")],
    ]


def links(session: "sa.orm.Session") -> None:
    """Link order 1 to a gadget of Anna's, one of Bert's, and a slot."""
    order = session.get_one(Order, 1)
    order.gadgets = [session.get_one(Gadget, PLANE), session.get_one(Gadget, BERTS)]
    order.slots = [session.get_one(Slot, ("N", 1))]
