"""The wheels that the browser loads: made from exactly what is installed here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from fieldpost.app import FILES
from fieldpost_server.delivery.app_files import app_files, digest_of
from fieldpost_server.delivery.packages import is_shipped, package_files
from fieldpost_server.packing.archives import Wheel, make_wheel
from fieldpost_server.packing.cache import NO_CACHE, Cache
from fieldpost_server.packing.left_out import is_left_out
from fieldpost_server.packing.stripped_wheels import stripped_wheel

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

OWN_PACKAGES = ("fieldpost", "fieldpost_client")

# whoever hands a copy on hands these on
_NOTICE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)")


def device_wheels(
    app_package: str,
    extra: Iterable[str] = (),
    files: Sequence[str] = FILES,
    *,
    parts: frozenset[str] = frozenset(),
    cache: Cache = NO_CACHE,
) -> list[Wheel]:
    """Make all wheels of a device, in the order of installation; the app's own is the last.

    Args:
        app_package: import name of the author's top-level package.
        extra: names of further installed distributions, pure Python, that the app imports.
        files: `App.files`.
        parts: parts of libraries that go along, beside what every device gets of them.
        cache: where wheels are kept that were made before.

    Raises:
        ModuleNotFoundError: the app's package cannot be found.
        importlib.metadata.PackageNotFoundError: a distribution is not installed.
        DefinitionError: a file of the app must not go to devices.
    """
    own, notices = _own_version(), _own_notices()
    return [
        *(installed_wheel(name, parts, cache) for name in (*DISTRIBUTIONS, *extra)),
        *(stripped_wheel(name, own, package_files(name), notices, cache) for name in OWN_PACKAGES),
        app_wheel(app_package, files),
    ]


def device_modules(extra: Iterable[str] = ()) -> set[str]:
    """Return the names that can be imported from a device's wheels, the app's and ours left out."""
    return {
        PurePosixPath(PurePosixPath(path).parts[0]).stem
        for name in (*DISTRIBUTIONS, *extra)
        for path in library_files(name)
    }


@lru_cache(maxsize=64)
def library_files(name: str) -> Mapping[str, Path]:
    """Return the files of an installed distribution that devices may get: path → where it lies."""
    distribution = metadata.distribution(name)
    return {
        path.as_posix(): Path(str(distribution.locate_file(path)))
        for path in distribution.files or ()
        if is_shipped(path) and ".dist-info" not in path.parts[0] and path.parts[0] != ".."
    }


@lru_cache(maxsize=64)
def installed_wheel(
    name: str, parts: frozenset[str] = frozenset(), cache: Cache = NO_CACHE
) -> Wheel:
    """Make a pure wheel of an installed distribution, with what devices need of it.

    Args:
        name: of the distribution.
        parts: which of the parts that are usually left out go along.
        cache: where it is kept.
    """
    found = metadata.distribution(name)
    files = {
        path: place.read_bytes()
        for path, place in library_files(name).items()
        if not is_left_out(path, parts)
    }
    return stripped_wheel(found.metadata["Name"], found.version, files, notices_of(name), cache)


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
    """Make the wheel of the author's app, with the files that `App.files` lists, as they are."""
    packed = app_files(package, files)
    return make_wheel(package, f"0+{digest_of(packed)[:12]}", packed)


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
