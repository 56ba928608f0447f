"""The picture of the house in docs/architecture.md, drawn from `FLOORS` of the tests."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- floors: written by scripts/make_docs.py -->", "<!-- end of floors -->"

_RUNS = {
    "shared/fieldpost": "on both sides",
    "server/fieldpost_server": "on the server",
    "pwa/py/fieldpost_client": "in the browser, and in tests on plain CPython",
    "pwa": "scripts, in the browser",
}


def with_floors(text: str) -> str:
    """Return a page with the picture between its two marks brought up to date."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, "the page has lost the mark where the picture begins"
    assert end, "the page has lost the mark where the picture ends"
    return "".join((before, BEGIN, "\n\n", "\n".join(_picture()), "\n\n", END, after))


def _picture() -> Iterator[str]:
    tables = _tables(ROOT / "tests" / "test_imports.py")
    for number, (root, floors) in enumerate(tables["FLOORS"].items()):
        if number:
            yield ""
        yield from (f"### `{root}`: {_RUNS[root]}", "", "| floor | room | its one job |")
        yield "|---|---|---|"
        lines = floors.strip().splitlines()
        for height, rooms in zip(range(len(lines), 0, -1), lines, strict=True):
            for n, room in enumerate(rooms.split()):
                job = tables["FOLDERS_OF_SCRIPTS"].get(room) if root == "pwa" else None
                yield f"| {'' if n else height} | `{room}` | {job or _job(ROOT / root / room)} |"


def _tables(path: Path) -> Mapping[str, Any]:
    statements = (s for s in ast.parse(path.read_text("utf-8")).body if isinstance(s, ast.Assign))
    named = {ast.unparse(s.targets[0]): s.value for s in statements}
    return {name: ast.literal_eval(named[name]) for name in ("FLOORS", "FOLDERS_OF_SCRIPTS")}


def _job(room: Path) -> str:
    """Return the first sentence of what a folder or a module says of itself."""
    for path in (room / "__init__.py", room.with_suffix(".py")):
        if path.exists():
            words = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            return " ".join(words.partition("\n\n")[0].split())
    script = next(p for p in (room.with_suffix(".js"), room.with_suffix(".d.ts")) if p.exists())
    comment = re.match(r"(?:// ?.*\n)*", script.read_text("utf-8"))
    words = " ".join(re.findall(r"^// ?(.*)$", comment[0] if comment else "", re.MULTILINE))
    return re.split(r"(?<=\.) ", words, maxsplit=1)[0]
