"""What a page lets be done, at every depth, to new records and to those that are there (R34)."""

import itertools
from typing import Any

import pytest

from apps import tenants
from apps.sender import Chain
from fieldpost.users import User
from fieldpost.wire.envelope import Operation

ANNA = User("anna", "", frozenset({"Offline"}))
RIGHTS = [set(r) for n in range(4) for r in itertools.combinations(("create", "edit", "delete"), n)]
MODELS = ("job", "part", "check")
"""The record, its child rows, and those below them."""

NEEDS = {
    # (whose record it is, depth, operation): what it needs; None: nothing allows it
    ("new", "job", "insert"): {"create"},
    ("new", "part", "insert"): {"create"},
    ("new", "check", "insert"): {"create"},
    ("own", "job", "update"): {"edit"},
    ("own", "job", "delete"): {"delete"},
    ("own", "part", "insert"): {"edit"},
    ("own", "part", "update"): {"edit"},
    ("own", "part", "delete"): {"edit"},
    ("own", "check", "insert"): {"edit"},
    ("own", "check", "update"): {"edit"},
    ("own", "check", "delete"): {"edit"},
}
NEEDS_OTHERS: dict[tuple[str, str, str], None] = {
    ("others", model, do): None
    for model, do in itertools.product(MODELS, ("insert", "update", "delete"))
    if (model, do) != ("job", "insert")
}
TABLE: dict[tuple[str, str, str], set[str] | None] = {**NEEDS, **NEEDS_OTHERS}
TEXT = {"job": "title", "part": "text", "check": "result"}
KEYS = {"own": 1, "others": 2}


def fill(session: Any) -> None:
    """Add a job of each worker, with rows below it."""
    for n, owner in ((1, "anna"), (2, "bert")):
        session.add(tenants.Client(id=n, name="c", owner=owner))
        session.flush()
        check = tenants.Check(id=n, result="r")
        part = tenants.Part(id=n, job_id=n, text="t", checks=[check])
        session.add(tenants.Job(id=n, title="j", client_id=n, worker=owner, parts=[part]))


@pytest.fixture
def office(open_office: Any) -> Any:
    """Return a server with two jobs."""
    return open_office(tenants.app, fill, ("client", "job", "part", '"check"'))


def operations(whose: str, model: str, do: str) -> list[Operation]:
    if whose == "new":
        return new_record()[: MODELS.index(model) + 1]
    key, text = KEYS[whose], TEXT[model]
    above = {"part": {"job_id": key}, "check": {"part_id": key}}.get(model, {})
    if do == "insert":
        return [Operation("insert", model, (-9,), {text: "x", **above})]
    if do == "update":
        return [Operation("update", model, (key,), {text: "x"}, {text: TEXT_NOW[model]})]
    return [Operation("delete", model, (key,), {}, {text: TEXT_NOW[model]})]


TEXT_NOW = {"job": "j", "part": "t", "check": "r"}


def new_record() -> list[Operation]:
    return [
        Operation("insert", "job", (-1,), {"title": "x", "client_id": 1, "worker": "anna"}),
        Operation("insert", "part", (-2,), {"text": "x", "job_id": -1}, at="parts[0]"),
        Operation(
            "insert", "check", (-3,), {"result": "x", "part_id": -2}, at="parts[0].checks[0]"
        ),
    ]


def dump(office: Any) -> dict[str, list[Any]]:
    tables = [m.table for m in tenants.app.models.values()]
    return {table.name: office.rows(table.select().order_by(table.c.id)) for table in tables}


@pytest.mark.parametrize("case", TABLE, ids="-".join)
def test_every_operation_needs_its_right(
    office: Any, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, str]
) -> None:
    """Without its right it is refused whole, with whatever others; with it it is done."""
    page, chain = (
        tenants.app.page("job"),
        Chain("d-" + "0" * 8 + "-0000-4000-8000-" + "0" * 12, "anna", tenants.app),
    )
    needed = TABLE[case]
    # those that must be refused first: what is done changes the rows
    for rights in sorted(RIGHTS, key=lambda r: needed is not None and needed <= r):
        for right in ("create", "edit", "delete"):
            monkeypatch.setattr(page, right, right in rights)
        before = dump(office)
        made = chain.next(*operations(*case), page="job")
        receipt = office.home.inbox.receive(made.to_text(), ANNA, chain.device)
        allowed = needed is not None and needed <= rights

        if not allowed:
            assert "forbidden" == receipt.outcome, (rights, receipt.problems)
            assert before == dump(office)
            continue
        assert receipt.is_applied, (rights, receipt.problems)
        assert before != dump(office)
        break


def test_the_table_names_every_case() -> None:
    """Whose record, which depth and what is done: none is left out but what makes no sense."""
    every = set(itertools.product(("new", "own", "others"), MODELS, ("insert", "update", "delete")))
    senseless = {case for case in every if case[0] == "new" and case[2] != "insert"}
    senseless |= {("own", "job", "insert"), ("others", "job", "insert")}

    assert every - senseless == set(TABLE)
