"""What each row of a table came to: what is kept of it so that one that changed can be taken out.

A checksum is a sum, so a row that changes is subtracted as it was and added as it is. As it was is
nowhere in the database any more: it is kept here, in 24 bytes for each row.
"""

import hashlib
import json
import secrets
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fieldpost.replication.checksum import digest_of
from fieldpost.replication.rows import row_to_wire
from fieldpost_server.scope.replication_plan import TablePlan

ROWS_IN_A_BUCKET = 64
CROWDED = 4 * ROWS_IN_A_BUCKET

_MODULUS = 1 << 128
_RECORD = struct.Struct("<Q16s")
_SPREAD = 0x9E37_79B9_7F4A_7C15
_MASK = (1 << 64) - 1
# nobody who chooses keys can choose two of one number
_SECRET = secrets.token_bytes(16)
_text = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Twice(ValueError):
    """Two rows have one key, or none: nobody can say which of them has changed."""


class KeyNumbers:
    """Numbers below 2**64 for the keys of one table: counted keys as they are, others hashed."""

    def __init__(self, entry: TablePlan) -> None:
        self._table = entry.model.table
        self._names = [column.name for column in entry.key_columns]
        kinds = [column.type for column in entry.key_columns]
        self._is_counted = len(kinds) == 1 and isinstance(kinds[0], sa.Integer)

    def of_row(self, wire: Mapping[str, Any]) -> int:
        """Return the number of a row as it travels; raises `Twice` where its key is empty."""
        return self._number([wire[name] for name in self._names])

    def of_key(self, key: tuple[Any, ...]) -> int:
        """Return the number of a key as the change feed gives it; raises as `of_row`."""
        row = dict(zip(self._names, key, strict=True))
        return self._number([*row_to_wire(self._table, row).values()])

    def _number(self, values: list[Any]) -> int:
        if None in values:
            raise Twice
        if self._is_counted and type(values[0]) is int:
            return values[0] & _MASK
        text = _text(values).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=_SECRET).digest(), "little")


@dataclass(frozen=True, slots=True)
class RowSums:
    """Count and sum of a table's rows, and what each came to.

    It never changes: `changed` makes another one, which shares what is the same.

    Attributes:
        count: rows.
        total: the sum of their digests, modulo 2**128.
        buckets: records of number and digest, each in the bucket that its number says.
        is_whole: False where nothing is kept of each row: they have no keys of their own, or there
            was no room.
    """

    count: int
    total: int
    buckets: tuple[bytes, ...] = field(repr=False)
    is_whole: bool = True

    @property
    def digest(self) -> dict[str, Any]:
        """Return count and sum as they travel."""
        return digest_of(self.count, self.total)

    @property
    def held(self) -> int:
        """The number of rows that are kept one by one."""
        return self.count if self.is_whole else 0

    def held_beside(self, other: "RowSums") -> int:
        """Return the number of rows that are kept here, and not in common with another one."""
        if len(self.buckets) != len(other.buckets):
            return self.held
        pairs = zip(self.buckets, other.buckets, strict=True)
        return sum(len(mine) for mine, theirs in pairs if mine is not theirs) // _RECORD.size

    def without_rows(self) -> "RowSums":
        """Return count and sum alone."""
        return RowSums(self.count, self.total, (), is_whole=False)

    def changed(self, gone: Iterable[int], put: Mapping[int, int]) -> "RowSums":
        """Return the sums without the rows of the numbers in `gone`, and then with those in `put`.

        A row in `put` takes the place of the one that had its number.
        """
        touched: dict[int, set[int]] = defaultdict(set)
        for number in {*gone, *put}:
            touched[_bucket(number, len(self.buckets))].add(number)
        buckets, count, total = list(self.buckets), self.count, self.total
        for at, numbers in touched.items():
            kept: list[bytes] = []
            for number, digest in _records(buckets[at]):
                if number in numbers:
                    count, total = count - 1, total - digest
                else:
                    kept.append(_packed(number, digest))
            for number in numbers & put.keys():
                count, total = count + 1, total + put[number]
                kept.append(_packed(number, put[number]))
            buckets[at] = b"".join(kept)
        made = RowSums(count, total % _MODULUS, tuple(buckets))
        return made if count <= CROWDED * len(buckets) else made._spread_out()

    def _spread_out(self) -> "RowSums":
        return RowSums(self.count, self.total, _buckets(b"".join(self.buckets)))


class Counter:
    """Adds up a table's rows, one after the other."""

    def __init__(self) -> None:
        self._records = bytearray()
        self._count = 0
        self._total = 0
        self._is_whole = True

    def add(self, number: int | None, digest: int) -> None:
        """Add a row; None where it has no number."""
        self._count += 1
        self._total += digest
        if number is None:
            self._is_whole = False
        elif self._is_whole:
            self._records += _packed(number, digest)

    def sums(self) -> RowSums:
        """Return what the rows come to."""
        total = self._total % _MODULUS
        if self._is_whole:
            buckets = _buckets(bytes(self._records))
            if not any(map(_has_twice, buckets)):
                return RowSums(self._count, total, buckets)
        return RowSums(self._count, total, (), is_whole=False)


def _buckets(records: bytes) -> tuple[bytes, ...]:
    """Spread records over as many buckets as they need."""
    size = _RECORD.size
    parts = [bytearray() for _ in range(len(records) // size // ROWS_IN_A_BUCKET + 1)]
    for at in range(0, len(records), size):
        number = int.from_bytes(records[at : at + 8], "little")
        parts[_bucket(number, len(parts))] += records[at : at + size]
    return tuple(map(bytes, parts))


def _bucket(number: int, buckets: int) -> int:
    # keys that are counted in steps would all come into a few of them
    return ((number * _SPREAD & _MASK) >> 24) % buckets


def _packed(number: int, digest: int) -> bytes:
    return _RECORD.pack(number, digest.to_bytes(16))


def _records(bucket: bytes) -> Iterator[tuple[int, int]]:
    for number, digest in _RECORD.iter_unpack(bucket):
        yield number, int.from_bytes(digest)


def _has_twice(bucket: bytes) -> bool:
    numbers = [bucket[at : at + 8] for at in range(0, len(bucket), _RECORD.size)]
    return len(set(numbers)) < len(numbers)
