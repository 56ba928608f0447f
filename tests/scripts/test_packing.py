"""Work as a file: what a device packs, it and everybody else's programs unpack (R21)."""

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("packing.mjs")


def packed(path: Path, count: int, hole: int = 0) -> Any:
    command = ["node", str(SCRIPT), str(path), str(count), str(hole)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(said.stdout) if said.stdout else None


@pytest.mark.parametrize("count", [0, 1, 65_535])
def test_any_number_of_files_is_packed(tmp_path: Path, count: int) -> None:
    """Sixteen bits hold 65,535: of more, none is lost and the file is whole (R21)."""
    path = tmp_path / "work.zip"
    found = packed(path, count)

    assert [count, str(count - 1) if count else None] == found
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        assert [f"{n}.txt" for n in range(count)] == names
        if count:
            assert str(count - 1).encode() == file.read(names[-1])


def test_places_beyond_four_gigabytes_are_written(tmp_path: Path) -> None:
    """What lies behind the first four gigabytes is found: its place needs more bits (R21)."""
    path = tmp_path / "work.zip"
    size = 2**32 - 2
    packed(path, 3, size)
    # the large file is hollow: put its bytes in between, as a hole of the disk
    content = path.read_bytes()
    start = 30 + len("large")
    with path.open("wb") as file:
        file.write(content[:start])
        file.seek(start + size)
        file.write(content[start + len("[object Object]") :])

    with zipfile.ZipFile(path) as file:
        assert ["large", "0.txt", "1.txt", "2.txt"] == file.namelist()
        assert [b"0", b"1", b"2"] == [file.read(f"{n}.txt") for n in range(3)]


def test_a_file_that_is_too_large_is_said(tmp_path: Path) -> None:
    """One of four gigabytes is not packed into a damaged file (R21)."""
    assert "RangeError: large is too large" == packed(tmp_path / "work.zip", 1, 2**32)
