"""Copies what is installed here, without its machine code, for a Python of another machine."""

import re
import shutil
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

MACHINE_CODE = {".so", ".pyd", ".dylib", ".pyc"}
EXCLUDED = {"fieldpost", "greenlet", "psycopg", "uvicorn", "argon2-cffi", "micropip"}
"""What no device has; the project itself is mounted from its folders."""


def closure(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return distributions by name: these and what they need, as far as it is installed."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = _normal(waiting.pop())
        if name in found or name in EXCLUDED:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        needs = [need for need in found[name].requires or [] if "extra ==" not in need]
        waiting += [re.split(r"[^\w.-]", need)[0] for need in needs]
    return found


def copy(names: Iterable[str], folder: Path) -> None:
    """Copy the pure files of these distributions, and of what they need, into the folder."""
    for distribution in closure(names).values():
        for file in distribution.files or []:
            if file.suffix in MACHINE_CODE or ".." in file.parts:
                continue
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(file)), target)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
