"""Sums that a process keeps, for the moments that pulls see, in so much memory and no more."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from fieldpost_server.feed.horizon import Moment
from fieldpost_server.proofs.row_sums import RowSums

MOST_ROWS = 4_000_000
"""Rows of which a process keeps what they came to: 24 bytes each."""
MOST_TABLES = 20_000
"""Tables, each for one user or for all who see the same rows, of which it keeps the sum."""
MOMENTS = 8
"""Snapshots of which sums are kept: pulls at the same time see older and newer ones."""
FOLLOWED = 2
"""Of so many, the newest, what each row came to: the others say only what was there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a table came to in one snapshot, and when that was last counted."""

    moment: Moment
    counted_at: float
    sums: RowSums


class KeptSums:
    """What tables came to, by the query that tells which rows and columns of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[Kept, ...]] = OrderedDict()
        # those of which each row is kept, the next one to lose them first
        self._held: OrderedDict[bytes, int] = OrderedDict()
        self.rows = 0

    def of(self, query: bytes) -> tuple[Kept, ...]:
        """Return what is kept of a query, the newest moment last."""
        # fault point: checksum-looked-up — memory only: the next process counts every table once
        # more.
        with self._lock:
            found = self._known.get(query, ())
            if found:
                self._known.move_to_end(query)
            if query in self._held:
                self._held.move_to_end(query)
            return found

    def keep(self, query: bytes, kept: Kept, *, anew: bool = False) -> None:
        """Keep what a table came to, beside what it came to for earlier snapshots.

        Args:
            query: which rows and columns.
            kept: it.
            anew: it was counted, and owes nothing to what was kept before.
        """
        # fault point: checksum-remembered — memory only, and of a snapshot that was read to its
        # end: a checksum that is lost costs time.
        with self._lock:
            known = self._known.get(query, ())
            former = () if anew else known
            if former and not kept.moment.sees(former[-1].moment):
                # somebody with a newer snapshot was quicker
                return
            if former and former[-1].counted_at > kept.counted_at:
                # it was counted meanwhile: what was brought forward is of sums that it replaced
                return
            if len(former) > 1 and former[-1].sums is former[-2].sums is kept.sums:
                # of moments that came to the same, the first and the last are enough
                former = former[:-1]
            self._forget(query)
            self._known[query] = moments = _thinned((*former, kept)[-MOMENTS:])
            self._hold(query, _rows(moments), again=bool(known))
            while len(self._known) > MOST_TABLES:
                self._forget(next(iter(self._known)))

    def _hold(self, query: bytes, rows: int, *, again: bool) -> None:
        if rows == 0:
            return
        self._held[query] = rows
        # what nobody asked for again goes first: with a scope that asks the clock nobody ever does
        self._held.move_to_end(query, last=again)
        self.rows += rows
        while self.rows > MOST_ROWS and len(self._held) > 1:
            # its sum stays: whoever asks while nothing changes costs nothing
            let_go, number = self._held.popitem(last=False)
            self.rows -= number
            self._known[let_go] = tuple(map(_without_rows, self._known[let_go]))

    def _forget(self, query: bytes) -> None:
        self._known.pop(query, None)
        self.rows -= self._held.pop(query, 0)


def _thinned(moments: tuple[Kept, ...]) -> tuple[Kept, ...]:
    return (*map(_without_rows, moments[:-FOLLOWED]), *moments[-FOLLOWED:])


def _without_rows(kept: Kept) -> Kept:
    return replace(kept, sums=kept.sums.without_rows()) if kept.sums.is_whole else kept


def _rows(moments: tuple[Kept, ...]) -> int:
    """Return of how many rows something is kept, those that moments share once."""
    *earlier, newest = (each.sums for each in moments[-FOLLOWED:])
    return newest.held + sum(each.held_beside(newest) for each in earlier)
