"""The page of the public surface, docs/api.md, made from the sources of what authors import."""

import ast
from collections.abc import Iterator
from pathlib import Path

SHARED = Path(__file__).parent.parent / "shared" / "fieldpost"
PUBLIC = ("app", "pages", "rules", "types", "users", "moments", "pins", "errors")
"""The modules that authors import, as `fieldpost/__init__.py` says; the rest is internal."""

INTERNAL = "Internal:"
"""So begins the docstring of what lies in a public module and is not for authors."""

_INTRODUCTION = """# API

What authors of apps import. Everything else is internal and may change at any time.

This page is written by `scripts/make_docs.py` from the docstrings. `tests/test_api.py` compares it
with the code.
"""

_SECTIONS = ("Args:", "Attributes:", "Raises:")

Documented = tuple[ast.stmt, str, str]
"""A statement, the name that it defines, and its docstring."""


def api_page() -> str:
    """Return the text of docs/api.md."""
    lines = [_INTRODUCTION.rstrip()]
    for name in PUBLIC:
        module = _module(name)
        lines += ["", f"## fieldpost.{name}", "", *_prose(ast.get_docstring(module) or "")]
        for statement, symbol, words in public_names(module):
            lines += ["", f"### {symbol}", "", "```text", *_signature(statement), "```", ""]
            lines += _prose(words)
            if symbol == "Code":
                lines += ["", "They are listed in [errors.md](errors.md)."]
            if isinstance(statement, ast.ClassDef):
                lines += _members(statement)
    return "\n".join(lines) + "\n"


def names_of(module: str) -> list[str]:
    """Return the public names of a public module."""
    return [name for _, name, _ in public_names(_module(module))]


def undocumented(module: str) -> Iterator[str]:
    """Yield the public names of a module, and methods of its classes, that have no docstring."""
    for statement, name, words in public_names(_module(module)):
        if not words:
            yield name
        members = public_names(statement) if isinstance(statement, ast.ClassDef) else ()
        yield from (
            f"{name}.{member}"
            for each, member, said in members
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not said
        )


def public_names(body: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """Yield what a module or a class defines for authors; what has no docstring, with none."""
    following = [*body.body[1:], ast.Pass()]
    for statement, after in zip(body.body, following, strict=True):
        name = _defined(statement)
        words = _words(statement, after)
        if name and not name.startswith("_") and not words.startswith(INTERNAL):
            yield statement, name, words


def _module(name: str) -> ast.Module:
    return ast.parse((SHARED / f"{name}.py").read_text("utf-8"))


def _defined(statement: ast.stmt) -> str:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return statement.name
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _words(statement: ast.stmt, after: ast.stmt) -> str:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(statement) or ""
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        return str(after.value.value)
    return ""


def _signature(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in statement.bases)
        head = f"class {statement.name}({bases})" if bases else f"class {statement.name}"
        return [head, *_made_with(statement)]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [_call(statement)]
    if isinstance(statement, ast.AnnAssign):
        return [f"{ast.unparse(statement.target)}: {ast.unparse(statement.annotation)}"]
    return [ast.unparse(statement)]


def _call(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    start = "@contextmanager\n" if "contextmanager" in _decorators(function) else ""
    return f"{start}def {function.name}({ast.unparse(function.args)}){returns}"


def _made_with(cls: ast.ClassDef) -> list[str]:
    """Return how a class is made: its `__init__`, its fields as a dataclass, or its members."""
    if cls.name == "Code":
        return []
    for statement in cls.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return [f"    {_call(statement)}"]
    return [
        f"    {ast.unparse(statement)}"
        for statement in cls.body
        if isinstance(statement, ast.AnnAssign | ast.Assign)
        and not _defined(statement).startswith("_")
        and "init=False" not in ast.unparse(statement)
    ]


def _members(cls: ast.ClassDef) -> Iterator[str]:
    for statement in cls.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            first, *rest = _prose(ast.get_docstring(statement) or "")
            if first:
                yield from ("", f"- `{cls.name}(…)`: {first}", *(f"  {x}".rstrip() for x in rest))
    for statement, name, words in public_names(cls):
        if not isinstance(statement, ast.FunctionDef):
            continue
        is_value = {"property", "cached_property"} & _decorators(statement)
        call = ast.unparse(statement.args).removeprefix("self").removeprefix("cls").lstrip(", ")
        returns = ast.unparse(statement.returns) if statement.returns else "None"
        shown = f"{name}: {returns}" if is_value else f"{name}({call}) -> {returns}"
        first, *rest = _prose(words)
        yield from ("", f"- `{shown}`: {first}", *(f"  {line}".rstrip() for line in rest))


def _decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {ast.unparse(each) for each in function.decorator_list}


def _prose(words: str) -> list[str]:
    """Return a docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    in_section = False
    for line in words.replace("``", "`").splitlines():
        if line.strip() in _SECTIONS:
            in_section = True
            lines += [f"{line.strip()}", ""]
        elif not in_section or not line.startswith("    "):
            in_section = in_section and not line.strip()
            lines.append(line)
        elif line.startswith("        "):
            lines[-1] += f" {line.strip()}"
        else:
            name, _, text = line.strip().partition(": ")
            lines.append(f"- `{name}`: {text}")
    return lines or [""]
