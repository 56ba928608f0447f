"""The wheels that the browser loads: made from exactly what is installed here."""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata, util
from pathlib import Path, PurePosixPath

DISTRIBUTIONS = (
    "typing_extensions",
    "annotated-types",
    "sqlalchemy",
    "idna",
    "anyio",
    "starlette",
    "markupsafe",
    "jinja2",
    "python-multipart",
    "tzdata",
)
"""What the device needs from outside, in the versions that the server runs."""

SERVER_ONLY = "server"
"""A module or folder with this name inside an app's package never leaves the server."""

_SKIPPED_SUFFIXES = {".pyc", ".pyo", ".so", ".pyd", ".c", ".cpp", ".h", ".pyx", ".pxd", ".pyi"}
_SKIPPED_FOLDERS = {"__pycache__", "test", "tests", "testing"}
# any fixed moment does; the format begins in 1980
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wheel:
    """A pure wheel in memory.

    Attributes:
        file_name: ``name-version-py3-none-any.whl``.
        content: the archive; the same files give the same bytes on every machine.
    """

    file_name: str
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def device_wheels(app_package: str, extra: Iterable[str] = ()) -> list[Wheel]:
    """Make all wheels of a device, in the order of installation.

    Args:
        app_package: import name of the author's top-level package.
        extra: names of further installed distributions, pure Python, that the app imports.

    Raises:
        ModuleNotFoundError: the app's package cannot be found.
        importlib.metadata.PackageNotFoundError: a distribution is not installed.
    """
    own = _own_version()
    return [
        *(installed_wheel(name) for name in (*DISTRIBUTIONS, *extra)),
        make_wheel("fieldpost", own, package_files("fieldpost")),
        make_wheel("fieldpost_client", own, package_files("fieldpost_client")),
        app_wheel(app_package),
    ]


def device_modules(extra: Iterable[str] = ()) -> set[str]:
    """Return the names that can be imported from a device's wheels, the app's and ours left out."""
    found = set[str]()
    for name in (*DISTRIBUTIONS, *extra):
        for path in metadata.distribution(name).files or ():
            if _is_shipped(path) and ".dist-info" not in path.parts[0]:
                found.add(PurePosixPath(path.parts[0]).stem)
    return found


@lru_cache(maxsize=64)
def installed_wheel(name: str) -> Wheel:
    """Make a pure wheel of an installed distribution, with its pure files only."""
    distribution = metadata.distribution(name)
    files = {
        path.as_posix(): Path(str(distribution.locate_file(path))).read_bytes()
        for path in distribution.files or ()
        if _is_shipped(path) and ".dist-info" not in path.parts[0] and path.parts[0] != ".."
    }
    return make_wheel(distribution.metadata["Name"], distribution.version, files)


def app_wheel(package: str) -> Wheel:
    """Make the wheel of the author's app, without what is for the server only."""
    files = app_files(package)
    return make_wheel(package, f"0+{_digest(files)[:12]}", files)


def app_version(package: str) -> str:
    """Return the hash, in hex, of all files of the app that are shipped to devices."""
    return _digest(app_files(package))


def app_files(package: str) -> dict[str, bytes]:
    """Return the files of the app that are shipped: path inside the wheel → content."""
    return {
        name: content
        for name, content in package_files(package).items()
        if not any(PurePosixPath(part).stem == SERVER_ONLY for part in PurePosixPath(name).parts)
    }


def package_files(package: str) -> dict[str, bytes]:
    """Return the Python and data files of an importable package: path in a wheel → content.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    return {name: path.read_bytes() for name, path in _walk(package)}


def make_wheel(name: str, version: str, files: Mapping[str, bytes]) -> Wheel:
    """Pack `files` (path → content) as a pure wheel."""
    stem = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"
    info = f"{stem}.dist-info"
    every = dict(sorted(files.items()))
    every[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    every[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: fieldpost\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    every[f"{info}/RECORD"] = _record(every, f"{info}/RECORD")
    return Wheel(f"{stem}-py3-none-any.whl", _pack(every))


def _pack(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # stored, not deflated: deflate's bytes differ between zlib versions and with them the
    # URLs of two servers; the transport compresses
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def _record(files: Mapping[str, bytes], own_name: str) -> bytes:
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{own_name},,\n"]).encode()


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def _walk(package: str) -> Iterator[tuple[str, Path]]:
    spec = util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"There is no package '{package}'.", name=package)
    if not spec.submodule_search_locations:
        yield f"{package}.py", Path(str(spec.origin))
    for location in spec.submodule_search_locations or ():
        root = Path(location)
        for path in sorted(root.rglob("*")):
            inside = PurePosixPath(path.relative_to(root).as_posix())
            if path.is_file() and _is_shipped(inside):
                yield (PurePosixPath(package) / inside).as_posix(), path


def _is_shipped(path: PurePosixPath) -> bool:
    if path.suffix in _SKIPPED_SUFFIXES or any(part.startswith(".") for part in path.parts):
        return False
    return not _SKIPPED_FOLDERS.intersection(path.parts[:-1])


def _own_version() -> str:
    try:
        return metadata.version("fieldpost")
    except metadata.PackageNotFoundError:  # run from the sources, not installed
        return "0"
