"""A scope that fails for somebody shows her nothing, decides nothing, and is named."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apps.clinic import Patient, Visit
from fieldpost.app import App
from fieldpost.errors import DefinitionError
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost_server.scope.replication_plan import TablePlan

Break = Callable[[str, Callable[[Any], Any]], None]


@pytest.fixture
def broken(office: Any, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Return a function that puts another scope on a page."""
    return lambda page, scope: monkeypatch.setattr(office.home.app.pages[page], "scope", scope)


SCOPES: dict[str, Callable[[Any], Any]] = {
    "raises": lambda user: {}[user.name],
    "forgets its return": lambda _: None,
    "returns True": lambda _: True,
}


@pytest.mark.parametrize("kind", SCOPES)
def test_a_failing_scope_sends_no_row_and_stops_no_other_page(
    office: Any, broken: Break, kind: str
) -> None:
    """The first download and every pull bring the other pages, and nothing of this one (R8)."""
    early = office.device("anna")
    broken("visit", SCOPES[kind])
    late = office.device("anna")
    early.ask()

    answer = early.ask(replace=["visit"]).json()

    assert [] == late.read(sa.select(Visit.id))
    assert 2 == len(late.read(sa.select(Patient.id)))
    assert "visit" in answer["failed"]
    assert not any("visit" in answer[part] for part in ("put", "remove", "digests"))


def test_what_arrives_meanwhile_is_not_decided(
    office: Any, broken: Break, visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An envelope is neither refused nor applied while nobody can say whose rows there are."""
    device = office.device("anna")
    sent = device.envelope(visit())
    with monkeypatch.context():
        broken("visit", SCOPES["raises"])
        (before,) = device.push(sent)
        monkeypatch.undo()

    (after,) = device.push(sent)

    assert ("retry", "accepted") == (before["outcome"], after["outcome"])


def test_health_names_the_scope_and_for_whom_it_fails(office: Any, broken: Break) -> None:
    """Whoever looks after the server reads which page it is before a worker meets it (R61)."""
    assert 200 == office.client().get("/health").status_code
    broken("visit", lambda user: {"admin": sa.true(), "dora": sa.true()}[user.name])

    answer = office.client().get("/health")

    assert 503 == answer.status_code
    words = office.health()["checks"]["scopes"]
    assert "that of 'visit' fails for anna (KeyError: 'anna'): correct the app" == words


def test_a_scope_is_tried_without_disturbing_other_threads() -> None:
    """While one app is made, comparisons elsewhere stay what they are to SQLAlchemy's users."""
    tried, looked = Event(), Event()
    usual = sa.BinaryExpression.__bool__

    class Base(DeclarativeBase):
        pass

    class House(Base):
        __tablename__ = "house"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]

    def scope(user: User) -> Any:
        tried.set()
        assert looked.wait(10)
        return House.owner == user.name and House.id > 0

    def define() -> str:
        with pytest.raises(DefinitionError) as caught:
            App("Houses", Base, pages=[Page(House, scope=scope)])
        return str(caught.value)

    with ThreadPoolExecutor(1) as other:
        said = other.submit(define)
        assert tried.wait(10)
        same, different = bool(House.owner == House.owner), bool(House.owner == House.id)
        replaced = sa.BinaryExpression.__bool__ is not usual
        looked.set()

    assert (True, False, False) == (same, different, replaced)
    assert "takes the comparison 'house.owner = :owner_1' for a value of Python" in said.result()


def test_a_table_that_nothing_grants_is_empty(office: Any) -> None:
    """What titles ask of a table opens none of its rows: without a grant there is no row (R8)."""
    model = office.home.app.models["visit"]
    plan = TablePlan(model, always=set(model.readable))

    with office.database.read_session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(model.table))
        assert [] == list(plan.read(session))
