"""Many-to-many: linked rows in forms, envelopes and replay, with keys of every kind (R14, R36)."""

import html
import json
import re
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from apps import clinic, depot
from apps.depot import BERTS, PLANE, SAW, Gadget, Order, Slot, Town
from apps.fakes import ANNA, BERT, FakeBrowser, FakeHome
from apps.fakes import rows as clinic_rows
from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError
from fieldpost.odp.replay.links import Links
from fieldpost.odp.replay.result import Result
from fieldpost.pages import Page
from fieldpost.schema.associations import MOST_LINKS
from fieldpost.schema.fields import Kind
from fieldpost.users import User
from fieldpost.web.display.linked_rows import MOST_BOXES
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

NEW = str(uuid.UUID(int=50))
P, S, B = [str(PLANE)], [str(SAW)], [str(BERTS)]


@pytest.fixture
def home() -> FakeHome:
    """A home with gadgets of two people, slots, towns and two orders."""
    made = FakeHome(depot.app)
    for some in depot.rows():
        made.add(*some)
    with made.session() as session:
        depot.links(session)
        session.commit()
    return made


def do(home: FakeHome, *operations: Operation, page: str = "order") -> Result:
    return home.do(*operations, page=page)


def linked(home: FakeHome, attribute: str, key: Any = 1, cls: Any = Order) -> set[Any]:
    """Return the keys of all linked rows, whoever may see them."""
    with home.session() as session:
        row = session.get_one(cls, key)
        found = {sa.inspect(other).identity for other in getattr(row, attribute)}
        return {key[0] if len(key) == 1 else key for key in found}


def seen(home: FakeHome, attribute: str, user: User = ANNA) -> set[Any]:
    """Return the keys of the rows that order 1 is linked to, as a user sees them."""
    with home.session() as session:
        model = depot.app.model_of(Order)
        found = Links(session, depot.app, user).keys(
            model.links[attribute], model, session.get_one(Order, 1)
        )
        return {key[0] for key in found}


def edit(attribute: str, new: Any, was: Any, key: Any = 1) -> Operation:
    return Operation("update", "order", (key,), {attribute: new}, {attribute: was})


def tool(number: int) -> Gadget:
    return Gadget(id=uuid.UUID(int=number), name=f"Tool {number}", owner="anna")


def told(result: Result) -> tuple[Outcome, list[tuple[Code, str]]]:
    return result.outcome, [(p.code, p.path) for p in result.problems]


# replay


@pytest.mark.parametrize(
    ("page", "operation", "cls", "key", "expected"),
    [
        (
            "order",
            Operation("insert", "order", (-7,), {"name": "New", "gadgets": [S, P]}),
            Order,
            3,
            {"gadgets": {PLANE, SAW}},
        ),
        (
            "order",
            Operation("insert", "order", (-7,), {"name": "x", "slots": [["N", 1], ["S,", 2]]}),
            Order,
            3,
            {"slots": {("N", 1), ("S,", 2)}},
        ),
        (
            "order",
            Operation("insert", "order", (-7,), {"name": "x", "after": [[1], [2]]}),
            Order,
            3,
            {"after": {1, 2}},
        ),
        (
            "gadget",
            Operation(
                "insert", "Gadget", (str(uuid.UUID(int=50)),), {"name": "x", "towns": [["A/1"]]}
            ),
            Gadget,
            uuid.UUID(int=50),
            {"towns": {"A/1"}},
        ),
        (
            "shelf-slot",
            Operation(
                "insert",
                "shelf slot",
                ("W", 3),
                {"aisle": "W", "number": 3, "name": "x", "towns": [["A/1"], ["b 2"]]},
            ),
            Slot,
            ("W", 3),
            {"towns": {"A/1", "b 2"}},
        ),
    ],
)
def test_new_rows_are_linked_whatever_their_keys(
    home: FakeHome, page: str, operation: Operation, cls: Any, key: Any, expected: dict[str, Any]
) -> None:
    """Counted, UUID, text and composite keys link in any combination (R14, R36)."""
    assert (Outcome.ACCEPTED, []) == told(do(home, operation, page=page))

    for attribute, keys in expected.items():
        assert keys == linked(home, attribute, key, cls)


@pytest.mark.parametrize(
    ("new", "was", "outcome", "expected"),
    [
        # nobody else changed anything
        ([P, S], [P], Outcome.ACCEPTED, {PLANE, SAW}),
        ([], [P], Outcome.ACCEPTED, set()),
        # others added the plane meanwhile
        ([S], [], Outcome.MERGED, {PLANE, SAW}),
        # others took the saw away meanwhile
        ([], [S], Outcome.MERGED, {PLANE}),
        ([S], [S], Outcome.MERGED, {PLANE}),
        # both wanted the same
        ([P], [], Outcome.ACCEPTED, {PLANE}),
        ([], [P, S], Outcome.MERGED, set()),
    ],
)
def test_additions_and_removals_of_both_sides_count(
    home: FakeHome, new: Any, was: Any, outcome: Outcome, expected: set[Any]
) -> None:
    """Links are sets: both sides' changes hold, and never meet in a conflict (R37)."""
    assert (outcome, []) == told(do(home, edit("gadgets", new, was)))

    assert expected == seen(home, "gadgets")
    # what Anna may not see is kept
    assert expected | {BERTS} == linked(home, "gadgets")


def test_links_and_other_fields_merge_side_by_side(home: FakeHome) -> None:
    """A conflict in another field leaves the links as they were (R30, R37)."""
    operation = Operation(
        "update",
        "order",
        (1,),
        {"gadgets": [P, S], "amount": 5},
        {"gadgets": [P], "amount": 4, "name": "First"},
    )

    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "amount")]) == told(do(home, operation))
    assert {PLANE} == seen(home, "gadgets")


@pytest.mark.parametrize("key", [B, [str(uuid.UUID(int=404))]])
def test_a_row_that_is_gone_or_not_the_users_cannot_be_linked(home: FakeHome, key: Any) -> None:
    """Who guesses a key learns nothing, not even that there is such a row (R34, R67)."""
    result = do(home, edit("gadgets", [P, key], [P]))
    new = do(home, Operation("insert", "order", (-1,), {"name": "x", "gadgets": [key]}))

    assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, "gadgets")]) == told(result)
    assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, "gadgets")]) == told(new)
    assert {PLANE, BERTS} == linked(home, "gadgets")


def test_what_a_user_cannot_see_she_cannot_take_away(home: FakeHome) -> None:
    """A link to somebody else's row stays, even where its key was guessed (R34)."""
    do(home, edit("gadgets", [], [P, B]))

    assert {BERTS} == linked(home, "gadgets")


def test_a_deleted_row_that_nobody_touches_is_no_hindrance(home: FakeHome) -> None:
    """What was seen linked and is deleted meanwhile stands in nobody's way (R37)."""
    gone = [str(uuid.UUID(int=404))]

    assert (Outcome.MERGED, []) == told(do(home, edit("gadgets", [P, S, gone], [P, gone])))
    assert {PLANE, SAW} == seen(home, "gadgets")


def test_temporary_keys_are_resolved_within_links(home: FakeHome) -> None:
    """New rows are linked by what becomes of them, across envelopes (R31)."""
    first = do(home, Operation("insert", "order", (-7,), {"name": "Early"}))
    second = do(
        home,
        Operation("insert", "order", (-8,), {"name": "Late", "after": [[-7], [1]]}),
        Operation("insert", "order", (-9,), {"name": "Last", "after": [[-8]]}),
    )
    third = do(home, edit("after", [[-7]], [[-7], [1]], -8))

    assert [Outcome.ACCEPTED] * 3 == [first.outcome, second.outcome, third.outcome]
    assert {3} == linked(home, "after", 4)
    assert {4} == linked(home, "after", 5)


def test_a_link_to_what_has_not_arrived_waits(home: FakeHome) -> None:
    """An envelope that links to a row of one that is missing waits for it (R27, R31)."""
    waiting = do(home, edit("after", [[-7]], []))
    assert (Outcome.WAITING, [(Code.PREDECESSOR_MISSING, "")]) == told(waiting)

    do(home, Operation("insert", "order", (-7,), {"name": "Early"}))

    assert Outcome.ACCEPTED is do(home, edit("after", [[-7]], [])).outcome
    assert {3} == linked(home, "after")


def test_a_child_row_has_links_of_its_own(home: FakeHome) -> None:
    """Rows below others are linked as well, with their place in the form (R13)."""
    part = {"name": "Part", "inside_id": 1, "gadgets": [S]}
    good = do(home, Operation("insert", "order", (-7,), part, at="parts[0]"))
    bad = do(home, Operation("insert", "order", (-8,), {**part, "gadgets": [B]}, at="parts[1]"))

    assert Outcome.ACCEPTED is good.outcome
    assert {SAW} == linked(home, "gadgets", 3)
    assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, "parts[1].gadgets")]) == told(bad)


@pytest.mark.parametrize(
    "data", ["x", {}, 1, [1], ["x"], [[]], [["no id"]], [[None]], [P, [str(PLANE), 1]], [[[1]]]]
)
def test_what_is_no_list_of_keys_is_refused_at_its_field(home: FakeHome, data: Any) -> None:
    """Whatever comes instead is said at the field (R16, R66)."""
    result = do(home, edit("gadgets", data, [P]))

    assert (Outcome.INVALID, [(Code.NOT_A_CHOICE, "gadgets")]) == told(result)


def test_too_many_links_are_refused(home: FakeHome) -> None:
    """A list of links is bounded (R66)."""
    many = [[str(uuid.UUID(int=n))] for n in range(MOST_LINKS + 1)]

    assert (Outcome.INVALID, [(Code.TOO_LONG, "gadgets")]) == told(
        do(home, edit("gadgets", many, [P]))
    )


def test_a_record_with_very_many_links_can_be_edited_and_deleted() -> None:
    """What other programs linked stays as it is until somebody takes it out (R14, R66).

    A form shows some of the boxes, and keeps the other rows linked without one.
    """
    home = FakeHome()
    home.add(*clinic_rows(), *(clinic.Ward(code=f"W{n}", name=f"Ward {n}") for n in range(1_200)))
    links = [{"visit": 1, "ward code": f"W{n}"} for n in range(1_200)]
    home.run_sql(sa.insert(clinic.visited_wards).values(links))
    browser = FakeBrowser(home)
    text = browser.get("/pages/visit/records/1/edit").text
    assert MOST_BOXES == len(boxes(text, "wards"))
    assert f"And {1_200 - MOST_BOXES} more." in text

    answer = browser.post("/pages/visit/records/1/edit", form_of(text))
    assert "done=unchanged" in answer.headers["location"]

    more = [("wards.find", "1199"), ("_action", "show")]
    found = browser.post("/pages/visit/records/1/edit", [*form_of(text), *more]).text
    without = [pair for pair in form_of(found) if pair != ("wards", '["W1199"]')]
    assert 303 == browser.post("/pages/visit/records/1/edit", without).status
    assert {f"W{n}" for n in range(1_199)} == linked(home, "wards", 1, clinic.Visit)

    assert 303 == browser.post("/pages/visit/records/1/delete", {}).status
    assert None is home.get(clinic.Visit, 1)


def test_numbers_that_no_key_column_holds_are_gone_rows(home: FakeHome) -> None:
    """A key beyond the column is a row that is not there (R66)."""
    result = do(home, edit("after", [[1 << 62]], []))

    assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, "after")]) == told(result)


def test_rules_see_the_links_as_they_will_be(home: FakeHome) -> None:
    """A rule counts what is linked after the merge, on every home (R15)."""
    more = [uuid.UUID(int=n) for n in (20, 21)]
    home.add(*(Gadget(id=key, name="More", owner="anna") for key in more))
    keys = [P, S, *([str(key)] for key in more)]

    # with Bert's it would be five
    assert (Outcome.INVALID, [(Code.RULE, "gadgets")]) == told(do(home, edit("gadgets", keys, [P])))
    assert {PLANE, BERTS} == linked(home, "gadgets")


def test_deleting_takes_the_links_along(home: FakeHome) -> None:
    """A record goes with its links, and leaves what it was linked to (R19)."""
    do(home, edit("after", [[2]], []))
    was = {"gadgets": [P], "slots": [["N", 1]], "after": [[2]]}

    assert (Outcome.ACCEPTED, []) == told(do(home, Operation("delete", "order", (1,), {}, was)))
    assert home.get(Order, 1) is None
    assert home.get(Gadget, PLANE) is not None
    with home.session() as session:
        for table in (depot.order_gadgets, depot.order_slots, depot.order_orders):
            assert 0 == session.scalar(sa.select(sa.func.count()).select_from(table))


def test_deleting_what_others_linked_meanwhile_is_a_conflict(home: FakeHome) -> None:
    """Nobody's link disappears without anybody having seen it (R37)."""
    result = do(home, Operation("delete", "order", (1,), {}, {"gadgets": []}))

    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "")]) == told(result)


def test_a_row_that_others_are_linked_to_cannot_go(home: FakeHome) -> None:
    """A delete is refused naming how many rows are linked to it (R19)."""
    do(home, Operation("update", "Gadget", (str(PLANE),), {"towns": [["A/1"]]}, {"towns": []}),
            page="gadget")  # fmt: skip
    result = do(home, Operation("delete", "town", ("A/1",)), page="town")

    assert (Outcome.INVALID, [(Code.STILL_REFERRED_TO, "")]) == told(result)
    assert {"model": "Gadget", "count": 1} == result.problems[0].detail
    assert home.get(Town, "A/1") is not None


def test_a_row_that_knows_its_links_takes_them_along(home: FakeHome) -> None:
    """Where both sides have the relationship, either may go (R19)."""
    result = do(home, Operation("delete", "Gadget", (str(PLANE),)), page="gadget")

    assert (Outcome.ACCEPTED, []) == told(result)
    assert {BERTS} == linked(home, "gadgets")


# forms, views and lists


def form_of(text: str) -> list[tuple[str, str]]:
    """Return what a page's form posts untouched, every ticked box of it."""
    form = re.search(r'<form class="record".*?</form>', text, re.DOTALL)
    assert form is not None
    pairs = []
    for tag in re.findall(r"<input\b.*?>", form[0], re.DOTALL):
        marks = dict(re.findall(r'(\w+)="(.*?)"', tag))
        is_box = marks.get("type") == "checkbox"
        if marks.get("name") and (not is_box or re.search(r"\bchecked\b", tag)):
            pairs.append((marks["name"], html.unescape(marks.get("value", ""))))
    return pairs


def boxes(text: str, name: str) -> dict[str, bool]:
    """Return the words of a field's boxes, and which are ticked."""
    found = re.findall(rf'<input type="checkbox" name="{name}"(.*?)> <span>(.*?)</span>', text)
    return {html.unescape(words): "checked" in marks for marks, words in found}


def test_a_form_has_a_box_for_each_row_that_may_be_linked(home: FakeHome) -> None:
    """Boxes are in the order of titles, ticked where linked, none for others' rows (R14, R67)."""
    text = FakeBrowser(home).get("/pages/order/records/1/edit").text

    assert {"Plane": True, "Saw": False} == boxes(text, "gadgets")
    assert ["Plane", "Saw"] == list(boxes(text, "gadgets"))
    assert {"North one": True, "South two": False} == boxes(text, "slots")
    assert "<legend>Gadgets to bring</legend>" in text
    assert "As many as you can carry." in text
    assert str(BERTS) not in text


def test_a_form_that_was_not_touched_saves_nothing(home: FakeHome) -> None:
    """Links that stay as they are make no envelope, those out of sight included (R18)."""
    browser = FakeBrowser(home)
    answer = browser.post(
        "/pages/order/records/1/edit", form_of(browser.get("/pages/order/records/1/edit").text)
    )

    assert (303, []) == (answer.status, home.envelopes)
    assert answer.headers["location"].endswith("done=unchanged")


def test_boxes_become_links(home: FakeHome) -> None:
    """Ticked boxes are linked, others are not, with everything else of the form (R14)."""
    browser = FakeBrowser(home)
    pairs = form_of(browser.get("/pages/order/records/1/edit").text)
    pairs = [(n, v) for n, v in pairs if (n, v) != ("slots", '["N", 1]')]
    answer = browser.post(
        "/pages/order/records/1/edit",
        [*pairs, ("gadgets", json.dumps(S)), ("slots", '["S,", 2]')],
    )

    assert 303 == answer.status
    (operation,) = home.envelopes[0].operations
    assert {"gadgets": [P, S], "slots": [["S,", 2]]} == operation.set
    assert ([P], [["N", 1]]) == (operation.was["gadgets"], operation.was["slots"])
    assert {PLANE, SAW, BERTS} == linked(home, "gadgets")
    assert {("S,", 2)} == linked(home, "slots")


def test_the_last_box_can_be_unticked(home: FakeHome) -> None:
    """No box ticked is an answer (R14)."""
    browser = FakeBrowser(home)
    pairs = form_of(browser.get("/pages/order/records/1/edit").text)
    browser.post(
        "/pages/order/records/1/edit", [(n, v) for n, v in pairs if n != "gadgets" or not v]
    )

    assert set() == seen(home, "gadgets")


def test_many_rows_are_searched_and_ticked_ones_kept(home: FakeHome) -> None:
    """Beyond fifty rows the form finds them by words, and forgets none that is ticked (R11)."""
    home.add(*map(tool, range(100, 160)))
    browser = FakeBrowser(home)
    text = browser.get("/pages/order/records/1/edit").text
    assert {"Plane": True} == boxes(text, "gadgets")

    pairs = [*form_of(text), ("gadgets.find", "ool 14"), ("gadgets", json.dumps(S))]
    found = browser.post("/pages/order/records/1/edit", [*pairs, ("_action", "show")]).text
    expected = {"Plane": True, "Saw": True} | {f"Tool {n}": False for n in (114, *range(140, 150))}
    assert expected == boxes(found, "gadgets")

    assert 303 == browser.post("/pages/order/records/1/edit", form_of(found)).status
    assert {PLANE, SAW} == seen(home, "gadgets")


def test_a_form_that_comes_back_keeps_its_boxes(home: FakeHome) -> None:
    """With a problem elsewhere nothing ticked is lost, and rules speak at the field (R16)."""
    home.add(tool(20), tool(21))
    keys = [json.dumps([str(uuid.UUID(int=n))]) for n in (1, 2, 20, 21)]
    answer = FakeBrowser(home).post(
        "/pages/order/new", [("name", "x"), ("amount", "many"), *(("gadgets", k) for k in keys)]
    )

    assert 422 == answer.status
    assert all(boxes(answer.text, "gadgets").values())
    assert "Nobody carries more than three." in answer.text
    assert 'href="#f-gadgets"' in answer.text


@pytest.mark.parametrize("value", ["x", "[", '{"a": 1}', "7"])
def test_a_box_that_was_forged_is_refused(home: FakeHome, value: str) -> None:
    """What is no key is a problem at the field, not a crash (R66)."""
    answer = FakeBrowser(home).post("/pages/order/new", [("name", "x"), ("gadgets", value)])

    assert 422 == answer.status
    assert "Gadgets to bring is not one of the choices" in answer.text


def test_views_and_lists_say_in_words_what_is_linked(home: FakeHome) -> None:
    """Titles of linked rows stand in view and list, those of others' rows in neither (R67)."""
    do(home, edit("gadgets", [P, S], [P]))
    browser = FakeBrowser(home)

    for text in (browser.get("/pages/order/records/1").text, browser.get("/pages/order").text):
        assert "Plane, Saw" in text
        assert "Berts own" not in text
    assert "Berts own" in FakeBrowser(home, BERT).get("/pages/order/records/1").text


def test_a_list_names_some_and_counts_the_rest(home: FakeHome) -> None:
    """A cell stays short however many rows are linked (R12)."""
    home.add(*(Town(code=f"t{n}", name=f"Town {n}") for n in range(9)))
    do(
        home,
        Operation(
            "update",
            "Gadget",
            (str(PLANE),),
            {"towns": [[f"t{n}"] for n in range(9)]},
            {"towns": []},
        ),
        page="gadget",
    )

    text = FakeBrowser(home).get("/pages/gadget").text
    assert "Town 0, Town 1, Town 2, Town 3, Town 4 and 4 more" in text


@pytest.mark.parametrize(
    ("words", "found"), [("plane", 1), ("NORTH plane", 1), ("saw", 0), ("berts", 0), ("second", 1)]
)
def test_lists_are_searched_by_linked_titles(home: FakeHome, words: str, found: int) -> None:
    """Search finds what a list shows, and nothing that it does not (R10, R67)."""
    text = FakeBrowser(home).get(f"/pages/order?q={words.replace(' ', '+')}").text

    assert found == len(re.findall(r'<td data-label="Name">', text))


def test_sorting_by_links_is_ignored(home: FakeHome) -> None:
    """A set has no order to sort by."""
    assert 200 == FakeBrowser(home).get("/pages/order?sort=-gadgets").status


def test_links_with_text_keys_work_beside_child_lists() -> None:
    """A form with three levels has links too, in both directions of its envelope (R13, R14)."""
    home = FakeHome()
    home.add(*clinic_rows())
    browser = FakeBrowser(home)
    text = browser.get("/pages/visit/records/1/edit").text
    assert {"Heart": False, "Ärzte": False} == boxes(text, "wards")

    operation = Operation(
        "update", "visit", (1,), {"wards": [["A 1/2"], ["B"]]}, {"wards": [], "score": 50}
    )
    assert Outcome.ACCEPTED is do(home, operation, page="visit").outcome
    assert {"A 1/2", "B"} == linked(home, "wards", 1, clinic.Visit)
    assert "Ärzte, Heart" in browser.get("/pages/visit/records/1").text


# definitions


class Base(DeclarativeBase):
    pass


def association(name: str, *more: sa.Column[Any], key: bool = True) -> sa.Table:
    return sa.Table(
        name,
        Base.metadata,
        sa.Column("team_id", ForeignKey("team.id"), primary_key=key),
        sa.Column("skill_id", ForeignKey("skill.id"), primary_key=key),
        *more,
    )


class Skill(Base):
    __tablename__ = "skill"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Grade(Base):
    __tablename__ = "grade"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    skill_id: Mapped[int] = mapped_column(ForeignKey("skill.id"), primary_key=True)


by_name = sa.Table(
    "by_name",
    Base.metadata,
    sa.Column("team_id", ForeignKey("team.id"), primary_key=True),
    sa.Column("skill", ForeignKey("skill.name"), primary_key=True),
)
longs = association("long")
plain = association("plain", sa.Column("note", sa.Text), sa.Column("n", sa.Integer, default=1))


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    skills: Mapped[list[Skill]] = relationship(
        secondary=plain, info={"required": True, "label": "What they can do"}
    )
    levels: Mapped[list[Skill]] = relationship(
        secondary=association("levels", sa.Column("level", sa.Integer, nullable=False))
    )
    doubles: Mapped[list[Skill]] = relationship(secondary=association("doubles", key=False))
    graded: Mapped[list[Skill]] = relationship(secondary="grade")
    named: Mapped[list[Skill]] = relationship(secondary=by_name)
    shown: Mapped[list[Skill]] = relationship(secondary=association("shown"), viewonly=True)
    long: Mapped[list[Skill]] = relationship(
        secondary=longs,
        secondaryjoin=lambda: sa.and_(Skill.id == longs.c.skill_id, Skill.id > 5),
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "levels",
            "nothing fills in the column 'level' of 'levels'. Make that table a model of its own",
        ),
        ("doubles", "the primary key of 'doubles' must be its two foreign keys"),
        ("graded", "the table 'grade' is a model of its own. Show that as a child list."),
        ("named", "'by_name' must have a foreign key to the primary key of either side"),
        ("shown", "it is view-only, or goes through more than one table"),
        ("long", "it has a condition of its own. Leave it out of the form."),
    ],
)
def test_an_association_that_is_more_than_two_keys_is_refused_in_words(
    name: str, words: str
) -> None:
    """An author reads at once which relationship cannot be a field, why, and what to do (R14)."""
    with pytest.raises(DefinitionError) as caught:
        App("Work", Base, pages=[Page(Team, form=["skills", name])])

    (problem,) = caught.value.problems
    assert problem.message.startswith(f"Team.{name} cannot be filled in: ")
    assert words in problem.message


def test_a_plain_association_is_a_field() -> None:
    """Columns that fill themselves in are no hindrance; label and duty come from `info` (R14)."""
    app = App("Work", Base, pages=[Page(Team)])
    field = app.pages["team"].layout.fields["skills"]

    assert (Kind.LINKS, "What they can do", True) == (field.kind, field.label, field.required)
    assert ["skills"] == list(app.models["team"].links)
    assert ["plain"] == list(app.link_tables)


@pytest.mark.parametrize("new", [None, []])
def test_links_may_be_required(new: Any) -> None:
    """A field that wants at least one linked row says so, on both ways (R16)."""
    home = FakeHome(App("Work", Base, pages=[Page(Team, form=["skills"])]))
    given = {} if new is None else {"skills": new}
    result = do(home, Operation("insert", "team", (-1,), given), page="team")

    assert (Outcome.INVALID, [(Code.REQUIRED, "skills")]) == told(result)
    answer = FakeBrowser(home).post("/pages/team/new", [("skills", "")])
    assert "Fill in What they can do." in answer.text
