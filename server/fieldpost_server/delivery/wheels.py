"""The wheels that the browser loads: made from exactly what is installed here."""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from fieldpost.app import FILES
from fieldpost_server.delivery.app_files import app_files, digest_of
from fieldpost_server.delivery.packages import files_of, is_shipped

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

# whoever hands a copy on hands these on
_NOTICE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)")
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


def device_wheels(
    app_package: str, extra: Iterable[str] = (), files: Sequence[str] = FILES
) -> list[Wheel]:
    """Make all wheels of a device, in the order of installation; the app's own is the last.

    Args:
        app_package: import name of the author's top-level package.
        extra: names of further installed distributions, pure Python, that the app imports.
        files: `App.files`.

    Raises:
        ModuleNotFoundError: the app's package cannot be found.
        importlib.metadata.PackageNotFoundError: a distribution is not installed.
        DefinitionError: a file of the app must not go to devices.
    """
    own, notices = _own_version(), _own_notices()
    return [
        *(installed_wheel(name) for name in (*DISTRIBUTIONS, *extra)),
        make_wheel("fieldpost", own, package_files("fieldpost"), notices),
        make_wheel("fieldpost_client", own, package_files("fieldpost_client"), notices),
        app_wheel(app_package, files),
    ]


def device_modules(extra: Iterable[str] = ()) -> set[str]:
    """Return the names that can be imported from a device's wheels, the app's and ours left out."""
    found = set[str]()
    for name in (*DISTRIBUTIONS, *extra):
        for path in metadata.distribution(name).files or ():
            if is_shipped(path) and ".dist-info" not in path.parts[0]:
                found.add(PurePosixPath(path.parts[0]).stem)
    return found


@lru_cache(maxsize=64)
def installed_wheel(name: str) -> Wheel:
    """Make a pure wheel of an installed distribution, with its pure files only."""
    distribution = metadata.distribution(name)
    files = {
        path.as_posix(): Path(str(distribution.locate_file(path))).read_bytes()
        for path in distribution.files or ()
        if is_shipped(path) and ".dist-info" not in path.parts[0] and path.parts[0] != ".."
    }
    return make_wheel(distribution.metadata["Name"], distribution.version, files, notices_of(name))


def notices_of(name: str) -> dict[str, bytes]:
    """Return the licences of an installed distribution, by the names of their files."""
    distribution = metadata.distribution(name)
    return {
        "-".join(path.parts[1:]).removeprefix("licenses-"): (
            Path(str(distribution.locate_file(path))).read_bytes()
        )
        for path in distribution.files or ()
        if ".dist-info" in path.parts[0] and _NOTICE.match(path.name)
    }


def app_wheel(package: str, files: Sequence[str] = FILES) -> Wheel:
    """Make the wheel of the author's app, with the files that `App.files` lists."""
    packed = app_files(package, files)
    return make_wheel(package, f"0+{digest_of(packed)[:12]}", packed)


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


def make_wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes],
    notices: Mapping[str, bytes] | None = None,
) -> Wheel:
    """Pack `files` (path → content) as a pure wheel, with the licences that go along."""
    stem = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"
    info = f"{stem}.dist-info"
    every = dict(sorted(files.items()))
    for file_name, text in sorted((notices or {}).items()):
        every[f"{info}/licenses/{file_name}"] = text
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


def _own_version() -> str:
    try:
        return metadata.version("fieldpost")
    except metadata.PackageNotFoundError:  # run from the sources, not installed
        return "0"


def _own_notices() -> dict[str, bytes]:
    try:
        return {"LICENSE": notices_of("fieldpost")["LICENSE"]}
    except metadata.PackageNotFoundError:  # as above
        return {}
