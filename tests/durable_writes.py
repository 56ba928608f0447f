"""Finds in a source what is written durably or locked, and where no fault point says so."""

import ast
import re
from collections.abc import Iterator

from fault_points import FaultPoint

RECEIVERS = {
    "write": {"database", "store", "file"},
    "begin": {"engine"},
    "commit": {"session", "connection", "transaction", "image"},
    "replace": {"os", "part"},
}
"""Names that are common: they count where they are asked of one of these."""

ALWAYS = {
    "write_session",
    "create_all",
    "fsync",
    "flock",
    "rename",
    "unlink",
    "write_bytes",
    "write_text",
    "download_attachment",
    "isolation_level",
    "with_for_update",
    "pg_advisory_xact_lock",
}
LOCKS = {"turn", "_lock"}
"""What is locked by a `with`."""

IN_JAVASCRIPT = re.compile(
    r"(?<!function )\bwrite\((?!text)|\bcache\.(?:put|add)\(|\bcaches\.delete\(|\buseVersion\("
    r"|\bdeleteDatabase\(|\blocks\.request\(|\bdocument\.cookie =|Storage\.clear\("
    r"|\bcreateObjectStore\(|\"readwrite\"|\.unregister\(|durability"
)
_BEGINS = re.compile(r"(?:export |async |default )*(?:function|class|const|let)\b|\w.*\{$")


def uncovered_in_python(source: str, points: list[FaultPoint]) -> list[str]:
    """Return `line: name` of what is durable in a function without a fault point.

    It may stand in the innermost function around it, or directly above that.
    """
    lines = source.splitlines()
    found = []
    for scope, node, name in _durable(ast.parse(source)):
        first, last = _span(scope, lines)
        if not any(first <= point.line <= last for point in points):
            found.append(f"{node.lineno}: {name}")
    return found


def uncovered_in_javascript(source: str, points: list[FaultPoint]) -> list[str]:
    """Return `line: name` of what is durable in a top-level function without a fault point."""
    lines = source.splitlines()
    found, first = list[str](), 1
    for number, line in enumerate(lines, 1):
        if _BEGINS.match(line):
            first = number
        code = line.partition("//")[0]
        name = None if line.lstrip().startswith(("*", "import")) else IN_JAVASCRIPT.search(code)
        if name is None or _defines(code):
            continue
        last = next((n for n in range(number, len(lines)) if lines[n].startswith("}")), len(lines))
        if not any(first <= point.line <= last for point in points):
            found.append(f"{number}: {name[0]}")
    return found


def _defines(code: str) -> bool:
    return bool(re.match(r"(?:export )?(?:async )?function (?:write|useVersion)\b", code))


def _durable(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.expr, str]]:
    """Yield the innermost function, or else the statement, around what is durable."""
    for statement in tree.body:
        yield from _within(statement, statement)


def _within(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.expr, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        scope = node
    if isinstance(node, ast.Attribute) and _is_durable(node):
        yield scope, node, ast.unparse(node)
    if isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            held = item.context_expr
            if isinstance(held, ast.Attribute) and held.attr in LOCKS:
                yield scope, held, ast.unparse(held)
    for child in ast.iter_child_nodes(node):
        yield from _within(child, scope)


def _is_durable(node: ast.Attribute) -> bool:
    if node.attr in ALWAYS:
        return True
    asked = node.value
    name = asked.attr if isinstance(asked, ast.Attribute) else getattr(asked, "id", "")
    return name in RECEIVERS.get(node.attr, ())


def _span(scope: ast.AST, lines: list[str]) -> tuple[int, int]:
    assert isinstance(scope, ast.stmt)
    decorators = getattr(scope, "decorator_list", [])
    first = min([scope.lineno, *(each.lineno for each in decorators)])
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first, scope.end_lineno or scope.lineno
