"""Loads an author's app; whatever stops it is said with the file and line of her own."""

import __future__

import importlib
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

import fieldpost
import fieldpost_server
from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError, FieldpostError, Problem, problem

_NOT_HERS = tuple(
    str(Path(folder).resolve())
    for folder in (
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        Path(str(fieldpost.__file__)).parent,
        Path(str(fieldpost_server.__file__)).parent,
    )
)


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
    if _postpones(error.__traceback__):
        hint = (
            " That module has 'from __future__ import annotations', which models cannot read: "
            "take it out."
        )
    return problem(
        Code.APP_FAILED, "app", where=where(error), cause=cause[:500].rstrip("."), hint=hint
    )


def _is_above(missing: str, module: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def where(error: BaseException) -> str:
    """Return file and line of the author's own code that an error came from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_hers(f.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "the app"


def _is_hers(filename: str) -> bool:
    if filename.startswith("<"):
        return False
    return not str(Path(filename).resolve()).startswith(_NOT_HERS)


def _postpones(trace: TracebackType | None) -> bool:
    """Say whether a module of the author's that an error came through postpones annotations."""
    while trace is not None:
        names = trace.tb_frame.f_globals
        if _is_hers(trace.tb_frame.f_code.co_filename) and (
            names.get("annotations") is __future__.annotations
        ):
            return True
        trace = trace.tb_next
    return False
