"""Data to try the app with: believable, and the same on every run."""

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.types import Attachment
from inspections.models import (
    SEVERE,
    Contractor,
    Equipment,
    Finding,
    Inspection,
    Site,
    SiteKind,
    Status,
    Weather,
)
from inspections.server import pictures
from inspections.server.places import EQUIPMENT, FAULTS, FIRMS, PEOPLE, REMARKS, SITE_WORDS, TOWNS

TODAY = date(2026, 11, 23)
"""The day that all dates are counted from."""

SITES = 200
INSPECTIONS = 1000
WORKERS = ("worker1", "worker2")
VISITS = INSPECTIONS // SITES


def seed(session: Session) -> bool:
    """Fill an empty database with sites, inspections and all else; the caller commits.

    Field workers `worker1` and `worker2` get half of the towns each. The rows refer to
    `attachments()`, which the caller stores.

    Returns:
        Whether rows were added: none are where there is a site already.
    """
    if session.scalar(sa.select(Site.id).limit(1)) is not None:
        return False
    chance = random.Random("Fieldpost")
    sites = _sites(chance)
    session.add_all(sites)
    session.add_all(_contractors(chance))
    session.flush()
    visits = [visit for site in sites for visit in _visits(chance, site)]
    # in the order of time, so that keys grow as they would have
    visits.sort(key=lambda visit: visit.inspected_on)
    session.add_all(visits)
    _take_along(random.Random("Equipment"), session, visits)
    session.flush()
    return True


def attachments() -> tuple[tuple[Attachment, bytes], ...]:
    """Return the signatures and photos that the rows refer to, with their content."""
    return pictures.pictures()


def _sites(chance: random.Random) -> list[Site]:
    streets = [(town, street) for town, (_, names) in TOWNS.items() for street in names]
    places = list(product(streets, SiteKind))
    return [
        Site(
            name=f"{street} {SITE_WORDS[kind]}",
            kind=kind,
            street=f"{street} {chance.randrange(1, 120)}",
            town=town,
            contact=chance.choice(PEOPLE) if chance.random() < 0.8 else None,
            phone=_phone(chance, town),
            opened_on=TODAY - timedelta(days=chance.randrange(1_500, 18_000)),
        )
        for (town, street), kind in sorted(chance.sample(places, SITES))
    ]


def _take_along(chance: random.Random, session: Session, visits: list[Inspection]) -> None:
    """Give each inspection the equipment that its kind of site asks for, and some more."""
    tools = {name: Equipment(name=name) for name in EQUIPMENT}
    session.add_all(tools.values())
    for visit in visits:
        usual = [name for name, kinds in EQUIPMENT.items() if visit.site.kind in kinds]
        taken = chance.sample(usual, min(len(usual), chance.randrange(1, 4)))
        if chance.random() < 0.3:
            taken.append("Camera with flash")
        visit.equipment = [tools[name] for name in tools if name in taken]


def _phone(chance: random.Random, town: str) -> str:
    return f"{TOWNS[town][0]} {chance.randrange(200, 999)} {chance.randrange(10, 99)} 0"


def _contractors(chance: random.Random) -> list[Contractor]:
    towns = list(TOWNS)
    found = []
    for name, trade in FIRMS:
        town = chance.choice(towns)
        mailbox = "".join(c for c in name.lower() if c.isascii() and c.isalpha())
        found.append(
            Contractor(
                name=name,
                trade=trade,
                town=town,
                phone=_phone(chance, town),
                email=f"office@{mailbox}.example",
                hourly_rate=Decimal(chance.randrange(380, 920)) / 10,
                approved_until=TODAY + timedelta(days=chance.randrange(-60, 900)),
            )
        )
    return found


def _visits(chance: random.Random, site: Site) -> list[Inspection]:
    """Visit a site about every half year; the last visit may be open still."""
    worker = WORKERS[list(TOWNS).index(site.town) % len(WORKERS)]
    day = TODAY - timedelta(days=chance.randrange(0, 160) + 182 * (VISITS - 1))
    found = []
    for number in range(VISITS):
        is_last = number == VISITS - 1
        following = day + timedelta(days=chance.randrange(170, 195))
        is_open = is_last and chance.random() < 0.45
        found.append(_visit(chance, site, worker, day, following, is_open=is_open))
        # never later than today
        day = min(following, TODAY - timedelta(days=chance.randrange(0, 20)))
    return found


def _visit(
    chance: random.Random, site: Site, worker: str, day: date, following: date, *, is_open: bool
) -> Inspection:
    findings = _findings(chance, site.kind, day, is_recent=(TODAY - day).days < 100)
    points = 100 - sum(3 * f.severity + chance.randrange(0, 4) for f in findings)
    signature: Attachment | None = None
    if not is_open:
        half = pictures.SIGNATURES // 2
        own = pictures.signatures()[WORKERS.index(worker) * half :][:half]
        signature = chance.choice(own)[0]
    return Inspection(
        site=site,
        inspected_on=day,
        status=Status.open if is_open else Status.closed,
        weather=_weather(chance, day),
        score=None if is_open and chance.random() < 0.6 else points,
        next_due_on=None if is_open else following,
        remarks=chance.choice(REMARKS) if chance.random() < 0.5 else None,
        signature=signature,
        assignee=worker,
        findings=findings,
    )


def _weather(chance: random.Random, day: date) -> Weather:
    in_winter = day.month in (12, 1, 2)
    return chance.choices(list(Weather), weights=(6, 3, 3 if in_winter else 0, 1))[0]


def _findings(
    chance: random.Random, kind: SiteKind, day: date, *, is_recent: bool
) -> list[Finding]:
    count = chance.choices(range(5), weights=(30, 32, 22, 11, 5))[0]
    found = []
    for area, note, severity, cost in chance.sample(FAULTS[kind], count):
        is_severe = severity >= SEVERE
        wanted = chance.choices((1, 2), weights=(4, 1))[0] if is_severe else chance.random() < 0.2
        shots = [photo for photo, _ in chance.sample(pictures.photos(), int(wanted))]
        found.append(
            Finding(
                area=area,
                note=note,
                severity=severity,
                photos=shots or None,
                due_on=day + timedelta(days=7 if is_severe else 14 * chance.randrange(2, 9)),
                cost=Decimal(cost * chance.randrange(80, 130)) / 100,
                resolved=chance.random() < (0.25 if is_recent else 0.92),
            )
        )
    return found
