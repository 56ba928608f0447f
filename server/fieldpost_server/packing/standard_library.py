"""Python's standard library as devices get it: Pyodide's, less what nobody there needs."""

import json
from functools import cached_property, lru_cache
from pathlib import Path

from fieldpost_server.packing.archives import pack, unpack
from fieldpost_server.packing.cache import Cache, key_of
from fieldpost_server.packing.imports import Import, imports_of
from fieldpost_server.packing.left_out import FROZEN, module_of, standard_part_of
from fieldpost_server.packing.stripping import strip_file


@lru_cache(maxsize=1)
def recipe() -> str:
    """Return the sources of this room as one text: what is packed by others is another thing."""
    paths = sorted(Path(__file__).parent.glob("*.py"))
    return "".join(path.read_text("utf-8") for path in paths)


class StandardLibrary:
    """Pyodide's ``python_stdlib.zip``, re-packed.

    Args:
        archive: its content.
        cache: where what is made of it is kept.
    """

    def __init__(self, archive: bytes, cache: Cache) -> None:
        self._archive = archive
        self._cache = cache
        self._sources: list[bytes | str] = [recipe(), archive]

    def packed(self, parts: frozenset[str] = frozenset()) -> bytes:
        """Return the archive for devices, with these of the parts that are usually left out."""
        key = key_of("standard", [*self._sources, " ".join(sorted(parts))])
        return self._cache.made(key, lambda: self._pack(parts))

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        """Return of each module of the whole library what it imports."""
        kept = self._cache.made(key_of("imports", self._sources), self._find_imports)
        return {
            name: [Import(each, is_late=late) for each, late in found]
            for name, found in json.loads(kept).items()
        }

    def _pack(self, parts: frozenset[str]) -> bytes:
        return pack(
            {
                path: strip_file(content)
                for path, content in sorted(unpack(self._archive).items())
                if path.endswith(".py") and _is_for_devices(module_of(path)[0], parts)
            }
        )

    def _find_imports(self) -> bytes:
        found = {}
        for path, content in sorted(unpack(self._archive).items()):
            if path.endswith(".py"):
                name, is_package = module_of(path)
                each = imports_of(content.decode("utf-8"), name, is_package=is_package)
                found[name] = sorted({(one.name, one.is_late) for one in each})
        return json.dumps(found).encode()


def _is_for_devices(module: str, parts: frozenset[str]) -> bool:
    part = standard_part_of(module)
    return module not in FROZEN and (part is None or part in parts)
