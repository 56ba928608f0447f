"""What Pyodide on Node gets: the files of a device as the server serves them, and what tests need.

What is only for tests lies apart, and nothing of a device can import it, see `python.mjs`.
"""

import re
import shutil
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path, PurePosixPath

from fieldpost_server.delivery.assets import Assets
from fieldpost_server.delivery.browser_files import STANDARD_LIBRARY
from fieldpost_server.packing.archives import unpack
from fieldpost_server.packing.cache import Cache, cache_folder
from fieldpost_server.packing.left_out import STANDARD

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("pytest",)
"""Hypothesis is not among them: it needs machine code, so its tests lie outside of tests/shared."""


def device_assets(app: str = "inspections.app:app") -> Assets:
    """Return what a server of this clone serves, packed before where it was."""
    cache = Cache(cache_folder(ROOT / ".data"))
    return Assets(app, ROOT / "pwa", ROOT / "node_modules", cache=cache)


def lay_out(assets: Assets, folder: Path) -> None:
    """Put a device's files into a folder: the standard library, and ``site`` with the wheels.

    The author's own wheel is left out: tests bring apps of their own. So is the installer.
    """
    served = [assets.asset(entry["url"]) for entry in assets.manifest["wheels"][1:-1]]
    for archive in served:
        _unpack(archive, folder / "site")
    library = next(
        assets.asset(entry["url"])
        for entry in assets.manifest["pyodide"]["files"]
        if entry["url"].endswith(STANDARD_LIBRARY)
    )
    (folder / STANDARD_LIBRARY).write_bytes(library)


def lay_out_archives(assets: Assets, folder: Path) -> None:
    """Put the standard library and all wheels of a device into a folder, as they are served."""
    for entry in [*assets.manifest["pyodide"]["files"], *assets.manifest["wheels"]]:
        name = entry["url"].rpartition("/")[2]
        if name.endswith((".whl", ".zip")):
            (folder / name).write_bytes(assets.asset(entry["url"]))


def lay_out_tools(folder: Path) -> None:
    """Put what only tests need into a folder: pytest, and what it imports of Python's."""
    for distribution in _closure(TOOLS).values():
        for file in distribution.files or []:
            if file.suffix == ".py" and ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(distribution.locate_file(file)), target)
    whole = unpack((ROOT / "node_modules" / "pyodide" / STANDARD_LIBRARY).read_bytes())
    for path, content in whole.items():
        # of a package that devices have a part of, no other part can lie apart
        top = PurePosixPath(PurePosixPath(path).parts[0]).stem
        if top in STANDARD and path.endswith(".py"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def _unpack(archive: bytes, folder: Path) -> None:
    for path, content in unpack(archive).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _closure(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return distributions by name: these and what they need, as far as it is installed."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        needs = [need for need in found[name].requires or [] if "extra ==" not in need]
        waiting += [re.split(r"[^\w.-]", need)[0] for need in needs]
    return found
