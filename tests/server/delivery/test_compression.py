"""Files travel in the best encoding that there is by now (R9)."""

import gzip
import threading
from pathlib import Path

import brotli
import pytest

from fieldpost_server.delivery import compression
from fieldpost_server.delivery.compression import BROTLI, GZIP, Compression, Plain
from fieldpost_server.packing.cache import Cache

CONTENT = b"a line of a wheel\n" * 1000
BROWSER = "gzip, deflate, br, zstd"


@pytest.fixture
def plain() -> Plain:
    return Plain("0" * 64, CONTENT)


def best(made: Compression, plain: Plain, accepted: str = BROWSER) -> tuple[str, bytes] | None:
    found = made.packed(plain, accepted)
    return (found.encoding, found.content) if found else None


def settle(made: Compression) -> None:
    """Wait until what is made beside the serving is made."""
    worker = made._worker
    if worker:
        worker.join(60)


def test_gzip_at_once_and_brotli_soon(plain: Plain, tmp_path: Path) -> None:
    """The first who asks does not wait for the best, whoever comes later gets it."""
    made = Compression(Cache(tmp_path))

    first = best(made, plain)
    settle(made)
    later = best(made, plain)

    assert first == (GZIP, gzip.compress(CONTENT, 6, mtime=0))
    assert later == (BROTLI, brotli.compress(CONTENT, quality=11))


def test_nothing_is_compressed_twice(
    plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server of the same machine finds what one has made."""
    Compression(Cache(tmp_path)).make_all([plain])
    monkeypatch.delattr(brotli, "compress")
    monkeypatch.delattr(compression, "_gzip")

    another = Compression(Cache(tmp_path))

    assert BROTLI == (best(another, plain) or "")[0]
    assert GZIP == (best(another, plain, "gzip") or "")[0]
    assert (None, {}) == (another._worker, another._held)


def test_a_disk_that_takes_nothing_stops_nothing(plain: Plain) -> None:
    """It is then made by each server for itself, in less time, and held in memory."""
    made = Compression(Cache())

    first = best(made, plain)
    settle(made)
    later = best(made, plain)

    assert first
    assert later == (BROTLI, brotli.compress(CONTENT, quality=9))
    assert {GZIP, BROTLI} == {key.partition("-")[0] for key in made._held}


def test_whoever_asks_is_not_kept_waiting(
    plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While brotli is at work, others are answered; it works on each file once."""
    begun, go_on, runs = threading.Event(), threading.Event(), []
    real = brotli.compress

    def slowly(content: bytes, quality: int) -> bytes:
        runs.append(quality)
        begun.set()
        assert go_on.wait(60)
        return bytes(real(content, quality=quality))

    monkeypatch.setattr(brotli, "compress", slowly)
    made = Compression(Cache(tmp_path))
    best(made, plain)
    assert begun.wait(60)
    meanwhile = [best(made, plain) for _ in range(3)]
    go_on.set()
    settle(made)

    assert [GZIP] * 3 == [each[0] for each in meanwhile if each]
    assert [11] == runs
    assert BROTLI == (best(made, plain) or "")[0]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", None),
        ("identity", None),
        ("gzip", GZIP),
        ("GZIP;q=0.5", GZIP),
        ("br", BROTLI),
        ("br;q=0, gzip", GZIP),
        ("br;q=0.000,gzip;q=0", None),
        ("gzip, deflate, br, zstd", BROTLI),
        ("gzip;q=1.0, br; q=0.1", BROTLI),
        ("brotli, x-gzip", None),
        ("br;gzip", None),
        ("*", None),
        ("," * 1000, None),
    ],
)
def test_what_a_browser_takes(
    plain: Plain, tmp_path: Path, accepted: str, expected: str | None
) -> None:
    """Nobody gets an encoding that she has not named, or has refused."""
    made = Compression(Cache(tmp_path))
    made.make_all([plain])

    assert expected == (best(made, plain, accepted) or (None,))[0]


def test_what_is_short_stays_as_it_is(tmp_path: Path) -> None:
    """What fits into a packet gains nothing."""
    made = Compression(Cache(tmp_path))
    short = Plain("1" * 64, b"x" * 999)
    made.make_all([short])

    assert None is best(made, short)
    assert [] == list(tmp_path.iterdir())
