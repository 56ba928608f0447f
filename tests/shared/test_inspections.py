"""The demo app: its rules, its pages and its data."""

import struct
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.rules import broken_rules
from fieldpost.schema.validation import value_problems
from fieldpost.types import Attachment
from fieldpost.users import ADMIN, OFFLINE, User
from inspections.app import app
from inspections.models import (
    Base,
    Contractor,
    Equipment,
    Finding,
    Inspection,
    Site,
    SiteKind,
    Status,
    inspection_equipment,
)
from inspections.server.places import EQUIPMENT
from inspections.server.seed import INSPECTIONS, SITES, TODAY, WORKERS, attachments, seed

PICTURE = Attachment("ab" * 32, 10, "image/png", "picture.png")
OPENED = date(2020, 5, 1)


def an_inspection(**changes: object) -> Inspection:
    site = Site(name="Canal Street footbridge", kind=SiteKind.footbridge, opened_on=OPENED)
    values = {"site": site, "inspected_on": TODAY, "status": Status.open, **changes}
    return Inspection(**values)


def a_finding(**changes: object) -> Finding:
    values = {"severity": 3, "note": "Loose rail", "inspection": an_inspection(), **changes}
    return Finding(**values)


def paths(row: Inspection | Finding) -> list[str]:
    return [problem.path for problem in broken_rules(row)]


@pytest.mark.parametrize(
    ("status", "signature", "expected"),
    [
        (Status.open, None, []),
        (Status.open, PICTURE, []),
        (Status.closed, PICTURE, []),
        (Status.closed, None, ["signature"]),
    ],
)
def test_closed_means_signed(
    status: Status, signature: Attachment | None, expected: list[str]
) -> None:
    """An inspection can be closed only with a signature (R16)."""
    assert expected == paths(an_inspection(status=status, signature=signature))


@pytest.mark.parametrize(
    ("severity", "photos", "expected"),
    [
        (3, None, []),
        (4, None, ["photos"]),
        (5, [], ["photos"]),
        (4, [PICTURE], []),
        (None, None, []),
    ],
)
def test_severe_means_photo(
    severity: int | None, photos: list[Attachment] | None, expected: list[str]
) -> None:
    """A finding of severity 4 or 5 needs a photo (R16)."""
    assert expected == paths(a_finding(severity=severity, photos=photos))


@pytest.mark.parametrize(
    ("inspected_on", "expected"),
    [(OPENED, []), (OPENED - timedelta(days=1), ["inspected_on"]), (None, [])],
)
def test_visit_after_opening(inspected_on: date | None, expected: list[str]) -> None:
    """No site is inspected before the day on which it opened (R16)."""
    assert expected == paths(an_inspection(inspected_on=inspected_on))


@pytest.mark.parametrize(
    ("days", "expected"), [(1, []), (0, ["next_due_on"]), (-1, ["next_due_on"]), (None, [])]
)
def test_next_inspection_later(days: int | None, expected: list[str]) -> None:
    """The next inspection is due after this one (R16)."""
    due = None if days is None else TODAY + timedelta(days=days)

    assert expected == paths(an_inspection(next_due_on=due))


@pytest.mark.parametrize(("days", "expected"), [(1, []), (0, []), (-1, ["due_on"])])
def test_repair_after_inspection(days: int, expected: list[str]) -> None:
    """A repair is not due before the inspection that found the fault (R16)."""
    assert expected == paths(a_finding(due_on=TODAY + timedelta(days=days)))


def test_rules_bear_gaps() -> None:
    """Rules say nothing about a record in which nothing is filled in yet (R16)."""
    assert paths(Inspection()) == []
    assert paths(Finding()) == []


def test_verdicts_say_what_to_do() -> None:
    """The words of a refusal say what to do next."""
    words = [p.message for p in broken_rules(an_inspection(status=Status.closed))]

    assert words == ["Sign the inspection before you close it, or leave its status at Open."]


@pytest.fixture(scope="module")
def seeded() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        assert seed(session)
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def session(seeded: sa.Engine) -> Iterator[Session]:
    with Session(seeded) as opened:
        yield opened


def test_scope_follows_the_user(session: Session) -> None:
    """Field workers see their own inspections, the office and administrators all (R8)."""
    page = app.pages["inspection"]

    def seen(user: User) -> int:
        condition = page.condition(user)
        assert condition is not None
        return session.scalar(sa.select(sa.func.count(Inspection.id)).where(condition)) or 0

    own = [seen(User(name, roles=frozenset({OFFLINE}))) for name in WORKERS]
    assert sum(own) == INSPECTIONS
    assert min(own) > INSPECTIONS // 3
    assert seen(User("office")) == INSPECTIONS
    assert seen(User("admin", roles=frozenset({ADMIN}))) == INSPECTIONS


def test_one_page_to_switch() -> None:
    """One page is not offline by default, for an administrator to switch (R57)."""
    offline = {page.name for page in app.pages.values() if page.offline}

    assert {"contractor"} == set(app.pages) - offline


def test_seeded_data_is_right(session: Session) -> None:
    """No seeded row breaks a rule or a constraint."""
    broken = [
        (model.__name__, str(p))
        for model in (Site, Inspection, Finding, Contractor)
        for row in session.scalars(sa.select(model))
        for p in [
            *broken_rules(row),
            *(
                found
                for field in app.model_of(model).fields.values()
                for found in value_problems(field, getattr(row, field.attribute), field.name)
            ),
        ]
    ]

    assert broken == []


def test_seeded_data_is_complete(session: Session) -> None:
    """The demo has 200 sites and 1,000 inspections, and every picture it refers to exists."""
    assert SITES == session.scalar(sa.select(sa.func.count(Site.id))) == 200
    assert INSPECTIONS == session.scalar(sa.select(sa.func.count(Inspection.id))) == 1000
    drawn = {reference for reference, _ in attachments()}
    closed = sa.select(Inspection.signature).where(Inspection.status == Status.closed)
    used = set(session.scalars(closed))
    for photos in session.scalars(sa.select(Finding.photos)):
        used.update(photos or ())
    assert used <= drawn


def test_pictures_are_whole() -> None:
    """Every drawn PNG holds as many bytes as its size says, in rows without a filter."""
    for reference, content in attachments():
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert reference.size == len(content)
        width, height = struct.unpack(">II", content[16:24])
        start = content.index(b"IDAT")
        (length,) = struct.unpack(">I", content[start - 4 : start])
        pixels = zlib.decompress(content[start + 4 : start + 4 + length])
        assert len(pixels) == (width + 1) * height
        assert set(pixels[:: width + 1]) == {0}


def test_seeded_money_is_exact(session: Session) -> None:
    """Costs are decimals with two places."""
    cost = session.scalars(sa.select(Finding.cost).limit(1)).one()

    assert isinstance(cost, Decimal)
    assert cost.as_tuple().exponent == -2


def test_seed_twice(session: Session) -> None:
    """Seeding again adds nothing."""
    assert not seed(session)
    assert session.scalar(sa.select(sa.func.count(Site.id))) == SITES


def test_seeded_inspections_name_their_equipment(session: Session) -> None:
    """Every inspection was made with some of the office's equipment (R14)."""
    counts = sa.select(sa.func.count(inspection_equipment.c.equipment_id))
    found = session.scalars(counts.group_by(inspection_equipment.c.inspection_id)).all()

    assert INSPECTIONS == len(found)
    assert (1, True) == (min(found), max(found) <= 4)
    assert set(EQUIPMENT) == set(session.scalars(sa.select(Equipment.name)))
