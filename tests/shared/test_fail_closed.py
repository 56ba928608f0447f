"""What decides who sees what, and what is right, never lets anything through by mistake."""

import logging
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Any

import annotated_types as at
import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from apps.clinic import Patient, app
from apps.fakes import ADA, FakeBrowser, FakeHome, rows
from fieldpost.app import App
from fieldpost.definition.scopes import ScopeFailed
from fieldpost.errors import Code, DefinitionError
from fieldpost.pages import Page
from fieldpost.rules import _registered, broken_rules, rule
from fieldpost.schema.validation import value_problems
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

ANNA = User("anna", roles=frozenset({"Offline"}))


class Base(DeclarativeBase):
    pass


class Town(Base):
    __tablename__ = "town"
    name: Mapped[str] = mapped_column(primary_key=True)
    mayor: Mapped[str | None]
    large: Mapped[bool] = mapped_column(default=False)


class House(Base):
    __tablename__ = "house"
    id: Mapped[int] = mapped_column(primary_key=True)
    town_name: Mapped[str | None] = mapped_column(ForeignKey("town.name"))
    owner: Mapped[str | None]
    empty: Mapped[bool] = mapped_column(default=False)
    town: Mapped[Town | None] = relationship()


async def slowly(user: User) -> Any:
    return House.owner == user.name


def forgets_half(user: User) -> Any:
    if user.is_admin:
        return sa.true()
    return None


def keeps_quiet(user: User) -> Any:
    try:
        lost: Any = not (House.owner == user.name)  # noqa: SIM201 - what authors write
        return sa.and_(lost, House.empty)
    except TypeError:
        return sa.true()


REFUSED: dict[str, tuple[Any, str]] = {
    "a forgotten return": (lambda _: None, "returns nothing (None): is a return missing?"),
    "a return forgotten for some": (forgets_half, "for somebody without role, returns nothing"),
    "True": (lambda _: True, "returns True, a value of Python and no condition"),
    "False": (lambda user: House.owner is user.name, "returns False, a value of Python"),
    "a name": (lambda user: user.name, "returns 'somebody' (str), which is no condition"),
    "a list": (lambda user: [House.owner == user.name], "(list), which is no condition"),
    "a function": (lambda user: lambda: House.owner == user.name, "which is no condition"),
    "a query": (lambda _: sa.select(House), "(Select), which is no condition"),
    "a column of text": (lambda _: House.owner, "which is neither true nor false"),
    "SQL as text": (lambda _: sa.text("1 = 1"), "returns SQL as text"),
    "an async function": (slowly, "is async, and nobody waits for it"),
    "no function": (House.empty.is_(True), "and no function. Give a function"),
    "a word": ("mine", "is 'mine' and no function"),
    "a misspelt attribute": (lambda user: House.ownr == user.name, "fails: AttributeError"),  # type: ignore[attr-defined]
    "a misspelt name": (lambda user: Hause.owner == user.name, "fails: NameError"),  # type: ignore[name-defined]  # noqa: F821
    "too few parameters": (sa.true, "fails: TypeError"),
    "and": (
        lambda user: (House.owner == user.name) and House.empty,
        "takes the comparison 'house.owner = :owner_1' for a value of Python",
    ),
    "not": (lambda user: not (House.owner == user.name), "use and_(), or_()"),  # noqa: SIM201 - what authors write
    "in": (lambda user: House.owner in [user.name, ""], "for a value of Python"),
    "or": (lambda user: House.empty.is_(True) or House.owner == user.name, "for a value of Python"),
    "a lost comparison that is hidden": (keeps_quiet, "for a value of Python"),
    "any row of another table": (
        lambda user: Town.mayor == user.name,
        "compares with 'town' without saying which row of it",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_scope_that_cannot_decide_is_refused(mistake: str) -> None:
    """An author whose scope shows everything by mistake reads so when the app is made."""
    scope, words = REFUSED[mistake]

    with pytest.raises(DefinitionError) as caught:
        App("Houses", Base, pages=[Page(House, scope=scope)])

    assert words in str(caught.value)
    assert "'house'" in str(caught.value)


def test_who_measures_goes_on_measuring() -> None:
    """A profiler that runs while an app is made is not taken away."""
    seen: list[str] = []

    def measure(_frame: object, event: str, _: object) -> None:
        seen.append(event)

    sys.setprofile(measure)
    try:
        App("Houses", Base, pages=[Page(House, scope=lambda user: House.owner == user.name)])
        kept = sys.getprofile()
    finally:
        sys.setprofile(None)

    assert measure is kept
    assert seen


TAKEN: dict[str, Callable[[User], Any]] = {
    "a comparison": lambda user: House.owner == user.name,
    "all for some": lambda user: House.owner == user.name if user.is_field_worker else sa.true(),
    "nothing": lambda _: sa.false(),
    "a column of yes and no": lambda _: House.empty,
    "several": lambda user: sa.and_(House.owner == user.name, sa.not_(House.empty)),
    "a relationship": lambda user: House.town.has(Town.mayor == user.name),
    "a list of keys": lambda _: House.id.in_([1, 2]),
    "a subquery": lambda user: House.town_name.in_(
        sa.select(Town.name).where(Town.mayor == user.name)
    ),
    "exists": lambda _: (
        sa.select(1).where(Town.name == House.town_name, Town.large).correlate(House).exists()
    ),
    "who is not known yet": lambda user: House.owner == {"anna": "A"}[user.name],
}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_sound_scope_is_taken(kind: str) -> None:
    """Whatever SQLAlchemy can say as a condition is a scope."""
    page = Page(House, scope=TAKEN[kind])

    App("Houses", Base, pages=[page])

    assert page.condition(ANNA) is not None


BROKEN: dict[str, Callable[[User], Any]] = {
    "raises": lambda user: {"zoe": sa.true()}[user.name],
    "returns nothing": lambda _: None,
    "returns True": lambda _: True,
    "returns no condition": lambda user: user.name,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_scope_that_fails_later_shows_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a scope fails for somebody, her page shows nothing and says so; so does the log."""
    page = app.pages["patient"]
    home = FakeHome()
    home.add(*rows())
    monkeypatch.setattr(page, "scope", BROKEN[kind])

    answer = FakeBrowser(home).get("/pages/patient")

    assert 503 == answer.status
    assert "Nobody can say which records of &#39;patient&#39; are yours" in answer.text
    assert "Ada" not in answer.text
    assert "the scope of the page 'patient' failed for" in caplog.text
    with pytest.raises(ScopeFailed):
        page.condition(ANNA)


def verdicts(check: Callable[[Patient], Any]) -> list[tuple[Code, str, str]]:
    rule(Patient)(check)
    try:
        return [(p.code, p.path, p.message) for p in broken_rules(Patient(name="Ada"))]
    finally:
        kept = [r for r in _registered[Patient] if r.check is not check]
        _registered[Patient][:] = kept


def yields(*found: Any) -> Callable[[Patient], Iterator[Any]]:
    def check(_: Patient) -> Iterator[Any]:
        yield from found

    return check


RULES: dict[str, tuple[Callable[[Patient], Any], list[tuple[Code, str, str]]]] = {
    "nothing": (lambda _: None, []),
    "no verdicts": (lambda _: [], []),
    "words": (lambda _: "Sign it.", [(Code.RULE, "", "Sign it.")]),
    "a field and words": (
        lambda _: ("name", "Sign it."),
        [(Code.RULE, "name", "Sign it.")],
    ),
    "a list": (lambda _: ["Sign it."], [(Code.RULE, "", "Sign it.")]),
    "a generator": (
        yields(("name", "Long."), "Bad."),
        [(Code.RULE, "name", "Long."), (Code.RULE, "", "Bad.")],
    ),
}


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_may_say_it_in_several_ways(kind: str) -> None:
    """A rule that returns its words is understood as one that yields them."""
    check, expected = RULES[kind]

    assert expected == verdicts(check)


UNCLEAR: dict[str, Callable[[Patient], Any]] = {
    "False": lambda _: False,
    "True": lambda _: True,
    "a number": lambda _: 0,
    "a mapping": lambda _: {"name": "Sign it."},
    "yields None": yields(None),
    "yields three": yields(("name", "Sign", "it.")),
    "yields a number at a field": yields(("name", 3)),
    "raises": lambda patient: patient.nme,  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_an_unclear_verdict_is_a_problem(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """What a rule cannot say is not taken for right, and the log has its line."""
    (found,) = verdicts(UNCLEAR[kind])

    assert Code.RULE_FAILED == found[0]
    assert "could not be checked" in found[2]
    assert "failed" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("path", ["nme", "findings[0].note", "orders[3].nonsense", "wards[0]"])
def test_a_rule_that_names_no_field_is_said_of_the_record(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Words that lead to no field stand above the form, and the author finds a line in the log."""

    def check(_: Patient) -> Iterator[tuple[str, str]]:
        yield path, "Sign it."

    caplog.set_level(logging.WARNING)
    rule(Patient)(check)
    try:
        new = {"name": "Zoe", "number": "Z-1"}
        answer = FakeBrowser(FakeHome()).post("/pages/patient/new", new)
    finally:
        _registered[Patient].remove(next(r for r in _registered[Patient] if r.check is check))

    assert 422 == answer.status
    assert "<li>Sign it.</li>" in answer.text
    assert f"names '{path}', which the form of Patient does not show" in caplog.text


def too_short(_: Any, value: Any, *_more: Any) -> Any:
    if value == "xx":
        raise ValueError("A name has more letters.")
    return value


def mistaken(_: Any, value: Any, *_more: Any) -> Any:
    return value.nme if value == "xx" else value


HUNG_ON = {
    too_short: (Code.RULE, "name", "A name has more letters."),
    mistaken: (Code.RULE_FAILED, "name", "'str' object has no attribute 'nme'"),
}


@pytest.mark.parametrize("check", HUNG_ON)
def test_what_an_author_hangs_on_a_value_is_a_problem_there(check: Any) -> None:
    """What SQLAlchemy's `validates` raises is said at its field, of new records and old ones."""
    home = FakeHome()
    home.add(*rows())
    sa.event.listen(Patient.name, "set", check, retval=True)
    try:
        new = Operation("insert", "patient", (str(uuid.uuid4()),), {"name": "xx"})
        old = Operation("update", "patient", (str(ADA),), {"name": "xx"}, {"name": "Ada Ärmel"})
        found = [home.do(each, page="patient") for each in (new, old)]
    finally:
        sa.event.remove(Patient.name, "set", check)

    code, path, words = HUNG_ON[check]
    assert [(Outcome.INVALID, code, path)] * 2 == [
        (each.outcome, each.problems[0].code, each.problems[0].path) for each in found
    ]
    assert all(words in each.problems[0].message for each in found)


WRONG: dict[str, tuple[Any, str]] = {
    "text beside a number": (Annotated[int, at.Ge("1")], "Ge(ge='1')"),
    "a number beside a date": (Annotated[date, at.Le(3)], "Le(le=3)"),
    "a length of a number": (Annotated[int, at.Len(1, 3)], "MinLen(min_length=1)"),
    "a multiple of nothing": (Annotated[int, at.MultipleOf(0)], "MultipleOf(multiple_of=0)"),
    "a limit of a text": (Annotated[str, at.Gt(5)], "Gt(gt=5)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_constraint_that_does_not_fit_is_refused(kind: str) -> None:
    """A constraint that would fail at the first save fails when the app is made."""
    annotation, words = WRONG[kind]

    class Other(DeclarativeBase):
        pass

    namespace = {
        "__tablename__": "thing",
        "__module__": __name__,
        "__annotations__": {"id": Mapped[int], "size": Mapped[annotation]},  # type: ignore[valid-type]
        "id": mapped_column(primary_key=True),
    }
    thing = type("Thing", (Other,), namespace)

    with pytest.raises(DefinitionError, match=r"Thing\.size has the constraint") as caught:
        App("Things", Other, pages=[Page(thing)])
    assert words in str(caught.value)


def test_a_predicate_that_raises_takes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A value that nobody could check is refused in words."""

    class Other(DeclarativeBase):
        pass

    class Thing(Other):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        size: Mapped[Annotated[int, at.Predicate(lambda n: 10 // n > 1)]]

    size = App("Things", Other, pages=[Page(Thing)]).models["thing"].fields["size"]

    (found,) = value_problems(size, 0, "size")
    assert Code.CHECK_FAILED == found.code
    assert "ZeroDivisionError" in found.message
    assert "Traceback" in caplog.text
    assert [] == value_problems(size, 2, "size")
