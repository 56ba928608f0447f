"""Loads an app once as a device would, in a process of its own, before it is served.

A device has the standard library (not all of it), the wheels that `delivery.wheels` makes, and the
app without its server modules. An app that imports anything else starts on no device.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fieldpost.app import FILES
from fieldpost.errors import Code, DefinitionError, problem
from fieldpost_server.delivery import wheels
from fieldpost_server.delivery.app_files import app_files
from fieldpost_server.delivery.device_parts import ABSENT
from fieldpost_server.packing.cache import Cache, cache_of_server

TIMEOUT_S = 120

_PROGRAM = """
import importlib, json, sys, traceback

asked = json.load(sys.stdin)
package, allowed, absent = asked["package"], set(asked["allowed"]), set(asked["absent"])


class OnlyWhatDevicesHave:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        # Python's own notes on how it was built
        known = top in allowed or top == package or top.startswith("_sysconfigdata")
        if top in absent or not (known or top in sys.stdlib_module_names):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


for name in [n for n in sys.modules if n.partition(".")[0] in absent]:
    del sys.modules[name]
sys.meta_path.insert(0, OnlyWhatDevicesHave)
sys.path.insert(0, asked["folder"])
sys.path[1:1] = asked["own"]
answer = {}
try:
    module, _, attribute = asked["app"].partition(":")
    app = getattr(importlib.import_module(module), attribute or "app")
    from fieldpost.replication.replica_tables import empty_image
    empty_image(app)
except BaseException as error:
    text = str(error).splitlines()
    frames = [
        f for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith(asked["folder"])
    ]
    answer = {
        "cause": f"{type(error).__name__}: {text[0] if text else 'no words'}"[:500],
        "file": frames[-1].filename[len(asked["folder"]) + 1:] if frames else "",
        "line": frames[-1].lineno if frames else 0,
    }
sys.__stdout__.write("\\n" + json.dumps(answer) + "\\n")
"""


def load_as_a_device(app: str, files: Sequence[str] = FILES) -> None:
    """Load an app, named as ``package.module:attribute``, with nothing but what devices have.

    `files` is its `App.files`.

    Raises:
        DefinitionError: it cannot be loaded there; the words name file, line and module.
    """
    package = _package(app)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in app_files(package, files).items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        answer = _asked(app, package, str(Path(folder).resolve()))
    if answer:
        file, cause = answer["file"], answer["cause"]
        place = f"{file}, line {answer['line']}" if file else "While it is loaded"
        fault = problem(Code.APP_NOT_ON_DEVICES, "app", where=place, cause=cause)
        raise DefinitionError([fault])


@contextmanager
def loading_as_a_device(
    app: str, notes: Path, files: Sequence[str] = FILES
) -> Iterator[Callable[[], None]]:
    """Do what `load_as_a_device` does beside the block's work; what is given waits for the end.

    An app that was loaded before, by this Python and with these very files of its own and of all
    that devices get, is not loaded again.

    Args:
        app: as ``package.module:attribute``.
        notes: folder in which is noted what was loaded.
        files: its `App.files`.
    """
    cache = cache_of_server(notes)
    note, now = notes / "loaded-as-a-device", _everything(app, files, cache)
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(_load_unless_noted, app, files, note, now).result


def _load_unless_noted(app: str, files: Sequence[str], note: Path, now: str) -> None:
    with suppress(OSError, UnicodeDecodeError):  # no note, or none that can be read: no matter
        if note.read_text("utf-8") == now:
            return
    load_as_a_device(app, files)
    with suppress(OSError):  # it is loaded once more at the next start
        note.parent.mkdir(parents=True, exist_ok=True)
        # fault point: device-load-unnoted — a note that is missing or half written is none: the
        # app is loaded once more at the next start.
        note.write_text(now, "utf-8")


def _package(app: str) -> str:
    return app.partition(":")[0].partition(".")[0]


def _everything(app: str, files: Sequence[str], cache: Cache) -> str:
    """Return a digest of all that decides whether an app can be loaded on devices."""
    shipped = wheels.device_wheels(_package(app), files=files, cache=cache)
    decides = [app, sys.version, _PROGRAM, sorted(ABSENT), *(wheel.sha256 for wheel in shipped)]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _asked(app: str, package: str, folder: str) -> dict[str, Any]:
    fieldpost = Path(str(sys.modules["fieldpost"].__file__)).parent.parent
    question = {
        "app": app,
        "package": package,
        "folder": folder,
        "own": [str(fieldpost)],
        "allowed": sorted({*wheels.device_modules(), "fieldpost"}),
        "absent": sorted(ABSENT),
    }
    done = subprocess.run(  # noqa: S603 - this very Python, and a program that is written above
        [sys.executable, "-I", "-c", _PROGRAM],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.splitlines() or ["it ended without a word"])[-1]
        found = {"cause": last[:500], "file": "", "line": 0}
    return found
