"""What takes long to make is made once, and never believed where it is damaged (R9)."""

import os
import time
from pathlib import Path

import pytest

from fieldpost_server.packing.cache import UNUSED_DAYS, Cache, cache_folder, key_of


class Maker:
    def __init__(self, content: bytes = b"made") -> None:
        self.times = 0
        self.content = content

    def __call__(self) -> bytes:
        self.times += 1
        return self.content


@pytest.mark.passes("cached-file-half-written")
def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    """Another server of the same machine finds it, and nothing half written lies beside it."""
    make = Maker()
    folder = tmp_path / "new" / "cache"

    assert [b"made"] * 2 == [Cache(folder).made("a-1", make) for _ in range(2)]
    assert 1 == make.times
    assert ["a-1"] == [path.name for path in folder.iterdir()]
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 36])
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: bytes) -> None:
    """A file that was cut off, or holds something else, is not there."""
    cache, make = Cache(tmp_path), Maker()
    cache.made("a", make)
    (tmp_path / "a").write_bytes(damage)

    assert None is cache.get("a")
    assert b"made" == cache.made("a", make) == cache.get("a")
    assert 2 == make.times


def test_a_folder_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    """Where nothing can be kept it is made each time."""
    (tmp_path / "file").write_text("")
    for cache in (Cache(), Cache(tmp_path / "file"), Cache(tmp_path / "file" / "below")):
        make = Maker()
        assert [b"made"] * 2 == [cache.made("a", make) for _ in range(2)]
        assert (2, False) == (make.times, cache.takes())


def test_what_came_with_the_package_is_found_first(tmp_path: Path) -> None:
    """A published wheel brings what was made when it was; nothing is written there."""
    Cache(tmp_path / "ready").keep("a", b"ready")
    cache = Cache(tmp_path / "own", tmp_path / "ready")
    cache.keep("b", b"own")

    assert (b"ready", b"own", None) == (cache.get("a"), cache.get("b"), cache.get("c"))
    assert ["a"] == [path.name for path in (tmp_path / "ready").iterdir()]


@pytest.mark.passes("cache-half-swept")
def test_what_nobody_asks_for_is_deleted(tmp_path: Path) -> None:
    """A cache does not grow with every version that there ever was."""
    cache = Cache(tmp_path)
    for key in ("used", "unused", "fresh"):
        cache.keep(key, b"")
    long_ago = time.time() - (UNUSED_DAYS + 1) * 24 * 3600
    for key in ("used", "unused"):
        os.utime(tmp_path / key, (long_ago, long_ago))
    cache.get("used")

    cache.sweep()

    assert {"used", "fresh"} == {path.name for path in tmp_path.iterdir()}
    Cache(tmp_path / "nowhere").sweep()


def test_where_it_lies(tmp_path: Path) -> None:
    """In the user's own folder for such things; where there is none, with the server's data."""
    (tmp_path / "file").write_text("")
    given = {"XDG_CACHE_HOME": str(tmp_path / "caches")}
    none = {"XDG_CACHE_HOME": str(tmp_path / "file")}

    assert tmp_path / "caches" / "fieldpost" == cache_folder(tmp_path / "data", given)
    assert tmp_path / "data" / "cache" == cache_folder(tmp_path / "data", none)


def test_keys_tell_parts_apart() -> None:
    """Another part, another order and another cut are other keys."""
    cuts: list[list[bytes | str]] = [["ab", b"c"], ["a", "bc"], ["c", "ab"], ["abc"]]
    keys = {key_of("k", parts) for parts in cuts}

    assert 4 == len(keys)
    assert key_of("k", ["a"]) == key_of("k", [b"a"])
