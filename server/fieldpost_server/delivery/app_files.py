"""Which files of the author's package devices get: what she lists, and nothing that is a secret."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from fieldpost.app import FILES
from fieldpost.errors import Code, DefinitionError, problem
from fieldpost_server.delivery.packages import MACHINE_CODE, TEST_FOLDERS, files_of

SERVER_ONLY = "server"
"""A module or folder with this name inside an app's package never leaves the server."""

_SECRET_NAMES = (
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.p8", "*.jks", "*.keystore", "*.ppk", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.gpg", "*.pgp", "*.env", "*.htpasswd"),
    *("*.sqlite", "*.sqlite3", "*.db", "*.db3", "*.mdb", "*.accdb", "*.dump", "*.bak"),
    *("*-wal", "*-shm", "*-journal"),
)
_SECRET_CONTENT = {
    re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----"): "holds a private key",
    re.compile(rb"\ASQLite format 3\0"): "is a database",
}
_DOUBTFUL = re.compile(
    r"(^|[_\W])(server|secrets?|credentials?|passwords?|private|service.?account)([_\W]|$)",
    re.IGNORECASE,
)
_TESTS = ("test_*.py", "*_test.py", "conftest.py")
_FOR_READERS = {".md", ".rst", ".typed", ".pyi"}


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the package.

    Attributes:
        package: the import name of the package.
        inside: where it is in the package.
        path: where it is on this machine.
        root: the package's folder on this machine.
    """

    package: str
    inside: PurePosixPath
    path: Path
    root: Path

    @property
    def name(self) -> str:
        """Return where it is in a wheel, and how people are told of it."""
        one_module = self.inside == PurePosixPath(f"{self.package}.py")
        return str(self.inside) if one_module else f"{self.package}/{self.inside}"


def app_files(package: str, files: Sequence[str] = FILES) -> dict[str, bytes]:
    """Return the files of an app that devices get: path inside the wheel → content.

    Args:
        package: import name of the author's top-level package.
        files: `App.files`.

    Raises:
        ModuleNotFoundError: there is no such package.
        DefinitionError: a file that is listed may be a secret, or nothing is listed; all at once.
    """
    found, faults = dict[str, bytes](), list[str]()
    idle = {pattern for pattern in files if pattern not in FILES}
    for file in _every(package):
        naming = [pattern for pattern in files if _matches(file.inside.parts, pattern)]
        if not naming or _stays(file, naming):
            continue
        idle.difference_update(naming)
        content = file.path.read_bytes()
        faults += _dangers(file, content, listed=str(file.inside) in naming)
        found[file.name] = content
    faults += [
        f"App(files=…) lists '{pattern}', and the package '{package}' has no file for it that "
        "devices may get. Correct it or take it out."
        for pattern in sorted(idle)
    ]
    if faults:
        raise DefinitionError(problem(Code.DEFINITION, "files", text=text) for text in faults)
    return found


def app_version(package: str, files: Sequence[str] = FILES) -> str:
    """Return the hash, in hex, of all files of the app that are shipped to devices."""
    return digest_of(app_files(package, files))


def digest_of(files: dict[str, bytes]) -> str:
    """Return one hash, in hex, of names and contents."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def left_at_home(package: str, files: Sequence[str] = FILES) -> list[str]:
    """Return names of data files that devices do not get, since nothing lists them."""
    return [
        file.name
        for file in _every(package)
        if not any(_matches(file.inside.parts, pattern) for pattern in files)
        and not _stays(file, [])
        and file.path.suffix not in _FOR_READERS
    ]


def _every(package: str) -> Iterator[_File]:
    return (_File(package, *each) for each in files_of(package))


def _matches(parts: Sequence[str], pattern: str) -> bool:
    """Say whether a path is what a pattern means, as in a shell: no wildcard is a leading dot."""
    first, _, rest = pattern.partition("/")
    if first == "**":
        below = len(parts) > 1 and not parts[0].startswith(".") and _matches(parts[1:], pattern)
        return below or _matches(parts, rest or "*")
    if not fnmatchcase(parts[0], first) or (parts[0].startswith(".") and first[0] != "."):
        return False
    return _matches(parts[1:], rest) if rest and len(parts) > 1 else not rest and len(parts) == 1


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _stays(file: _File, naming: Sequence[str]) -> bool:
    """Say whether a file is never for devices, so that nobody need keep it back."""
    *folders, name = file.inside.parts
    if any(PurePosixPath(part).stem == SERVER_ONLY for part in file.inside.parts):
        return True
    if file.inside.suffix in MACHINE_CODE or TEST_FOLDERS.intersection(folders):
        return True
    if _is_hidden(file.inside):
        return not naming
    return any(fnmatchcase(name, each) for each in _TESTS)


def _dangers(file: _File, content: bytes, *, listed: bool) -> Iterator[str]:
    """Say why a file that devices would get must not go there."""
    name = file.inside.name.lower()
    stop = f"Devices would get '{file.name}', and"
    keep = "Move it out of the package or into a folder 'server', or list other files."
    what = next((words for sign, words in _SECRET_CONTENT.items() if sign.search(content)), "")
    if what:
        yield f"{stop} it {what}. {keep}"
    elif _is_hidden(file.inside) or any(fnmatchcase(name, each) for each in _SECRET_NAMES):
        yield f"{stop} files of this name hold secrets or data. {keep}"
    elif not file.path.resolve().is_relative_to(file.root.resolve()):
        yield f"{stop} it is a link that leads out of the package. {keep}"
    elif _DOUBTFUL.search(file.inside.as_posix()) and not listed:
        yield (
            f"{stop} its name says that it is not for them. Move it into a folder 'server', or, if "
            f"they need it, add '{file.inside}' to App(files=…)."
        )
