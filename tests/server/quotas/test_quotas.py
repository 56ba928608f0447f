"""Quotas by user and day: counted before the work is done, true for all processes (R34, R66)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import Code, InputError
from fieldpost_server.quotas.kinds import Kind, limits_of
from fieldpost_server.quotas.quotas import Quotas, seconds_left
from fieldpost_server.quotas.usage import usages
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def taken(quotas: Quotas, kind: Kind, amount: int = 1) -> bool:
    try:
        quotas.take("anna", kind, amount)
    except InputError as error:
        return error.problems[0].code is not Code.QUOTA_USED
    return True


@pytest.fixture
def make(fieldpost_database: Any) -> Callable[..., Quotas]:
    """Return a function that opens quotas as one more process does."""
    return lambda **most: Quotas(fieldpost_database, Settings(**most), lambda: NOON)


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_taken_beyond_a_quota(make: Callable[..., Quotas], kind: Kind) -> None:
    """However many processes and requests ask at the same time, the bound holds."""
    processes = [make(**{f"quota_{kind}": 20}) for _ in range(3)]
    with ThreadPoolExecutor(9) as pool:
        told = list(pool.map(lambda n: taken(processes[n % 3], kind), range(60)))

    assert 20 == told.count(True)


@pytest.mark.parametrize("kind", [k for k in Kind if k.is_bytes])
def test_bytes_are_counted_in_portions(make: Callable[..., Quotas], kind: Kind) -> None:
    """Many pieces are few statements, and what a process counts ahead is never too much."""
    processes = [make(**{f"quota_{kind}": 1000}) for _ in range(2)]
    told = [taken(processes[n % 2], kind, 7) for n in range(200)]
    spent = 7 * told.count(True)

    assert 1000 - 2 * 20 - 7 < spent <= 1000
    # whatever is left of it, the next day begins anew
    for each in processes:
        each.now = lambda: datetime(2026, 11, 27, 0, 0, 1, tzinfo=UTC)
    assert [True, True] == [taken(each, kind, 500) for each in processes]


def test_a_quota_of_nought_is_none(make: Callable[..., Quotas]) -> None:
    """Whoever wants no bound sets 0, and nothing is counted."""
    quotas = make(quota_devices=0)

    assert [True] * 200 == [taken(quotas, Kind.DEVICES) for _ in range(200)]


@pytest.mark.passes("current-uncommitted", "portion-forgotten", "portion-unused", "quota-counted")
def test_each_user_has_her_own(make: Callable[..., Quotas]) -> None:
    """What one has taken is missing for nobody else."""
    quotas = make(quota_images=1)
    told = [taken(quotas, Kind.IMAGES), taken(quotas, Kind.IMAGES)]
    quotas.take("bert", Kind.IMAGES)

    assert [True, False] == told


@pytest.mark.parametrize(
    ("hour", "minute", "wait"),
    [(0, 0, "24 hours"), (12, 0, "12 hours"), (23, 1, "59 minutes"), (23, 59, "1 minute")],
)
def test_words_say_when_it_is_free_again(
    make: Callable[..., Quotas], hour: int, minute: int, wait: str
) -> None:
    """Whose quota it is, how much it was, and how long to wait."""
    quotas = make(quota_images=3)
    quotas.now = lambda: NOON.replace(hour=hour, minute=minute)
    said = quotas.used_up(Kind.IMAGES)

    assert f"full downloads for today (3) is used up. It is free again in {wait}." in said.message
    assert seconds_left(quotas.now()) == said.detail["seconds"]


@pytest.mark.parametrize("kind", Kind)
def test_defaults_are_generous(kind: Kind) -> None:
    """A day's work of the busiest worker is far below: 500 photos, 200 forms, a new phone."""
    needs = {
        Kind.FILE_BYTES: 500 << 20,
        Kind.ENTRY_BYTES: 10 << 20,
        Kind.UPLOADS: 500,
        Kind.DEVICES: 2,
        Kind.IMAGES: 10,
        Kind.SESSIONS: 10,
    }

    assert limits_of(Settings())[kind] >= 8 * needs[kind]


def test_what_was_taken_is_listed(make: Callable[..., Quotas], fieldpost_database: Any) -> None:
    """Administrators see who is nearest to a quota first; other days do not count."""
    quotas = make(quota_images=4, quota_devices=2)
    for _ in range(2):
        quotas.take("anna", Kind.IMAGES)
        quotas.take("bert", Kind.DEVICES)
    quotas.now = lambda: datetime(2026, 11, 25, tzinfo=UTC)
    quotas.take("carl", Kind.DEVICES)
    with fieldpost_database.read_session() as session:
        found = usages(session, quotas.limits, NOON)

    assert [("bert", 1.0), ("anna", 0.5)] == [(each.user, each.share) for each in found]
    assert ["new devices: 2 of 2", "full downloads: 2 of 4"] == [str(each) for each in found]
    assert [True, False] == [each.is_near for each in found]


def test_a_refusal_counts_nothing(make: Callable[..., Quotas], fieldpost_database: Any) -> None:
    """What did not fit leaves room for what does."""
    quotas = make(quota_file_bytes=100)
    told = [taken(quotas, Kind.FILE_BYTES, n) for n in (60, 60, 40, 1)]
    with fieldpost_database.read_session() as session:
        used = session.scalar(sa.select(tables.quota_use.c.used))

    assert [True, False, True, False] == told
    assert 100 == used
