"""One text for a thing: what a list shows of a value, a choice and a message say too (R10, R37)."""

import html
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from apps import clinic, stock
from apps.fakes import ADA, BERTS, FakeBrowser, FakeHome
from apps.fakes import rows as clinic_rows
from apps.stock import Condition, Shelf, Tag, Thing
from fieldpost.app import App
from fieldpost.errors import Code
from fieldpost.home import Submission
from fieldpost.pages import ChildList, Page
from fieldpost.users import User
from fieldpost.web.forms.form_controls import MOST_CHOICES, MOST_REPEATED
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Receipt

VALUES: dict[str, tuple[Any, Any]] = {
    "name": ("Pump", "Pümp"),
    "shelf": (1, 2),
    "condition": (Condition.as_new, Condition.worn),
    "lent": (True, False),
    "due_on": (date(2026, 7, 1), date(2026, 7, 2)),
    "seen_at": (datetime(2026, 7, 1, 8, tzinfo=UTC), datetime(2026, 7, 1, 9, tzinfo=UTC)),
    "price": (Decimal("1.50"), Decimal("20.00")),
    "weight": (0.5, 1e16),
    "pieces": (1, 1200),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_conflict_speaks_as_the_list_does(name: str) -> None:
    """No key, no True, no name of code where people read a title, Yes and a choice's words."""
    field = stock.app.models["thing"].fields[name]
    theirs, mine = VALUES[name]
    home = FakeHome(stock.app)
    home.add(Shelf(id=1, name="Pump", code="A-17"), Shelf(id=2, name="Hose", code="Å-2"))
    home.add(Thing(code="a", **{field.attribute: theirs}))
    home.add(Thing(code="b", **{field.attribute: mine}))
    lines = stock.shown(lambda address: FakeBrowser(home).get(address).text)
    words = {line[0]: line[stock.COLUMNS.index(name)] for line in lines}

    new = {field.attribute: field.codec.encode(mine)}
    result = home.do(
        Operation("update", "thing", ("a",), new, {field.attribute: None}), page="thing"
    )

    (found,) = result.problems
    assert Code.CHANGED_BY_OTHERS is found.code
    assert "" not in words.values()
    assert f"it is now '{words['a']}', this entry says '{words['b']}'." in found.message


def test_a_conflict_names_no_row_that_the_user_may_not_see() -> None:
    """What stands in others' rows is not told by a message either (R67)."""
    home = FakeHome()
    home.add(*clinic_rows())
    home.run_sql(
        clinic.Visit.__table__.update().where(clinic.Visit.id == 1).values(patient_id=BERTS)  # type: ignore[attr-defined]
    )
    was = {"patient_id": str(ADA)}
    result = home.do(Operation("update", "visit", (1,), {"patient_id": str(BERTS)[:-1] + "2"}, was))

    (found,) = result.problems
    assert "it is now 'an entry that is not here', this entry says 'Eric Özil'" in found.message


def test_a_deletion_keeps_the_title_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is called what it was called in the list, also when it is gone (R24)."""
    home = FakeHome(stock.app)
    home.add(Shelf(id=1, name="Pump", code="A-17"))
    titles, commit = [], home.commit

    def noting(user: User, submission: Submission) -> Receipt:
        titles.append(submission.title)
        return commit(user, submission)

    monkeypatch.setattr(home, "commit", noting)
    answer = FakeBrowser(home).post("/pages/shelf/records/1/delete", {})

    assert (303, ["A-17 Pump"]) == (answer.status, titles)


def options(text: str, name: str) -> list[str]:
    """Return the words of a select's options."""
    (inside,) = re.findall(
        rf'<select[^>]* name="{re.escape(name)}"[^>]*>(.*?)</select>', text, re.DOTALL
    )
    return [html.unescape(each) for each in re.findall(r"<option[^>]*>(.*?)</option>", inside)]


def test_choices_have_the_words_and_the_order_of_the_list() -> None:
    """A form offers rows as lists name and sort them, boxes and selects alike (R11, R14)."""
    home = FakeHome(stock.app)
    home.add(*stock.rows())
    browser = FakeBrowser(home)
    lines = stock.shown(lambda address: browser.get(address).text, sort="shelf")
    column = stock.COLUMNS.index("shelf")
    listed = list(dict.fromkeys(line[column] for line in lines if line[column]))
    text = browser.get("/pages/thing/new").text

    offered = [each for each in options(text, "shelf") if each in listed]
    assert listed == list(dict.fromkeys(offered))
    assert ["", "Worn", "As new", "Broken"] == options(text, "condition")


def test_what_a_lookup_is_called_is_said_by_its_relationship() -> None:
    """A label and a hint may stand where the author names the other row (R14)."""
    label = stock.app.models["thing"].fields["shelf"].label

    assert "Where it lies" == label
    assert "Remarks" == stock.app.models["thing"].fields["note"].label


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "Products"
    key: Mapped[str] = mapped_column("ProductKey", String(5), primary_key=True)
    ProductName: Mapped[str]


class Orders(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    product_key: Mapped[str] = mapped_column(ForeignKey("Products.ProductKey"))
    product: Mapped[Product] = relationship(info={"label": "Main product", "hint": "The one."})
    lines: Mapped[list["OrderLine"]] = relationship(cascade="all, delete-orphan")


class OrderLine(Base):
    __tablename__ = "order_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    product_key: Mapped[str] = mapped_column(ForeignKey("Products.ProductKey"))
    product: Mapped[Product] = relationship()


FORM = ("product", ChildList("lines", ["product"]))
shop = App("Shop", Base, pages=[Page(Orders, form=FORM), Page(Product)])
LINES = 14


def shop_with(products: int) -> FakeBrowser:
    """Return a browser of a shop with one order of fourteen lines."""
    home = FakeHome(shop)
    home.add(*(Product(key=f"{n:05}", ProductName=f"Thing {n:05}") for n in range(products)))
    home.add(
        Orders(id=1, product_key="00000"),
        *(OrderLine(id=n, order_id=1, product_key=f"{n:05}") for n in range(1, LINES + 1)),
    )
    return FakeBrowser(home)


@pytest.mark.parametrize(
    ("products", "top", "each", "once"),
    [
        (MOST_REPEATED, MOST_REPEATED, MOST_REPEATED, 0),
        (MOST_REPEATED + 1, MOST_REPEATED + 1, 1, MOST_REPEATED + 1),
        (MOST_CHOICES, MOST_CHOICES, 1, MOST_CHOICES),
        (3_500, 1, 1, 0),
    ],
)
def test_choices_are_not_repeated_in_every_row(
    products: int, top: int, each: int, once: int
) -> None:
    """Few stand in each row, more in the form once, and very many are searched for (R11, R12).

    The row that is chosen is there in any case, so that the form says it without JavaScript.
    """
    text = shop_with(products).get("/pages/orders/records/1/edit").text
    (shared,) = re.findall(r"<template id=.*?>(.*?)</template>", text, re.DOTALL) or [""]

    assert [top, *[each] * LINES] == [
        len([o for o in options(text, name) if o])
        for name in ("product", *(f"lines[{n}].product" for n in range(LINES)))
    ]
    assert once == shared.count("<option")
    assert LINES == text.count(" data-options=") or not once
    assert "Thing 00014" in options(text, "lines[13].product")


@pytest.mark.parametrize("products", [MOST_CHOICES, 3_500])
def test_choices_that_a_row_lacks_are_found_by_words(products: int) -> None:
    """Without JavaScript, too: a search brings rows into the select of its row (R11)."""
    browser = shop_with(products)
    fields = {"lines[0]._key": "[1]", "lines[0].product.find": "thing 0049", "_action": "show"}
    text = browser.post("/pages/orders/records/1/edit", fields).text

    assert 'name="lines[0].product.find"' in text
    expected = [f"Thing {n:05}" for n in range(490, 500)]
    assert expected == [each for each in options(text, "lines[0].product") if each][-10:]


def test_names_of_databases_make_words_that_people_use() -> None:
    """A key is no title where a name stands beside it; one and many are told apart."""
    text = shop_with(3).get("/pages/orders/records/1").text

    assert "Thing 00000" in text
    assert ("Order", "Orders") == (shop.models["orders"].label, shop.pages["orders"].title)
    field = shop.models["orders"].fields["product"]
    assert ("Main product", "The one.") == (field.label, field.hint)
    assert "name" == stock.app.models[Tag.__tablename__].title_attribute


def basket_with(order_by: str) -> tuple[FakeHome, type[Any]]:
    """Return a home whose baskets order their fruit in this way, and the class of fruit."""

    class Other(DeclarativeBase):
        pass

    class Basket(Other):
        __tablename__ = "basket"
        id: Mapped[int] = mapped_column(primary_key=True)
        fruit: Mapped[list["Fruit"]] = relationship(
            cascade="all, delete-orphan", order_by=order_by or False
        )

    class Fruit(Other):
        __tablename__ = "fruit"
        code: Mapped[str] = mapped_column(primary_key=True)
        basket_id: Mapped[int] = mapped_column(ForeignKey("basket.id"))
        name: Mapped[str | None]
        state: Mapped[Condition | None]

    return FakeHome(App("Fruit", Other, pages=[Page(Basket)], language="sv")), Fruit


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("Fruit.name", ["c", "b", "a", "f", "d", "e"]),
        ("Fruit.name.desc()", ["d", "f", "a", "b", "c", "e"]),
        ("Fruit.state", ["b", "e", "a", "d", "c", "f"]),
        ("[Fruit.state.desc(), Fruit.name]", ["c", "a", "d", "b", "e", "f"]),
        ("Fruit.code.desc()", ["f", "e", "d", "c", "b", "a"]),
        ("", ["a", "b", "c", "d", "e", "f"]),
    ],
)
def test_child_rows_stand_as_the_author_orders_them(order_by: str, expected: list[str]) -> None:
    """Texts by the app's language, choices as declared, nothing last, and ties by the key (R36)."""
    home, cls = basket_with(order_by)
    basket = home.app.models["basket"]
    states: list[Condition | None] = [*Condition, None]
    worn, as_new, broken, none = states
    home.add(basket.cls(id=1))
    for code, name, state in [
        ("f", "Öl", none),
        ("e", None, worn),
        ("d", "öring", as_new),
        ("c", "apple", broken),
        ("b", "Banan", worn),
        ("a", "Zitron", as_new),
    ]:
        home.add(cls(code=code, basket_id=1, name=name, state=state))
    with home.session() as session:
        rows = basket.children_of(session.get(basket.cls, 1), "fruit", home.app.models["fruit"])

        assert expected == [row.code for row in rows]
