"""What a published wheel brings ready-made, so that no server has to make it.

Run while Fieldpost is built, where nothing is installed but what builds it: so this, and what it
imports, needs brotli and nothing else.
"""

from collections.abc import Mapping
from pathlib import Path

from fieldpost_server.delivery.browser_files import (
    STANDARD_LIBRARY,
    installer,
    runtime_files,
    shell_files,
)
from fieldpost_server.delivery.compression import BROTLI, Compression, Plain
from fieldpost_server.packing.cache import Cache
from fieldpost_server.packing.standard_library import StandardLibrary
from fieldpost_server.packing.stripped_wheels import strip_wheel, stripped_wheel


class _Brought(Cache):
    """A cache into which what is found elsewhere is put, too."""

    def get(self, key: str) -> bytes | None:
        content = super().get(key)
        if content is not None:
            self.keep(key, content)
        return content


def make_ahead(
    pwa_dir: Path,
    node_modules: Path,
    own: Mapping[str, Mapping[str, bytes]],
    version: str,
    notices: Mapping[str, bytes],
    folder: Path,
    made_before: Path,
) -> None:
    """Make the files of devices that are the same on every server, and compress them.

    Args:
        pwa_dir: the folder with the shell.
        node_modules: the folder with the npm packages.
        own: by name of a package of ours, its files as they are in a wheel.
        version: of Fieldpost.
        notices: its licences.
        folder: where what is made is put.
        made_before: a cache of this machine in which it may be already.
    """
    cache = _Brought(folder, ready=made_before)
    pyodide = node_modules / "pyodide"
    runtime = runtime_files(pyodide)
    library = StandardLibrary(runtime.pop(STANDARD_LIBRARY), cache)
    wheels = [strip_wheel(installer(pwa_dir / "vendor", pyodide), cache)]
    wheels += [stripped_wheel(name, version, own[name], notices, cache) for name in own]
    assert library.imports
    shell = {n: c for n, c in shell_files(pwa_dir, node_modules).items() if not n.endswith(".png")}
    contents = [*runtime.values(), *shell.values(), library.packed()]
    contents += [wheel.content for wheel in wheels]
    files = [Plain.of(content) for content in contents]
    Compression(cache).make_all(files, (BROTLI,))
