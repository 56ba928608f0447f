"""The app with scripts that say by which fault points they come: a copy, for one test.

In the place of each comment a script asks for an address of its own; the proxy in front notes it.
Production knows nothing of this: the comments are all that it has.
"""

import os
import re
import shutil
from pathlib import Path

from browser.office import Office
from browser.proxy import FaultProxy

ROOT = Path(__file__).parents[2]
PASSED = "/passed/"
SOURCES = ("shared", "server", "pwa/py", "examples")
_POINT = re.compile(r"^(\s*)// fault point: (\S+) — ", re.MULTILINE)
_SAYS = (
    r'\1void ((globalThis.said ??= new Set()).has("\2") || (globalThis.said.add("\2"), '
    rf'fetch("{PASSED}\2", {{ method: "POST", keepalive: true }}).catch(() => {{}})));'
)
"""Once for each page: a browser has only so many requests at a time."""


def mark(folder: Path) -> Path:
    """Copy all sources into a folder, and let the scripts in it say what they come by."""
    for name in ("shared", "server", "pwa", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    for path in (folder / "pwa").rglob("*.js"):
        path.write_text(marked(path.read_text("utf-8")), "utf-8")
    return folder


def marked(source: str) -> str:
    """Return a script that says by which fault points it comes."""
    return _POINT.sub(lambda found: found.expand(_SAYS) + "\n" + found[0], source)


class MarkedOffice(Office):
    """A demo server of a copy.

    Args:
        data: its folder.
        source: of `mark`.
        edition: another number is another version of the app; 0 is the one that all tests have, for
            which there is a memory image.
    """

    def __init__(self, data: Path, source: Path, edition: int = 0) -> None:
        examples = source / f"examples-{edition}"
        shutil.copytree(source / "examples", examples)
        with (examples / "inspections" / "app.py").open("a") as app:
            app.write(f"\n# edition {edition}\n" if edition else "")
        places = [str(examples), *(str(source / name) for name in SOURCES)]
        super().__init__(data, {"PYTHONPATH": os.pathsep.join(places)})


def listen(proxy: FaultProxy) -> None:
    """Let the proxy take what the scripts say."""
    taken = (204, "text/plain", b"")
    proxy.in_place = lambda path: taken if path.startswith(PASSED) else None


def passed(proxy: FaultProxy) -> set[str]:
    """Return the names of the fault points that were come by."""
    said = f"POST {PASSED}"
    return {line.removeprefix(said) for line in proxy.seen if line.startswith(said)}
