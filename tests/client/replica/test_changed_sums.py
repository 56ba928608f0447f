"""What a pull changes is proven by the rows that it names, and no more than that is said."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication.checksum import table_digest
from fieldpost_client.replica import changed_sums
from fieldpost_client.replica.changed_sums import ChangedSums
from fieldpost_client.replica.replica import Replica


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Spot(Base):
    """A row with a key of two parts and a value that no two rows share."""

    __tablename__ = "spot"
    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    mark: Mapped[int | None] = mapped_column(unique=True)


class Note(Base):
    """A row with one key."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(20))


APP = App(
    "Spots",
    Base,
    [Page(Spot, offline=True, form=["row", "place", "mark"]), Page(Note, offline=True)],
)

Rows = dict[tuple[Any, ...], dict[str, Any]]


def spot(row: int, place: str, mark: int | None) -> dict[str, Any]:
    return {"row": row, "place": place, "mark": mark}


FIRST = [spot(n, "é", n) for n in range(20)]


@pytest.fixture
def replica() -> Iterator[Replica]:
    made = Replica(APP)
    made.apply({"put": {"spot": FIRST, "note": [{"id": 1, "text": "a"}]}})
    yield made
    made.close()


def proven(replica: Replica) -> dict[str, Any]:
    """Return the digests by going through everything."""
    return {name: asyncio.run(replica._digest(known)) for name, known in APP.tables.items()}


def test_what_follows_is_what_is_there(replica: Replica) -> None:
    """After any answers the digest that was followed is that of all rows (R47)."""
    chance = random.Random(1)
    rows = {(r["row"], r["place"]): r for r in FIRST}
    for turn in range(60):
        keys = chance.sample(sorted(rows), min(4, len(rows)))
        gone = [*keys[:2], (99, "nobody")]
        fresh = [spot(chance.randrange(30), chance.choice("éa"), 1_000 + turn)]
        put = [rows[key] | {"mark": 2_000 + 10 * turn + n} for n, key in enumerate(keys[2:])]
        put = [*{(r["row"], r["place"]): r for r in [*put, *fresh]}.values()]
        answer = json.loads(
            json.dumps({"put": {"spot": put}, "remove": {"spot": [list(k) for k in gone]}})
        )
        for key in gone:
            rows.pop(key, None)
        rows |= {(r["row"], r["place"]): r for r in put}
        sums = ChangedSums(replica, answer, proven(replica))
        replica.apply(answer)
        wanted = {"spot": table_digest(rows.values())}

        assert {"spot"} == sums.equal(wanted)
        assert [] == asyncio.run(replica.differences(wanted))
        assert set() == sums.equal({"spot": {**wanted["spot"], "sum": "0" * 32}})
        assert set() == sums.equal({"spot": {**wanted["spot"], "count": len(rows) + 1}})


def test_a_row_that_another_has_pushed_out_is_missed(replica: Replica) -> None:
    """A row in the way of a value that no two may share goes: nobody says it is there (R47)."""
    answer = {"put": {"spot": [spot(1, "é", 5)]}}
    sums = ChangedSums(replica, answer, proven(replica))
    replica.apply(answer)
    told = table_digest([r for r in FIRST if r["row"] != 1] + [spot(1, "é", 5)])

    assert set() == sums.equal({"spot": told})


def test_a_row_that_arrives_otherwise_is_found(replica: Replica) -> None:
    """What counts is the row as it is stored, not as it was sent (R47)."""
    answer = {"put": {"note": [{"id": 1, "text": "b"}]}}
    sums = ChangedSums(replica, answer, proven(replica))
    replica.apply({"put": {"note": [{"id": 1, "text": "c"}]}})

    assert set() == sums.equal({"note": table_digest([{"id": 1, "text": "b"}])})


def test_nothing_is_said_of_what_was_not_proven(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables that are new, sent whole, not proven or much changed are gone through (R47)."""
    known = proven(replica)
    put = {"note": [{"id": 1, "text": "a"}], "spot": FIRST[:3]}
    wanted = {name: known[name] for name in put}
    assert {"note", "spot"} == ChangedSums(replica, {"put": put}, known).equal(wanted)

    assert {"spot"} == ChangedSums(replica, {"put": put, "replace": ["note"]}, known).equal(wanted)
    assert {"note"} == ChangedSums(replica, {"put": put}, {"note": known["note"]}).equal(wanted)
    odd = {"put": {**put, "spot": [{"row": 1}]}, "remove": {"nowhere": [[1]]}}
    assert {"note"} == ChangedSums(replica, odd, known).equal(wanted)
    monkeypatch.setattr(changed_sums, "MOST_KEYS", 2)
    assert {"note"} == ChangedSums(replica, {"put": put}, known).equal(wanted)
