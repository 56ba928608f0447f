"""What an app needs of what devices usually do not get, found in its imports.

An import of what no device can have stops the server, and is named: never a device.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fieldpost.errors import Code, DefinitionError, Problem, problem
from fieldpost_server.packing.imports import Import, imports_of, imports_of_app
from fieldpost_server.packing.left_out import (
    MACHINE_CODE,
    OF_THE_BROWSER,
    is_followed,
    module_of,
    part_of,
    standard_part_of,
)
from fieldpost_server.packing.standard_library import StandardLibrary

_ABSENT_NAMES = """
    aifc asynchat asyncio.windows_events asyncio.windows_utils asyncore audioop cgi cgitb chunk
    concurrent.futures.interpreter concurrent.futures.process concurrent.interpreters crypt curses
    dbm distutils ensurepip grp idlelib imghdr imp lib2to3 mailcap msilib msvcrt multiprocessing nis
    nntplib nt ossaudiodev pipes pwd readline resource smtpd sndhdr spwd sunau syslog telnetlib
    tkinter turtle turtledemo uu venv winreg winsound xdrlib
"""
ABSENT = frozenset(_ABSENT_NAMES.split())
"""What the server's Python may have and a browser's has not, or cannot load."""

_OTHER_NAMES = {"collections.abc", "os.path", "xml.parsers.expat.errors", "xml.parsers.expat.model"}
_OWN = {"fieldpost", "fieldpost_client", "pyodide", "_pyodide", "micropip", "packaging"}


@dataclass(frozen=True, slots=True)
class Parts:
    """Modules and packages that go along beside what every device gets.

    Attributes:
        standard: of the standard library.
        libraries: of libraries.
    """

    standard: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()


class DeviceParts:
    """Finds what an app needs.

    Args:
        standard: the standard library of devices.
        libraries: the files of the libraries that devices may get: by distribution, path in a
            wheel → where it lies.
    """

    def __init__(
        self, standard: StandardLibrary, libraries: Mapping[str, Mapping[str, Path]]
    ) -> None:
        self._standard = standard
        self._libraries = libraries

    def needed(self, entry: str, app: Mapping[str, bytes], extra: Iterable[str] = ()) -> Parts:
        """Return what goes along for an app, and for libraries that only it needs.

        Args:
            entry: the module that holds the app.
            app: its files that devices get: path in a wheel → content.
            extra: distributions that the app brings.

        Raises:
            DefinitionError: what the entry imports, or comes to import, needs what no device has;
                all such places at once.
        """
        found = {module_of(path)[0]: (path, _app_imports(path, text)) for path, text in app.items()}
        own = {name.partition(".")[0] for name in found}
        faults = [
            _fault(path, each)
            for path, imports in (found[name] for name in sorted(_reached_from(entry, found)))
            for each in imports
            if each.is_sure and not self._is_there(each.name, own)
        ]
        if faults:
            raise DefinitionError(faults)
        names = [each.name for _, imports in found.values() for each in imports]
        for distribution in extra:
            names += _names_in(self._libraries[distribution])
        return self._reached(names)

    def _is_there(self, name: str, own: set[str]) -> bool:
        top = name.partition(".")[0]
        if top in own or top in _OWN or top in OF_THE_BROWSER:
            return True
        if any(name == each or name.startswith(f"{each}.") for each in ABSENT):
            return False
        standard = self._standard.imports
        if top in standard or top in MACHINE_CODE:
            return name in standard or name in MACHINE_CODE or name in _OTHER_NAMES
        return name in self._modules

    @cached_property
    def _modules(self) -> set[str]:
        """Return all modules of libraries, and the packages that they lie in."""
        found = set[str]()
        for path in (path for files in self._libraries.values() for path in files):
            name = module_of(path)[0]
            while name and name not in found:
                found.add(name)
                name = name.rpartition(".")[0]
        return found

    def _reached(self, names: Iterable[str]) -> Parts:
        standard, libraries = set[str](), set[str]()
        seen, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            part, python = part_of(name), standard_part_of(name)
            if part and part[1] not in libraries:
                libraries.add(part[1])
                files = self._libraries.get(part[0], {})
                inside = {path for path in files if part_of(module_of(path)[0]) == part}
                waiting += _names_in({path: files[path] for path in inside})
            elif python and python not in standard and python not in ABSENT:
                standard.add(python)
                waiting += self._followed_from(python, below=True)
            elif name in self._standard.imports:
                waiting += self._followed_from(name, below=False)
        return Parts(frozenset(standard), frozenset(libraries))

    def _followed_from(self, name: str, *, below: bool) -> Iterator[str]:
        """Yield what a module of the standard library may come to import, or all below it."""
        for module, found in self._standard.imports.items():
            if module != name and not (below and module.startswith(f"{name}.")):
                continue
            for each in found:
                # what every device has anyway is followed only where it is loaded at once
                matters = not each.is_late or standard_part_of(each.name) is not None
                if matters and is_followed(module, each.name):
                    yield each.name


def _names_in(files: Mapping[str, Path]) -> list[str]:
    found = list[Import]()
    for path, place in files.items():
        if path.endswith(".py"):
            name, is_package = module_of(path)
            text = place.read_text("utf-8", errors="replace")
            found += imports_of(text, name, is_package=is_package)
    return [each.name for each in found]


def _app_imports(path: str, text: bytes) -> list[Import]:
    if not path.endswith(".py"):
        return []
    name, is_package = module_of(path)
    try:
        return imports_of_app(text.decode(), name, is_package=is_package)
    except (SyntaxError, ValueError):
        return []  # where it is imported, loading the app says so


def _reached_from(entry: str, modules: Mapping[str, tuple[str, list[Import]]]) -> set[str]:
    """Return the modules of an app that its entry comes to import."""
    reached, waiting = set[str](), [entry]
    while waiting:
        name = waiting.pop()
        while name and name not in reached:
            if name in modules:
                reached.add(name)
                waiting += [each.name for each in modules[name][1]]
            name = name.rpartition(".")[0]  # its packages are imported with it
    return reached


def _fault(path: str, each: Import) -> Problem:
    cause = f"ModuleNotFoundError: No module named '{each.name}'"
    return problem(Code.APP_NOT_ON_DEVICES, "app", where=f"{path}, line {each.line}", cause=cause)
