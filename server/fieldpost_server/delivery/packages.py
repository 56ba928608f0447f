"""The files of a package that can be imported here."""

from collections.abc import Iterator
from importlib import util
from pathlib import Path, PurePosixPath

MACHINE_CODE = {".pyc", ".pyo", ".so", ".pyd", ".c", ".cpp", ".h", ".pyx", ".pxd", ".pyi"}
"""Suffixes of what no device can run, and of what such things are made from."""

TEST_FOLDERS = {"__pycache__", "test", "tests", "testing"}
"""Folders with nothing that a program needs."""


def files_of(package: str) -> Iterator[tuple[PurePosixPath, Path, Path]]:
    """Yield of each file: its path inside the package, where it is, and the package's folder.

    Of a package that is one module, the module is all there is.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    spec = util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"There is no package '{package}'.", name=package)
    if not spec.submodule_search_locations:
        module = Path(str(spec.origin))
        yield PurePosixPath(f"{package}.py"), module, module.resolve().parent
    for location in spec.submodule_search_locations or ():
        root = Path(location)
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield PurePosixPath(path.relative_to(root).as_posix()), path, root


def is_shipped(path: PurePosixPath) -> bool:
    """Say whether a file of a library is one that devices can use."""
    if path.suffix in MACHINE_CODE or any(part.startswith(".") for part in path.parts):
        return False
    return not TEST_FOLDERS.intersection(path.parts[:-1])


def package_files(package: str) -> dict[str, bytes]:
    """Return the Python and data files of a package of ours: path in a wheel → content.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    return {
        (PurePosixPath(package) / inside).as_posix(): path.read_bytes()
        for inside, path, _ in files_of(package)
        if is_shipped(inside)
    }
