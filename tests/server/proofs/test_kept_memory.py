"""What a process keeps of rows has a bound, and is kept of those who ask again (R66)."""

from dataclasses import replace

import pytest

from fieldpost_server.feed.horizon import Moment
from fieldpost_server.proofs import kept_sums
from fieldpost_server.proofs.kept_sums import Kept, KeptSums
from fieldpost_server.proofs.row_sums import Counter, RowSums

FIRST = Moment("t", 1, 0, 1)


def sums_of(count: int) -> RowSums:
    counter = Counter()
    for number in range(count):
        counter.add(number, number + 1)
    return counter.sums()


def counted(count: int, at: float = 0) -> Kept:
    return Kept(FIRST, at, sums_of(count))


def holds(kept: KeptSums, query: bytes) -> bool:
    return kept.of(query)[-1].sums.is_whole


def test_only_rows_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row too many costs nobody a count while nothing changes."""
    monkeypatch.setattr(kept_sums, "MOST_ROWS", 100)
    kept = KeptSums()
    for number in range(11):
        kept.keep(bytes([number]), counted(10), anew=True)

    assert all(sums_of(10).digest == kept.of(bytes([n]))[-1].sums.digest for n in range(11))
    assert 100 == kept.rows
    assert 10 == sum(holds(kept, bytes([n])) for n in range(11))


def test_what_nobody_asks_for_again_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scope that asks the clock is another query each time: others keep their rows."""
    monkeypatch.setattr(kept_sums, "MOST_ROWS", 100)
    kept = KeptSums()
    kept.keep(b"own", counted(50), anew=True)
    kept.of(b"own")
    for number in range(40):
        kept.keep(bytes([number]), counted(40), anew=True)
    assert holds(kept, b"own")

    # whoever comes later and is asked for again gets the room of those
    kept.keep(b"later", counted(40), anew=True)
    kept.keep(b"later", counted(40, 1), anew=True)
    assert holds(kept, b"own")
    assert holds(kept, b"later")


def test_all_moments_are_in_the_account() -> None:
    """Of older moments the sums are kept alone, and of the last but one what differs."""
    kept, sums = KeptSums(), sums_of(1_000)
    for turn in range(1, 12):
        sums = sums.changed([], {turn * 7: turn})
        kept.keep(b"q", Kept(replace(FIRST, position=turn, newest=turn), 0, sums))
    moments = [each.sums for each in kept.of(b"q")]

    assert [False] * 6 + [True] * 2 == [each.is_whole for each in moments]
    there = {id(bucket): len(bucket) // 24 for each in moments for bucket in each.buckets}
    assert sum(there.values()) == kept.rows
    assert 1_000 < kept.rows < 1_200


def test_nothing_is_left_in_the_account() -> None:
    """What is forgotten is no longer counted as kept."""
    kept = KeptSums()
    kept.keep(b"q", counted(10), anew=True)
    kept.keep(b"q", counted(0, 1), anew=True)

    assert 0 == kept.rows
