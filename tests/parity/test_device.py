"""A device's Python, from the very files that are served (R9, R10)."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fieldpost_server.delivery.device_parts import ABSENT
from fieldpost_server.packing.archives import unpack
from fieldpost_server.packing.left_out import LIBRARIES, MACHINE_CODE, STANDARD, module_of
from parity import packages

ROOT = packages.ROOT
NEEDS_MORE = {"starlette.middleware.sessions"}
"""Modules that need packages which the server has not either."""
NEEDS_OTHERS = {
    *("anyio._backends._trio", "anyio.pytest_plugin", "starlette.testclient"),
    "starlette.middleware.opentelemetry",
    *(
        f"sqlalchemy.dialects.{name}.provision"
        for name in ("mssql", "mysql", "oracle", "postgresql")
    ),
    "sqlalchemy.dialects.sqlite.provision",
}
"""The same, of what is left out."""
NEVER = {"antigravity", "asyncio.__main__", "multiprocessing", "__hello__", "this"}
"""What is on no device, or speaks when it is imported."""
BY_OTHER_NAMES = {"_frozen_importlib", "_frozen_importlib_external"}
APP = "inspections.app:app"
BY_OTHER_NAMES = {"_frozen_importlib", "_frozen_importlib_external"}


def in_device(folder: Path, app: str = APP, more: Iterable[str] = ()) -> dict[str, Any]:
    """Start a device's Python with an app; return what it could not import, and what it has."""
    assets = packages.device_assets(app)
    packages.lay_out_archives(assets, folder)
    names = [entry["url"].rpartition("/")[2] for entry in assets.manifest["wheels"]]
    modules = {
        module_of(path)[0]
        for name in names
        for path in unpack((folder / name).read_bytes())
        if path.endswith(".py") and not path.startswith("micropip")
    }
    asked = {"app": app, "wheels": names, "modules": sorted({*modules, *more})}
    (folder / "list.json").write_text(json.dumps(asked), "utf-8")
    run = subprocess.run(
        ["node", "tests/parity/device.mjs", folder, folder / "result.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == run.returncode, run.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    return found


@pytest.mark.parity
def test_a_device_starts_from_what_is_served(tmp_path: Path) -> None:
    """The installer, the rehearsal, and every module of every wheel find what they import."""
    found = in_device(tmp_path)

    assert NEEDS_MORE == set(found["missing"])
    assert set() == MACHINE_CODE - set(found["machine"]) - BY_OTHER_NAMES


@pytest.mark.parity
def test_what_goes_along_for_an_app_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is otherwise left out finds what it imports as well (R61)."""
    shutil.copytree(ROOT / "examples" / "inspections", tmp_path / "inspections")
    parts = [part for parts in LIBRARIES.values() for part in parts]
    whole = {*STANDARD, *parts} - NEVER - ABSENT - {"anyio.to_interpreter"}
    imported = sorted(name for name in whole if not name.endswith("__main__"))
    more = "\n".join(f"    import {name}" for name in imported)
    (tmp_path / "inspections" / "more.py").write_text(f"def all():\n{more}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "inspections"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "device").mkdir()

    found = in_device(tmp_path / "device", more=imported)

    assert NEEDS_MORE | NEEDS_OTHERS == set(found["missing"])
