"""Who may import whom: fieldpost_client → fieldpost ← fieldpost_server, never sideways."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    "argon2",
    "cryptography",
    "fieldpost_server",
    "micropip",
    "psycopg",
    "uvicorn",
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
