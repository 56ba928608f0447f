"""What devices do not get unless an app needs it: modules of Python's and of libraries.

Whatever an app or a library of its own imports of this goes along all the same, see
`fieldpost_server.delivery.device_parts`.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

_STANDARD_NAMES = """
    __hello__ __phello__ _py_abc _pydatetime _pyio _pyrepl _threading_local antigravity argparse
    asyncio.__main__ asyncio.proactor_events asyncio.tools asyncio.windows_events
    asyncio.windows_utils bdb cProfile cmd code colorsys compileall concurrent.futures.interpreter
    concurrent.futures.process concurrent.interpreters configparser ctypes doctest email.mime
    fileinput filecmp fractions ftplib getopt getpass graphlib http.cookiejar http.server imaplib
    importlib.resources.simple importlib.simple json.__main__ json.tool logging.config
    logging.handlers mailbox modulefinder multiprocessing netrc nturl2path optparse pdb pickletools
    plistlib poplib profile pstats pty pyclbr pydoc
    pyodide._nodesock_transport pyodide.console rlcompleter sched shelve smtplib socketserver
    sqlite3.__main__ sre_compile sre_constants sre_parse statistics symtable sysconfig.__main__
    tabnanny this timeit tomllib trace tty unittest urllib.robotparser wave webbrowser
    wsgiref xml xmlrpc zipapp zipfile.__main__
"""
STANDARD = frozenset(_STANDARD_NAMES.split())
"""Modules and packages of the standard library, each with all below it.

Nothing that is on every device imports them when it is loaded; what might import them later is in
`NEVER_FOLLOWED`, or is known by the app's own imports.
"""

_FROZEN_NAMES = """
    _collections_abc _sitebuiltins abc codecs genericpath importlib._bootstrap
    importlib._bootstrap_external importlib.machinery importlib.util io ntpath os posixpath runpy
    site stat zipimport
"""
FROZEN = frozenset(_FROZEN_NAMES.split())
"""Modules that Pyodide's machine code has in it, compiled: nobody looks for their sources."""

NEVER_FOLLOWED: Mapping[str, Mapping[str, str]] = {
    "Python's own code stands in for machine code, which Pyodide has": {
        "abc": "_py_abc",
        "datetime": "_pydatetime",
        "io": "_pyio",
        "threading": "_threading_local",
        "_strptime": "_pydatetime",
    },
    "a program of its own: python -m gzip and the like": {
        "ast": "argparse",
        "base64": "getopt",
        "calendar": "argparse",
        "dis": "argparse",
        "gzip": "argparse",
        "http.server": "argparse",
        "inspect": "argparse",
        "json.tool": "argparse",
        "mimetypes": "argparse",
        "pickle": "argparse",
        "platform": "argparse",
        "py_compile": "argparse",
        "quopri": "getopt",
        "random": "argparse statistics",
        "tarfile": "argparse",
        "tokenize": "argparse",
        "uuid": "argparse",
        "zipfile": "argparse",
        "heapq": "doctest",
        "difflib": "doctest",
        "pickletools": "argparse doctest",
        "statistics": "doctest",
        "code": "argparse",
        "timeit": "getopt",
        "tracemalloc": "pickletools",
    },
    "at a prompt, which no device shows": {
        "_sitebuiltins": "pydoc",
        "code": "_pyrepl",
        "getpass": "_pyrepl",
        "pydoc": "_pyrepl",
        "site": "_pyrepl",
        "unittest.case": "pdb",
    },
    "on other systems, or over lines that a browser does not have": {
        "asyncio": "asyncio.windows_events",
        "asyncio.events": "asyncio.windows_events",
        "concurrent.futures": "concurrent.futures.interpreter concurrent.futures.process",
        "platform": "ctypes plistlib",
        "urllib.request": "ftplib",
        "uuid": "ctypes",
        "webbrowser": "ctypes",
        "xmlrpc.server": "pydoc",
    },
}
"""By reason: what module imports which others only where no device ever comes."""

_PARTS = {
    "anyio": """
        _backends._trio pytest_plugin to_interpreter to_process
    """,
    "idna": "",
    "jinja2": """
        meta nativetypes
    """,
    "sqlalchemy": """
        connectors.aioodbc connectors.pyodbc dialects.mssql dialects.mysql dialects.oracle
        dialects.postgresql dialects.sqlite.provision ext.associationproxy ext.asyncio
        ext.automap ext.baked ext.declarative ext.horizontal_shard ext.indexable
        ext.instrumentation ext.mutable ext.orderinglist ext.serializer
        util.tool_support
    """,
    "starlette": """
        authentication config endpoints middleware.authentication middleware.base
        middleware.cors middleware.gzip middleware.httpsredirect middleware.opentelemetry
        middleware.trustedhost middleware.wsgi schemas staticfiles templating testclient
    """,
}
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    name: tuple(f"{name}.{part}" for part in parts.split()) or (name,)
    for name, parts in _PARTS.items()
}
"""By distribution: its packages and modules, each with all below it."""
_DISTRIBUTIONS = {part: name for name, parts in LIBRARIES.items() for part in parts}

FOR_PEOPLE = frozenset(
    f"tzdata/zoneinfo/{name}"
    for name in (
        "iso3166.tab",
        "leapseconds",
        "tzdata.zi",
        "zone.tab",
        "zone1970.tab",
        "zonenow.tab",
    )
)
"""Tables of a library that its programs do not read: what they are made from, and for maps."""

_MACHINE_CODE_NAMES = """
    _abc _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp
    _codecs_kr _codecs_tw _collections _contextvars _csv _ctypes _datetime _decimal _elementtree
    _frozen_importlib _frozen_importlib_external _functools _heapq _hmac _imp _io _json _locale
    _lsprof _lzma _md5 _multibytecodec _opcode _operator _pickle _posixsubprocess _pyodide_core
    _queue _random _remote_debugging _sha1 _sha2 _sha3 _signal _socket _sqlite3 _sre _stat
    _statistics _string _struct _suggestions _symtable _sysconfig _thread _tokenize _tracemalloc
    _types _typing _warnings _weakref _zoneinfo _zstd array atexit binascii builtins cmath errno
    faulthandler fcntl gc itertools marshal math mmap posix pyexpat select sys termios time
    unicodedata zlib
"""
MACHINE_CODE = frozenset(_MACHINE_CODE_NAMES.split())
"""Modules of the standard library that are part of Pyodide's machine code."""

OF_THE_BROWSER = frozenset({"js", "pyodide_js", "__main__"})
"""Modules that a running device has, and that no file holds."""


def is_followed(importer: str, imported: str) -> bool:
    """Say whether something that is on devices may come to import this."""
    if importer.rpartition(".")[2] == "__main__":
        return False
    return not any(
        _is_within(imported, part)
        for edges in NEVER_FOLLOWED.values()
        for part in edges.get(importer, "").split()
    )


def standard_part_of(name: str) -> str | None:
    """Return the part left out of the standard library that a module belongs to."""
    return next((each for each in _with_packages(name) if each in STANDARD), None)


def part_of(name: str) -> tuple[str, str] | None:
    """Return the distribution and the part left out of it that a module belongs to."""
    found = next((each for each in _with_packages(name) if each in _DISTRIBUTIONS), None)
    return (_DISTRIBUTIONS[found], found) if found else None


def is_left_out(path: str, parts: frozenset[str]) -> bool:
    """Say whether a file of a library is in a part that is left out; `parts` go along."""
    found = part_of(module_of(path)[0])
    return path in FOR_PEOPLE or (found is not None and found[1] not in parts)


def _with_packages(name: str) -> Iterator[str]:
    """Yield a module and the packages that it lies in."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _is_within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def module_of(path: str) -> tuple[str, bool]:
    """Return the name of the module in a file, and whether it is a package."""
    parts = PurePosixPath(path).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return ".".join(parts[:-1] if is_package else parts), is_package
