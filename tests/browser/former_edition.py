"""The former edition, which devices out there still run: its source and its server."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from browser.office import Office

ROOT = Path(__file__).parents[2]
COMMIT = "3e0234c444a4537f1996d7cd93fe0c1f3f2e4022"
"""The first edition, as it was before its modules moved into rooms."""

SOURCES = ("shared", "server", "pwa/py", "examples")


def unpack(folder: Path) -> Path:
    """Unpack the former edition's source from the history of this repository."""
    packed = subprocess.run(
        ["git", "-C", ROOT, "archive", COMMIT, "shared", "server", "pwa", "examples"],
        capture_output=True,
        check=False,
    )
    if packed.returncode != 0:
        said = packed.stderr.decode().strip()
        words = "The former edition is made from this repository's history, which is not all here"
        pytest.fail(f"{words}: clone it whole (git fetch --unshallow). {said}", pytrace=False)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


class FormerOffice(Office):
    """A demo server of the former edition, with the packages that are installed here."""

    def __init__(self, data: Path, source: Path) -> None:
        path = os.pathsep.join(str(source / name) for name in SOURCES)
        super().__init__(data, {"PYTHONPATH": path})
