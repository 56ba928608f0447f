"""Lists on a device: their first rows are read in order, however many there are (R12, R44)."""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from annotated_types import Len
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication import list_indexes
from fieldpost.replication.list_indexes import PREFIX
from fieldpost.text.collation import Order, order_of
from fieldpost.users import User
from fieldpost.web.lists.list_query import PAGE_ROWS, ListQuery, run_list
from fieldpost.wording.text_order import function_name
from fieldpost_client.replica.replica import Replica

ANNA = User("anna", roles=frozenset({"Offline"}))
WORDS = ("Åre", "are", "Ärger", "zoo", "École", "ecole", "  ", "", "1st", "Ω", "straße", "Strasse")


class Base(DeclarativeBase):
    pass


class Spot(Base):
    __tablename__ = "the spot"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(0, 200)] | None]
    seen_on: Mapped[date | None]
    score: Mapped[int | None]


def app_of(*sort: str, language: str = "en") -> App:
    pages = [Page(Spot, offline=True, list=["name", "seen_on", "score"], sort=sort)]
    return App("Spots", Base, pages, language=language)


def rows(count: int) -> list[dict[str, Any]]:
    chosen = random.Random(count)
    return [
        {
            "id": number,
            "name": chosen.choice([None, f"{chosen.choice(WORDS)} {chosen.randrange(99)}"]),
            "seen_on": chosen.choice([None, date(2026, 1, 1) + timedelta(chosen.randrange(300))]),
            "score": chosen.choice([None, chosen.randrange(50)]),
        }
        for number in range(1, count + 1)
    ]


def replica_of(app: App, count: int) -> Replica:
    replica = Replica(app)
    with replica.connection.begin():
        replica.connection.execute(sa.insert(Spot), rows(count))
    return replica


def listed(replica: Replica, **query: Any) -> list[int]:
    page = next(iter(replica.app.pages.values()))
    with Session(replica.connection) as session:
        result = run_list(session, replica.app, page, ANNA, ListQuery(**query))
        return [row.id for row in result.rows]


def every(replica: Replica, count: int, **query: Any) -> list[int]:
    pages = range(1, -(-count // PAGE_ROWS) + 1)
    return [key for number in pages for key in listed(replica, number=number, **query)]


def indexes(replica: Replica) -> set[str]:
    with replica.connection.begin():
        known = "SELECT name FROM sqlite_master WHERE type = 'index'"
        names = replica.connection.exec_driver_sql(known).scalars()
        return {name for name in names if name.startswith(PREFIX)}


def unindexed(replica: Replica) -> Replica:
    """The same rows, and no index that says in which order they are."""
    other = Replica(replica.app, replica.image())
    names = indexes(other)
    with other.connection.begin():
        for name in names:
            other.connection.exec_driver_sql(f"DROP INDEX {name}")
    return other


def steps(replica: Replica, work: Callable[[], object]) -> int:
    """Return how many steps of its machine SQLite takes for something."""
    driver: Any = replica.connection.connection.driver_connection
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    driver.set_progress_handler(count, 10)
    work()
    driver.set_progress_handler(None, 10)
    return 10 * taken


@pytest.fixture(
    params=[("name",), ("-name", "score"), ("-score", "name"), ("seen_on",), ("-seen_on", "-name")],
    ids=",".join,
)
def sort(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def replica(sort: tuple[str, ...]) -> Iterator[Replica]:
    made = replica_of(app_of(*sort), 330)
    yield made
    made.close()


WAITING = ((7,), (300,), (12,))


@pytest.mark.parametrize(
    "query", [{}, {"number": 2}, {"waiting": WAITING}], ids=["first", "second", "work waits"]
)
def test_a_page_of_a_list_costs_the_same_however_many_rows_there_are(
    sort: tuple[str, ...], query: dict[str, Any]
) -> None:
    """Ten times as many rows cost no more than a tenth of that: they are not looked at."""
    app = app_of(*sort)
    few, many = (replica_of(app, count) for count in (400, 4_000))
    listed(few, **query), listed(many, **query)  # schemas and statements are read once

    cost_of_few = steps(few, lambda: listed(few, **query))
    cost_of_many = steps(many, lambda: listed(many, **query))
    assert 0 < cost_of_many < 2 * cost_of_few


def test_an_index_has_the_order_that_sorting_makes(replica: Replica) -> None:
    """What the database reads in order is what it would have sorted."""
    assert every(unindexed(replica), 330) == every(replica, 330)


def test_an_index_follows_what_is_saved(replica: Replica) -> None:
    """Rows that are added, changed and deleted on the device stand where they belong."""
    chosen = random.Random(5)
    with Session(replica.connection) as session, session.begin():
        for row in session.scalars(sa.select(Spot).where(Spot.id % 3 == 0)):
            row.name, row.score = chosen.choice(WORDS), chosen.randrange(50)
        session.execute(sa.delete(Spot).where(Spot.id % 7 == 0))
        session.add_all(Spot(**{**row, "id": row["id"] + 1_000}) for row in rows(40))

    count = 330 - 330 // 7 + 40
    assert count == len(every(replica, count))
    assert every(unindexed(replica), count) == every(replica, count)


def test_rows_that_wait_come_first_once(replica: Replica) -> None:
    """On every page of a list each row stands once, those that wait before all others."""
    usual = every(replica, 330)
    waiting = {key for (key,) in WAITING}

    assert [*(k for k in usual if k in waiting), *(k for k in usual if k not in waiting)] == every(
        replica, 330, waiting=WAITING
    )


def test_pages_full_of_what_waits_are_whole(replica: Replica) -> None:
    """More rows wait than a page has: no page is short, and none shows a row of another."""
    waiting = tuple((key,) for key in range(1, 121))

    found = every(replica, 330, waiting=waiting)
    assert set(range(1, 121)) == set(found[:120])
    assert sorted(every(replica, 330)) == sorted(found)


def test_what_is_no_text_stands_in_an_index(replica: Replica) -> None:
    """A number or bytes in a column of texts stop neither the list nor the index."""
    with replica.connection.begin():
        for value, key in (("5", 6), ("x'61ff62'", 7), ("1e400", 8)):
            sql = f'UPDATE "the spot" SET name = {value} WHERE id = {key}'
            replica.connection.exec_driver_sql(sql)

    assert every(unindexed(replica), 330) == every(replica, 330)


def test_an_image_keeps_its_indexes() -> None:
    """What a device has made once it finds again, and a device of before makes it."""
    app = app_of("name")
    made = replica_of(app, 60)
    names = indexes(made)
    assert 1 == len(names)

    assert names == indexes(Replica(app, made.image()))
    assert names == indexes(Replica(app, unindexed(made).image()))


@pytest.mark.parametrize(
    "after",
    [app_of("-name"), app_of("score"), app_of("name", language="sv"), app_of()],
    ids=["downwards", "another column", "another language", "by the key"],
)
def test_another_order_has_another_index(after: App) -> None:
    """An app that sorts otherwise finds nothing of the former order, and its own."""
    made = replica_of(app_of("name"), 200)
    former, later = indexes(made), Replica(after, made.image())

    assert former.isdisjoint(indexes(later))
    assert bool(next(iter(after.pages.values())).sort) == bool(indexes(later))
    assert every(unindexed(later), 200) == every(later, 200)
    with Session(later.connection) as session, session.begin():
        session.add(Spot(id=999, name="Åre", score=1))
    assert 999 in every(later, 201)


def test_an_order_that_has_more_letters_has_another_name() -> None:
    """What two letters together make is part of an order, and of its function's name."""
    assert function_name(Order("c č")) != function_name(Order("c č|h ch"))
    assert function_name(order_of("cs")) != function_name(order_of("sk"))


def test_tables_that_come_whole_have_their_index(replica: Replica) -> None:
    """Rows that replace all others are in order as well."""
    names = indexes(replica)
    other = [{"id": 1, "name": "zoo", "seen_on": None, "score": 2}]
    other += [{"id": 2, "name": "Åre", "seen_on": "2026-01-02", "score": 1}]
    replica.apply({"replace": ["the spot"], "put": {"the spot": other}})

    assert names == indexes(replica)
    assert every(unindexed(replica), 2) == every(replica, 2)


def test_a_list_without_an_index_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that cannot make an index opens its rows all the same."""
    app = app_of("name")
    image = unindexed(replica_of(app, 70)).image()
    expected = every(Replica(app, image), 70)
    monkeypatch.setattr(list_indexes, "_wanted", lambda _: {f"{PREFIX}x": "nowhere (name)"})

    bare = Replica(app, image)
    assert set() == indexes(bare)
    assert not bare.is_refitted
    assert expected == every(bare, 70)
