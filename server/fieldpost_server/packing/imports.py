"""Which modules a source imports, at its top and inside functions."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from fieldpost_server.packing.logical_lines import UnreadableSourceError, read_source

_IMPORT = re.compile(r"(?:^|[;:]\s*)((?:import|from)\b[^;]*\bimport\b[^;]*|import\b[^;]*)")
_MODULE_NAME = re.compile(r"[a-z_]\w*(\.\w+)*", re.IGNORECASE)
_FORGIVING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a source names.

    Attributes:
        name: its absolute name; of ``from a import b`` also ``a.b``, which may be no module.
        line: where it is named, from 1.
        is_late: it is imported when something is done, not when the source is loaded.
        is_sure: the source fails without it; not where it is prepared for that, or where ``name``
            may be no module.
    """

    name: str
    line: int = 0
    is_late: bool = False
    is_sure: bool = True


def imports_of(text: str, module: str, *, is_package: bool = False) -> list[Import]:
    """Return the imports of a source of any edition of Python; of one that is unreadable none.

    Args:
        text: the source.
        module: its absolute name.
        is_package: it is the ``__init__`` of a package.
    """
    try:
        lines = read_source(text).lines
    except UnreadableSourceError:
        return []
    found = list[Import]()
    for line in lines:
        if "import" not in line.words:
            continue
        for statement in _IMPORT.findall(line.words):
            found += _of_statement(statement.strip(), module, is_package, late=line.indent > 0)
    return found


def _of_statement(statement: str, module: str, is_package: bool, *, late: bool) -> list[Import]:
    try:
        (node,) = ast.parse(statement).body
    except (SyntaxError, ValueError):
        return []  # the word stands in something else
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return []
    return [Import(name, is_late=late) for name, _ in _names(node, module, is_package)]


def imports_of_app(text: str, module: str, *, is_package: bool = False) -> list[Import]:
    """Return the imports of a source that this Python runs, and modules that its strings name.

    Left out is what only a type checker sees.

    Raises:
        SyntaxError: it is no Python.
    """
    found = list[Import]()
    for node, sure, late in _walk(ast.parse(text), sure=True, late=False):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, is_module in _names(node, module, is_package):
                found.append(Import(name, node.lineno, late, sure and is_module))
        elif name := _said(node):
            found.append(Import(name, getattr(node, "lineno", 0), late, is_sure=False))
    return found


def _said(node: ast.AST) -> str:
    """Return what may be the name of a module in a text: any with a dot, others where imported."""
    text, least = node, 1
    if isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__"):
        text, least = (node.args or [node])[0], 0
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return ""
    found = _MODULE_NAME.fullmatch(text.value) if len(text.value) < 100 else None
    return text.value if found and text.value.count(".") >= least else ""


def _walk(node: ast.AST, *, sure: bool, late: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
    for child, is_sure in _children(node, sure):
        yield child, is_sure, late
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, sure=is_sure, late=late or inside)


def _children(node: ast.AST, sure: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield what stands in a node, and whether it is sure to be needed."""
    prepared: Sequence[ast.AST] = node.body if _is_prepared(node) else []
    unseen: Sequence[ast.AST] = []
    if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
        unseen = node.body
    for child in ast.iter_child_nodes(node):
        if child not in unseen:
            yield child, sure and child not in prepared


def _is_prepared(node: ast.AST) -> TypeGuard[ast.Try | ast.With]:
    """Say whether what stands in the body of a node may fail to be imported."""
    if isinstance(node, ast.Try):
        return any(_forgives(handler.type) for handler in node.handlers)
    return isinstance(node, ast.With) and any(_suppresses(each.context_expr) for each in node.items)


def _forgives(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    each = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_last_name(one) in _FORGIVING for one in each)


def _suppresses(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and _last_name(context.func) == "suppress"
        and any(_forgives(one) for one in context.args)
    )


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(
    node: ast.Import | ast.ImportFrom, module: str, is_package: bool
) -> Iterator[tuple[str, bool]]:
    """Yield the absolute names that a statement imports, and whether each is surely a module."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, True) for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        above = parts[: len(parts) - node.level + is_package]
        base = ".".join([*above, base] if base else above)
    if base:
        yield base, True
    yield from ((f"{base}.{alias.name}", False) for alias in node.names if alias.name != "*")
