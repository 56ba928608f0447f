"""Who may import whom: packages never sideways, and inside each one downwards only.

`FLOORS` is the map of the house. `docs/architecture.md` draws its picture from it.
"""

import ast
import graphlib
import posixpath
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

FLOORS = {
    # what authors import lies at the top of the package, on the floors that it needs
    "shared/fieldpost": """
        web/application
        web/repair
        web/forms
        web/lists
        web/framework
        web/display
        odp/repair
        odp/form
        odp/replay
        odp/lineage
        home
        replication
        wording
        reading
        loading
        app
        pages  rules
        definition
        schema
        wire
        text
        errors  moments  pins  types  users
        ground
    """,
    "server/fieldpost_server": """
        cli
        cli/upkeep
        application
        operations  cli/command
        identity
        sync  office
        authoring
        delivery
        home
        http
        inbox
        proofs
        feed
        backup
        restore
        scope
        factors  providers
        devices
        accounts
        signing  quotas  attachments
        storage
        settings  log  packing
    """,
    "pwa/py/fieldpost_client": """
        main
        warmup
        revocation
        sync
        device
        sync_status
        saving
        replica
        outbox
        platform
    """,
    "pwa": """
        shell/shell
        shell/leaving
        shell/device
        shell/kept
        shell/form
        shell/window  shell/lock  shell/image
        shell/page  shell/work
        sw  worker
        kept-files  stored-files  store-connection
        store  office
        half-files  sealing
        file-bytes
        limits  page-places  sha256  manifest  vendor
    """,
}
"""By package: its rooms from the roof to the ground, folders or modules.

A module imports from its own room and from rooms of the floors below, never from above and never
from another room of its own floor. Names that only the type checker sees count.
"""

FOLDERS_OF_SCRIPTS = {
    "shell/device": "A field worker's device: its start, its toolbar, its one tab, leaving it.",
    "shell/leaving": "A device that is lost or left: what the office orders it, and what it tells.",
    "shell/kept": "Pages that were seen last: kept, shown before Python is there, given over.",
    "shell/form": "A form being filled in: drafts, files, signatures, choosing a side, sending.",
    "shell/image": "The memory image of a first start: whether it is taken, and how it comes.",
    "shell/lock": "What is kept is sealed: a PIN or a passkey opens it, idleness closes it.",
    "shell/window": "What kind of window this is, without https or private: said in words.",
    "shell/work": "Files of saved work: packed, sealed with a passphrase, opened again.",
    "shell/page": "Any page: links, answers put into the document, signing in again.",
    "worker": "The worker's side: Python is started, and given what it may use of the browser.",
    "vendor": "Types of libraries of others.",
}
"""What the folders of `pwa` are for; Python's say it in their ``__init__.py``."""

MOST_IN_A_ROOM = 12

ROOT = Path(__file__).parent.parent
SHARED = ROOT / "shared" / "fieldpost"
SERVER = ROOT / "server" / "fieldpost_server"
CLIENT = ROOT / "pwa" / "py" / "fieldpost_client"
EXAMPLES = ROOT / "examples"

BROWSER = CLIENT / "platform" / "browser.py"
BROWSER_ONLY = {"js", "pyodide", "pyodide_js", "_pyodide"}
# in the device's standard library, not yet in that of Python 3.11
STANDARD = sys.stdlib_module_names | {"annotationlib"}
# what a memory snapshot of the device can hold: pure Python only
ON_DEVICES = {
    "annotated_types",
    "fieldpost",
    "jinja2",
    "markupsafe",
    "python_multipart",
    "sqlalchemy",
    "starlette",
    "typing_extensions",
}
ON_SERVERS = ON_DEVICES | {
    "anyio",
    "authlib",
    "argon2",
    "brotli",
    "cryptography",
    "fieldpost_server",
    "httpx",
    "joserfc",
    "micropip",
    "psycopg",
    "pyotp",
    "segno",
    "uvicorn",
    "webauthn",
}
# there are no threads and no processes in Pyodide
NO_THREADS = {
    "anyio.from_thread",
    "anyio.to_thread",
    "concurrent.futures",
    "multiprocessing",
    "starlette.concurrency",
    "subprocess",
    "threading",
}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(module: Path, allowed: set[str]) -> set[str]:
    """Return what a module imports beyond the standard library and what is allowed."""
    tops = {name.partition(".")[0] for name in imported(module)}
    return tops - STANDARD - allowed


def named(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", modules(SHARED), ids=named)
def test_the_shared_package_imports_neither_side(module: Path) -> None:
    """A shared module imports the standard library and what every device has, nothing else."""
    assert set() == foreign(module, ON_DEVICES)


@pytest.mark.parametrize("module", modules(CLIENT), ids=named)
def test_the_client_never_imports_the_server(module: Path) -> None:
    """A client module imports itself and the shared package; one module knows the browser."""
    browser = BROWSER_ONLY if module == BROWSER else set()

    assert set() == foreign(module, ON_DEVICES | {"fieldpost_client"} | browser)


@pytest.mark.parametrize("module", modules(SERVER), ids=named)
def test_the_server_never_imports_the_client(module: Path) -> None:
    """A server module imports what pyproject.toml declares, itself and the shared package."""
    assert set() == foreign(module, ON_SERVERS)


@pytest.mark.parametrize("module", modules(EXAMPLES), ids=named)
def test_an_app_imports_the_shared_package_only(module: Path) -> None:
    """An app runs on devices: it imports nothing that they do not have."""
    packages = {folder.name for folder in EXAMPLES.iterdir()}

    assert set() == foreign(module, ON_DEVICES | packages)


@pytest.mark.parametrize("module", modules(SHARED) + modules(CLIENT), ids=named)
def test_what_runs_on_devices_uses_no_threads(module: Path) -> None:
    """Nothing that runs on a device reaches for threads or processes."""
    prefixes = {
        prefix
        for name in imported(module)
        for prefix in (name, name.rpartition(".")[0], name.partition(".")[0])
    }

    assert set() == prefixes & NO_THREADS


@pytest.mark.parametrize("module", modules(SHARED) + modules(SERVER) + modules(EXAMPLES), ids=named)
def test_annotations_are_not_postponed(module: Path) -> None:
    """Models need their annotations at run time, so no module postpones them."""
    assert "__future__.annotations" not in set(imported(module))


class House:
    """One package as `FLOORS` has it."""

    def __init__(self, root: str) -> None:
        self.root = root
        lines = FLOORS[root].strip().splitlines()
        self.floors = [line.split() for line in reversed(lines)]
        self.level = {room: n for n, rooms in enumerate(self.floors) for room in rooms}

    @cached_property
    def modules(self) -> dict[str, Path]:
        """The files by their path in the package, without the ending."""
        folder = ROOT / self.root
        if self.root == "pwa":
            paths = [*folder.glob("*.js"), *folder.glob("*.d.ts"), *folder.glob("shell/**/*.js")]
            paths += [*folder.glob("worker/**/*.js"), *folder.glob("vendor/*.d.ts")]
        else:
            paths = [path for path in folder.rglob("*.py") if path.name != "__init__.py"]
        return {path.relative_to(folder).as_posix().split(".")[0]: path for path in paths}

    def room(self, module: str) -> str:
        """Return the room of a module; raises LookupError where the map has none."""
        parts = module.split("/")
        names = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
        return next(name for name in names if name in self.level)

    def imports(self, path: Path) -> set[str]:
        """Return the modules of the same package that a file imports."""
        found = set(_named_in_script(path) if self.root == "pwa" else self._named_in_python(path))
        return {name for name in found if name in self.modules}

    def _named_in_python(self, path: Path) -> Iterator[str]:
        package = Path(self.root).name
        for name in imported(path):
            top, _, rest = name.partition(".")
            if top == package:
                yield from (rest.replace(".", "/"), rest.rpartition(".")[0].replace(".", "/"))


def _named_in_script(path: Path) -> Iterator[str]:
    for name in re.findall(r'(?:from|import)\s*\(?"(\.[^"]+)"', path.read_text("utf-8")):
        yield posixpath.relpath((path.parent / name).resolve(), ROOT / "pwa").split(".")[0]


@pytest.mark.parametrize("root", FLOORS)
def test_every_module_has_a_room(root: str) -> None:
    """The map is whole: every module lies in one of its rooms, and no room is empty."""
    house = House(root)

    assert set(house.level) == {house.room(module) for module in house.modules}


@pytest.mark.parametrize("root", FLOORS)
def test_imports_run_downwards(root: str) -> None:
    """A module imports its own room and rooms of lower floors, nothing else."""
    house = House(root)
    wrong = [
        f"{module} imports {other}"
        for module, path in house.modules.items()
        for other in sorted(house.imports(path))
        if house.room(other) != house.room(module)
        and house.level[house.room(other)] >= house.level[house.room(module)]
    ]

    assert [] == wrong


@pytest.mark.parametrize("root", FLOORS)
def test_no_modules_import_each_other(root: str) -> None:
    """There is no circle of modules, not even of names that only the type checker sees."""
    house = House(root)
    graph = {module: house.imports(path) for module, path in house.modules.items()}

    assert list(graph) != [], "nothing was read"
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("root", FLOORS)
def test_no_room_is_crowded(root: str) -> None:
    """A room is seen at a glance: it holds at most a dozen modules, and says what its job is."""
    house = House(root)
    rooms: dict[str, list[str]] = {}
    for module in house.modules:
        rooms.setdefault(house.room(module), []).append(module)

    assert {} == {room: held for room, held in rooms.items() if len(held) > MOST_IN_A_ROOM}
    if root == "pwa":
        assert set(FOLDERS_OF_SCRIPTS) == {r for r in rooms if (ROOT / root / r).is_dir()}
    else:
        folders = [ROOT / root / room for room in rooms if (ROOT / root / room).is_dir()]
        assert [] == [f for f in folders if not ast.get_docstring(_parsed(f / "__init__.py"))]


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


TESTS_OF = {
    "shared": "shared/fieldpost",
    "server": "server/fieldpost_server",
    "client": "pwa/py/fieldpost_client",
}
"""By folder of tests: the package whose rooms it mirrors. `pwa` is tested by `browser` as a whole.

A test of several rooms lies at the top of the folder.
"""


@pytest.mark.parametrize("tests", TESTS_OF)
def test_tests_mirror_the_rooms(tests: str) -> None:
    """What a room does is tested in a folder of the same name, and no other folder holds tests."""
    house = House(TESTS_OF[tests])
    ways = {"/".join(room.split("/")[:n]) for room in house.level for n in range(1, 4)}
    found = {
        path.parent.relative_to(ROOT / "tests" / tests).as_posix()
        for path in (ROOT / "tests" / tests).rglob("*.py")
    }

    assert {"."} < found
    assert {"."} == found - ways


def test_whoever_needs_a_browser_is_tested_in_its_folder() -> None:
    """The rooms of `pwa` have no folders of tests: a real browser shows them, in `browser`."""
    tests = ROOT / "tests"
    driven = {
        path.relative_to(tests).parts[0]
        for path in tests.rglob("*.py")
        if any(name.startswith("playwright.") for name in imported(path))
    }

    assert {"browser"} == driven
