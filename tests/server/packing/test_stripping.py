"""Sources for devices are stripped of what only readers need (R9)."""

import ast
import zipfile
from pathlib import Path

import pytest

from fieldpost_server.delivery.wheels import DISTRIBUTIONS, OWN_PACKAGES, library_files
from fieldpost_server.packing.logical_lines import UnreadableSourceError, read_source
from fieldpost_server.packing.stripping import strip_file, strip_source

ROOT = Path(__file__).parents[3]
PYODIDE = ROOT / "node_modules" / "pyodide" / "python_stdlib.zip"

CASES = {
    "a comment": ("x = 1  # one\n", "x = 1\n"),
    "a comment alone": ("if x:\n    # why\n    y\n", "if x:\n\n    y\n"),
    "no comment": ('x = "# one"\n', 'x = "# one"\n'),
    "a module's docstring": ('"""Says\n\nmuch."""\nx = 1\n', "\n\n\nx = 1\n"),
    "a function's": ('def f():\n    """Says."""\n    return 1\n', "def f():\n\n    return 1\n"),
    "all of a function": (
        'def f():\n    """Says\n    much."""\nx = 1\n',
        "def f():\n    pass\n\nx = 1\n",
    ),
    "a class of nothing else": (
        'class E(Exception):\n    "Says."\n',
        "class E(Exception):\n    pass\n",
    ),
    "strings side by side": ("def f():\n    \"a\" 'b'\n    return\n", "def f():\n\n    return\n"),
    "a head of several lines": (
        'async def f(\n    x={},\n):  # first\n    r"""Says."""\n    return x\n',
        "async def f(\n    x={},\n):\n\n    return x\n",
    ),
    "what a decorator may read": (
        '@dataclass\nclass C:\n    """Says\n    much."""\n    x: int\n',
        '@dataclass\nclass C:\n    "."\n\n    x: int\n',
    ),
    "the words under a value": ('x = 1\n"""Says."""\ny = 2\n', "x = 1\n\ny = 2\n"),
    "a string that is a value": ('x = """a\n# b\n"""\n', 'x = """a\n# b\n"""\n'),
    "bytes and templates": ('def f():\n    b"a"\n    return\n', 'def f():\n    b"a"\n    return\n'),
    "alone in a branch": ('if x:\n    "a"\nelse:\n    "b"\n', "if x:\n    pass\nelse:\n    pass\n"),
    "behind a semicolon": ('def f():\n    "a"; return\n', 'def f():\n    "a"; return\n'),
    "for the type checker": (
        "if typing.TYPE_CHECKING:\n    from a import b\n\n    c = b\nelse:\n    b = 1\n",
        "if typing.TYPE_CHECKING:\n    pass\n\n\nelse:\n    b = 1\n",
    ),
    "overloads": (
        "class C:\n @overload\n def f(s, x): ...\n @overload\n def f(s):\n  ...\n def f(s):\n  x\n",
        "class C:\n\n\n\n\n\n def f(s):\n  x\n",
    ),
    "overloads of another kind": (
        "class C:\n @classmethod\n @overload\n def f(c): ...\n def f(c):\n  return c\n",
        "class C:\n @classmethod\n @overload\n def f(c): ...\n def f(c):\n  return c\n",
    ),
    "overloads alone": (
        "class C(Protocol):\n    @overload\n    def f(self): ...\n    x: int\n",
        "class C(Protocol):\n    @overload\n    def f(self): ...\n    x: int\n",
    ),
    "quotes in a template": (
        "x = f'{d['a']:{'>'}{w}} {{ # no' # yes\n",
        "x = f'{d['a']:{'>'}{w}} {{ # no'\n",
    ),
    "a name in a template": ('x = f"\\N{DASH}{y}"  # yes\n', 'x = f"\\N{DASH}{y}"\n'),
    "lines of Windows": ("x = 1  # a\r\ny = 2\r\n", "x = 1\ny = 2\n"),
    "a line that goes on": ("x = 1 + \\\n    2  # a\n", "x = 1 + \\\n    2\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name: str) -> None:
    """Comments, docstrings and what is never run are gone; each line stays where it was."""
    source, expected = CASES[name]

    assert expected == strip_source(source)
    assert source.replace("\r\n", "\n").count("\n") == strip_source(source).count("\n")


@pytest.mark.parametrize(
    "content",
    [b"# coding: latin-1\nx = '\xe9'  # y\n", b"x = '\xff'\n", b"x = (  # y\n", b"x = '\n"],
)
def test_what_cannot_be_read_stays(content: bytes) -> None:
    """A source in another encoding, or one that is none, is shipped as it is."""
    assert content == strip_file(content)


@pytest.mark.parametrize("text", ["(", "'''", "'", 'f"{', 'f"{x', 'f"{x:', "?", "\\x"])
def test_what_has_no_end_is_an_error(text: str) -> None:
    """Nothing is guessed of a source that breaks off, but for signs that no line of Python has."""
    if text == "?":
        assert ["?"] == [line.words for line in read_source(text).lines]
        return
    with pytest.raises(UnreadableSourceError):
        read_source(text)


UNSEEN = {"TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING"}


def _trees(text: str) -> str | None:
    """Return a source as what Python does with it, or None if it is too new for this Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        for name in ("end_lineno", "end_col_offset"):
            if hasattr(node, name):
                setattr(node, name, 0)
        for name in ("body", "orelse", "finalbody"):
            if isinstance(getattr(node, name, None), list):
                setattr(node, name, _done(getattr(node, name)))
    return ast.dump(tree, include_attributes=True)


def _done(body: list[ast.stmt]) -> list[ast.stmt]:
    """Leave out statements that do nothing, and functions that the next one replaces."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) in UNSEEN:
            statement.body = []
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if is_text and isinstance(statement.value.value, str):  # type: ignore[attr-defined]  # a text
            continue
        if not isinstance(statement, ast.Pass):
            found.append(statement)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        each
        for each, after in zip(found, [*found[1:], None], strict=False)
        if not (
            isinstance(each, functions)
            and isinstance(after, functions)
            and each.name == after.name
            and any("overload" in ast.unparse(one) for one in each.decorator_list)
        )
    ]


def _sources() -> dict[str, str]:
    found: dict[str, str] = {}
    with zipfile.ZipFile(PYODIDE) as archive:
        found |= {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".py")}
    for name in DISTRIBUTIONS:
        for path, place in library_files(name).items():
            if path.endswith(".py"):
                found[path] = place.read_text("utf-8")
    for root in ("shared", "pwa/py"):
        for place in (ROOT / root).rglob("*.py"):
            found[str(place)] = place.read_text("utf-8")
    return found


@pytest.mark.long
def test_what_is_stripped_does_the_same_in_the_same_lines() -> None:
    """Of every source that devices get, the tree with its line numbers is what it was."""
    assert {"fieldpost", "fieldpost_client"} == set(OWN_PACKAGES)
    unlike, too_new = [], []
    for name, text in _sources().items():
        before = _trees(text)
        if before is None:
            too_new.append(name)
        elif before != _trees(strip_source(text)):
            unlike.append(name)

    assert [] == unlike
    assert len(too_new) < 20
