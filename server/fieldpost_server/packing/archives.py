"""Archives for devices, stored: the same files give the same bytes on every machine."""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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
    record = f"{info}/RECORD"
    # without their hashes, which nothing compresses: the manifest has the one of the whole wheel
    every[record] = "".join(f"{path},,\n" for path in [*every, record]).encode()
    return Wheel(f"{stem}-py3-none-any.whl", pack(every))


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files (path → content) as one archive.

    It is stored, not deflated: deflate's bytes differ between versions of zlib, and with them the
    URLs of two servers; and what travels is compressed as a whole.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive, folders left out: path → content."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = (info.filename for info in opened.infolist() if not info.is_dir())
        return {name: opened.read(name) for name in names}
