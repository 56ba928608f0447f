"""What an author describes is checked at once and in words; fields follow from models."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import annotated_types as at
import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from apps.clinic import Dose, Kind, Order, Patient, Reading, Visit, Ward, app
from fieldpost.app import App
from fieldpost.errors import DefinitionError
from fieldpost.pages import Page
from fieldpost.pins import Pin
from fieldpost.schema.column_types import AwareDateTime, ExactDecimal
from fieldpost.schema.fields import Choice
from fieldpost.schema.fields import Kind as FieldKind
from fieldpost.types import PRIVATE


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Annotated[int, PRIVATE] | None]
    boxes: Mapped[list["Box"]] = relationship()

    @property
    def size(self) -> int:
        return len(self.name)

    @hybrid_property
    def shout(self) -> str:
        return self.name + "!"


class Box(Base):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))


PAGES: dict[str, tuple[Callable[[], list[Page]], str]] = {
    "unknown field": (
        lambda: [Page(Shelf, form=["name", "colour"])],
        "Shelf has no field 'colour'. It has: id, name, price, boxes.",
    ),
    "unknown field of the list": (
        lambda: [Page(Shelf, form=["name"], list=["colour"])],
        "Shelf has no field 'colour'. It has: id, name, price, boxes.",
    ),
    "unknown field to sort by": (
        lambda: [Page(Shelf, form=["name"], sort=["-colour"])],
        "Shelf has no field 'colour'. It has: id, name, price, boxes.",
    ),
    "property": (
        lambda: [Page(Shelf, form=["name"], list=["size"])],
        (
            "Shelf.size is computed, and a page shows what is stored, to search and sort it alike "
            "everywhere. Store it in a column, or leave it out. It has: id, name, price, boxes."
        ),
    ),
    "hybrid": (
        lambda: [Page(Shelf, form=["name"], sort=["shout"])],
        (
            "Shelf.shout is computed, and a page shows what is stored, to search and sort it alike "
            "everywhere. Store it in a column, or leave it out. It has: id, name, price, boxes."
        ),
    ),
    "dotted name": (
        lambda: [Page(Shelf, form=["name"], list=["boxes.id"])],
        (
            "Shelf has no field 'boxes.id': a page shows what belongs to its own rows. Name the "
            "relationship, and let its class say in `__str__` what is shown. "
            "It has: id, name, price, boxes."
        ),
    ),
    "private field": (
        lambda: [Page(Shelf, form=["name", "price"])],
        "Shelf.price is private and cannot be in a form.",
    ),
    "never filled in": (
        lambda: [Page(Shelf, form=["id"])],
        (
            "Shelf.name must have a value, but the form does not show it and it has no default. "
            "Add it to the form, give it a default, or set create=False."
        ),
    ),
    "child list without its rows' end": (
        lambda: [Page(Shelf, form=["name", "boxes"])],
        (
            "Shelf.boxes is a child list, so its rows must belong to their parent: give the "
            'relationship cascade="all, delete-orphan".'
        ),
    ),
    "two pages with one name": (
        lambda: [Page(Shelf, form=["name"]), Page(Shelf, form=["name"])],
        "Two pages have the name 'shelf'. Give one of them a name of its own.",
    ),
    "unknown role": (
        lambda: [Page(Shelf, form=["name"], roles=["Boss"])],
        (
            "The page 'shelf' names the role 'Boss', which the app does not have. "
            "Add it to the app's roles."
        ),
    ),
    "class of another base": (
        lambda: [Page(Ward)],
        "Ward does not belong to the app's declarative base.",
    ),
}


@pytest.mark.parametrize("fault", PAGES)
def test_a_faulty_description_is_refused_in_words(fault: str) -> None:
    """An author reads what is wrong and what to do about it when the app starts."""
    pages, words = PAGES[fault]

    with pytest.raises(DefinitionError) as caught:
        App("Store", Base, pages=pages())

    assert [words] == [p.message for p in caught.value.problems]


def test_all_faults_are_said_at_once() -> None:
    """An author does not meet her mistakes one after the other."""
    with pytest.raises(DefinitionError) as caught:
        App("Store", Base, pages=[Page(Shelf, form=["nme", "price"], roles=["Boss"])])

    assert 4 == len(caught.value.problems)


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (Pin(least=3), "must be between 4 and 32: shorter ones are guessed"),
        (Pin(least=65), "must be between 4 and 32: shorter ones are guessed"),
        (Pin(idle=timedelta(seconds=5)), "must be between 15 seconds and a day"),
        (Pin(idle=timedelta(days=2)), "must be between 15 seconds and a day"),
        (Pin(wipe_after=1), "must be between 5 and 100: fingers slip"),
        (Pin(wipe_after=1_000_000), "must be between 5 and 100: fingers slip"),
    ],
)
def test_a_pin_that_helps_nobody_is_refused(pin: Pin, words: str) -> None:
    """A PIN that is guessed, a lock that never comes, and a wipe by a slip of a finger (R55)."""
    with pytest.raises(DefinitionError) as refused:
        App("Shelves", Base, [Page(Shelf)], pin=pin)

    assert words in str(refused.value)


def test_a_pin_travels_as_plain_data() -> None:
    """Devices get what they need of it, in seconds; an app without one says so."""
    pin = Pin(least=8, idle=timedelta(minutes=2), wipe_after=20)

    assert {"least": 8, "idle_s": 120, "wipe_after": 20} == pin.to_json()
    assert App("Shelves", Base, [Page(Shelf)], pin=pin).pin == pin
    assert app.pin is None


def test_mapped_inheritance_is_refused() -> None:
    """What replay could not take apart is refused when the app starts."""

    class Other(DeclarativeBase):
        pass

    class Animal(Other):
        __tablename__ = "animal"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - SQLAlchemy's way

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012

    with pytest.raises(DefinitionError, match="Cat uses mapped inheritance"):
        App("Zoo", Other, pages=[Page(Animal)])


def test_kinds_of_fields_follow_from_the_columns() -> None:
    """Nothing is declared twice: the widget follows from the column's type (R14)."""
    fields = app.models["visit"].fields

    expected = {
        "id": FieldKind.INTEGER,
        "patient": FieldKind.LOOKUP,
        "visited_on": FieldKind.DATE,
        "starts_at": FieldKind.DATETIME,
        "rang_at": FieldKind.TIME,
        "kind": FieldKind.CHOICE,
        "urgent": FieldKind.YES_NO,
        "weight": FieldKind.DECIMAL,
        "temperature": FieldKind.DECIMAL,
        "score": FieldKind.INTEGER,
        "summary": FieldKind.LONG_TEXT,
        "signature": FieldKind.SIGNATURE,
        "sketch": FieldKind.PHOTO,
        "photos": FieldKind.PHOTOS,
        "report": FieldKind.FILE,
        "nurse": FieldKind.TEXT,
        "wards": FieldKind.LINKS,
    }
    assert expected == {name: f.kind for name, f in fields.items()}


def test_labels_and_hints_come_from_the_model() -> None:
    """A label is the author's word for it, or the name in words."""
    fields = app.models["visit"].fields

    assert "Points of 100" == fields["score"].label
    assert "In steps of 5." == fields["score"].hint
    assert "Visited on" == fields["visited_on"].label
    assert "Sent by" == app.models["patient"].fields["sent_by"].label


def test_constraints_come_from_the_annotation_also_inside_an_optional() -> None:
    """What `Annotated` says is the validation, group constraints taken apart (R16)."""
    score = app.models["visit"].fields["score"]

    assert (at.Ge(0), at.Le(100), at.MultipleOf(5)) == score.constraints
    assert not score.required


def test_what_is_required_follows_from_the_columns() -> None:
    """NOT NULL means required, but a box that is not ticked is an answer."""
    fields = app.models["visit"].fields

    required = {name for name, field in fields.items() if field.required}
    assert {"id", "patient", "visited_on", "kind", "nurse"} == required


def test_choices_are_the_enum_by_value() -> None:
    """Enums travel by value and are read in words."""
    choices = app.models["visit"].fields["kind"].choices

    assert (Choice("first", "First"), Choice("follow-up", "Follow up")) == choices
    assert Kind.follow_up == app.models["visit"].fields["kind"].codec.from_text("follow-up")


def test_keys_of_every_sort_are_understood() -> None:
    """Integer keys are counted; UUID, text and composite keys are real from the start (R36)."""
    generated = {name: model.generated_key for name, model in app.models.items()}

    assert {
        "ward": None,
        "patient": None,
        "visit": "id",
        "order": "id",
        "dose": None,
        "reading": None,
        "Drug %s list": "id",
    } == generated
    assert ("order_id", "number") == app.model_of(Dose).key


def test_child_lists_know_how_their_rows_point_to_the_parent() -> None:
    """A link may have several parts."""
    links = app.model_of(Dose).children["readings"].link.pairs

    assert {("order_id", "order_id"), ("dose_number", "number")} == set(links)
    assert "reading" == app.model_of(Reading).name
    assert "patient" == app.model_of(Patient).references["sent_by_id"]


def test_types_that_sqlite_would_spoil_are_replaced() -> None:
    """Decimals stay exact and moments aware on both databases (R36)."""
    table: Any = Visit.__table__

    assert isinstance(table.c.weight.type, ExactDecimal)
    assert isinstance(table.c.starts_at.type, AwareDateTime)


def test_names_that_need_quoting_keep_their_attributes() -> None:
    """A column's name in the database is never a path in a form (R36)."""
    fields = app.model_of(Order).fields

    assert '50% "done" :x' == fields["share"].column.name
    assert isinstance(fields["share"].column.type, sa.Integer)


@pytest.mark.parametrize(
    ("cls", "label", "title"),
    [
        ("Order", "Order", "Orders"),
        ("Orders", "Order", "Orders"),
        ("Company", "Company", "Companies"),
        ("Companies", "Company", "Companies"),
        ("Box", "Box", "Boxes"),
        ("Boxes", "Box", "Boxes"),
        ("Address", "Address", "Addresses"),
        ("Addresses", "Address", "Addresses"),
        ("Status", "Status", "Statuses"),
        ("Statuses", "Status", "Statuses"),
        ("Employee", "Employee", "Employees"),
        ("Employees", "Employee", "Employees"),
        ("Batches", "Batch", "Batches"),
        ("Day", "Day", "Days"),
        ("Series", "Series", "Series"),
        ("OrderDetails", "Order detail", "Order details"),
    ],
)
def test_a_class_may_be_named_for_one_row_or_for_all(cls: str, label: str, title: str) -> None:
    """A page over existing tables reads as people speak: no 'Orderses', no 'New orders'."""
    namespace = {"__tablename__": "rows", "id": mapped_column(sa.Integer, primary_key=True)}
    model = type(cls, (type("Root", (DeclarativeBase,), {}),), namespace)
    page = Page(model)

    App("Rows", model.__mro__[1], pages=[page])

    assert (label, title) == (page.spec.label, page.title)


def test_a_key_of_letters_is_no_title_where_there_is_a_name() -> None:
    """Rows of an existing table are called by their name, whatever its column is called."""

    class Other(DeclarativeBase):
        pass

    class Customers(Other):
        __tablename__ = "Customers"
        CustomerID: Mapped[str] = mapped_column(primary_key=True)
        CompanyName: Mapped[str]
        ContactName: Mapped[str | None]

    class Ticket(Other):
        __tablename__ = "ticket"
        id: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[str]
        customer_name: Mapped[str]

    app = App("Trade", Other, pages=[Page(Customers), Page(Ticket)])

    titles = {name: model.title_attribute for name, model in app.models.items()}
    assert {"Customers": "CompanyName", "ticket": "customer_name"} == titles
