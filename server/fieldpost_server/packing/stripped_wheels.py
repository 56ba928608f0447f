"""Wheels whose sources are stripped; each is made once."""

from collections.abc import Mapping

from fieldpost_server.packing.archives import Wheel, make_wheel, pack, unpack
from fieldpost_server.packing.cache import Cache, key_of
from fieldpost_server.packing.standard_library import recipe
from fieldpost_server.packing.stripping import strip_file

Files = Mapping[str, bytes]
"""Path in a wheel → content."""


def stripped_wheel(name: str, version: str, files: Files, notices: Files, cache: Cache) -> Wheel:
    """Make a wheel of files, or take it from where it is kept.

    Args:
        name: of the distribution.
        version: of it.
        files: its sources, which are stripped, and data.
        notices: the licences that go along.
        cache: where it is kept.
    """
    parts = (part for each in (files, notices) for pair in sorted(each.items()) for part in pair)
    key = key_of("wheel", [recipe(), name, version, str(len(files)), *parts])
    # of no files: a wheel's name is made of its own alone
    file_name = make_wheel(name, version, {}).file_name
    return Wheel(
        file_name,
        cache.made(key, lambda: make_wheel(name, version, _stripped(files), notices).content),
    )


def strip_wheel(wheel: Wheel, cache: Cache) -> Wheel:
    """Return a wheel that was made elsewhere with its sources stripped."""
    key = key_of("wheel", [recipe(), wheel.file_name, wheel.content])
    return Wheel(wheel.file_name, cache.made(key, lambda: _repacked(wheel.content)))


def _repacked(content: bytes) -> bytes:
    files = _stripped(unpack(content))
    (record,) = (path for path in files if path.endswith(".dist-info/RECORD"))
    about = record.removesuffix("RECORD") + "METADATA"
    # without the description, which is a web page
    files[about] = files[about].partition(b"\n\n")[0] + b"\n"
    files[record] = "".join(f"{path},,\n" for path in files).encode()
    return pack(files)


def _stripped(files: Files) -> dict[str, bytes]:
    return {
        path: strip_file(content) if path.endswith(".py") else content
        for path, content in files.items()
    }
