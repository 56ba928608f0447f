"""How server and device find the author's app by the name that the settings give it.

Whatever stops it is said with the file and line of her own.
"""

import __future__

import importlib
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, FieldpostError, Problem, problem


def load_app(name: str) -> App:
    """Import an author's app, named as ``package.module:attribute``.

    Raises:
        DefinitionError: it cannot be found, cannot be imported, or is no app.
    """
    if not name.strip():
        raise DefinitionError([problem(Code.APP_MISSING, "app")])
    module, _, attribute = name.partition(":")
    try:
        loaded = importlib.import_module(module)
    except FieldpostError:
        raise
    except Exception as error:
        raise DefinitionError([_import_problem(module, error)]) from error
    attribute = attribute or "app"
    found = getattr(loaded, attribute, None)
    if isinstance(found, App):
        return found
    known = ", ".join(sorted(n for n, value in vars(loaded).items() if isinstance(value, App)))
    raise DefinitionError(
        [
            problem(
                Code.APP_NOT_FOUND, "app", module=module, attribute=attribute, known=known or "none"
            )
        ]
    )


def _import_problem(module: str, error: Exception) -> Problem:
    if isinstance(error, ModuleNotFoundError) and _is_above(str(error.name), module):
        return problem(Code.APP_NOT_IMPORTABLE, "app", module=module, missing=error.name)
    if isinstance(error, ValueError) and module.startswith("."):
        return problem(Code.APP_NOT_IMPORTABLE, "app", module=module, missing=module)
    cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no words'}"
    hint = ""
    package = module.partition(".")[0]
    if _postpones(package, error.__traceback__):
        hint = (
            " That module has 'from __future__ import annotations', which models cannot read: "
            "take it out."
        )
    return problem(
        Code.APP_FAILED,
        "app",
        where=_where(package, error),
        cause=cause[:500].rstrip("."),
        hint=hint,
    )


def _is_above(missing: str, module: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def _where(package: str, error: BaseException) -> str:
    """Return file and line of the author's own code that an error came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    walked = traceback.walk_tb(error.__traceback__)
    hers = [(f.f_code.co_filename, line) for f, line in walked if _is_hers(package, f.f_globals)]
    return f"{hers[-1][0]}, line {hers[-1][1]}" if hers else "The app"


def _is_hers(package: str, names: Mapping[str, Any]) -> bool:
    return str(names.get("__name__", "")).partition(".")[0] == package


def _postpones(package: str, trace: TracebackType | None) -> bool:
    """Say whether a module of the author's that an error came through postpones annotations."""
    return any(
        _is_hers(package, frame.f_globals)
        and frame.f_globals.get("annotations") is __future__.annotations
        for frame, _ in traceback.walk_tb(trace)
    )
