"""What is left out is nowhere needed on devices, or goes along (R9)."""

from pathlib import Path

import pytest

from fieldpost_server.delivery.assets import Assets
from fieldpost_server.packing.archives import unpack
from fieldpost_server.packing.cache import Cache, cache_folder
from fieldpost_server.packing.imports import imports_of
from fieldpost_server.packing.left_out import (
    LIBRARIES,
    NEVER_FOLLOWED,
    STANDARD,
    is_followed,
    module_of,
    part_of,
    standard_part_of,
)
from fieldpost_server.packing.standard_library import StandardLibrary

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
NEVER_COME_BY = {
    ("anyio", "anyio.to_interpreter"): "there is one interpreter",
    ("anyio", "anyio.to_process"): "there are no processes",
    ("anyio._core._sockets", "idna"): "there are no sockets",
    ("fieldpost.odp.replay.statements", "sqlalchemy.dialects.postgresql"): "on PostgreSQL",
    ("micropip._vendored.packaging.src.packaging._manylinux", "ctypes"): "on Linux",
    ("pyodide.webloop", "pyodide._nodesock_transport"): "in Node",
}
"""Which modules of every device name something that is left out, and why they do not miss it."""


def left_out(name: str) -> str | None:
    found = part_of(name)
    return found[1] if found else standard_part_of(name)


@pytest.fixture(scope="module")
def shipped() -> dict[str, tuple[str, bytes]]:
    """Return all modules of a device that needs nothing more: path and source by name."""
    cache = Cache(cache_folder(ROOT / ".data"))
    assets = Assets("inspections.app:app", ROOT / "pwa", ROOT / "node_modules", cache=cache)
    entries = [*assets.manifest["wheels"], *assets.manifest["pyodide"]["files"]]
    return {
        module_of(path)[0]: (path, content)
        for entry in entries
        if entry["url"].endswith((".whl", ".zip"))
        for path, content in unpack(assets.asset(entry["url"])).items()
        if path.endswith(".py")
    }


def test_nothing_that_is_shipped_misses_it(shipped: dict[str, tuple[str, bytes]]) -> None:
    """Whatever imports something that is left out, also late, is known with the reason."""
    found = set()
    for name, (path, content) in shipped.items():
        for each in imports_of(content.decode(), name, is_package=module_of(path)[1]):
            part = left_out(each.name)
            if part and is_followed(name, each.name):
                found.add((name, part))
    # a cookie jar goes along where an app imports what might want one
    found -= {("urllib.request", "http.cookiejar")}

    assert set(NEVER_COME_BY) == found


def test_whatever_is_named_is_there(shipped: dict[str, tuple[str, bytes]]) -> None:
    """Every part that is left out exists, so that a list never speaks of what was long renamed."""
    archive = (ROOT / "node_modules" / "pyodide" / "python_stdlib.zip").read_bytes()
    modules = StandardLibrary(archive, Cache(cache_folder(ROOT / ".data"))).imports
    assert set() == STANDARD - modules.keys()
    edges = {name for each in NEVER_FOLLOWED.values() for name in each}
    assert set() == edges - modules.keys()
    assert [] == [part for parts in LIBRARIES.values() for part in parts if part in shipped]
