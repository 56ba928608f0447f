"""Scopes: which rows of a page a user may see. What cannot be decided shows nothing."""

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import sqlalchemy as sa

from fieldpost.errors import Code, FieldpostError, problem
from fieldpost.users import User

Scope = Callable[[User], sa.ColumnElement[bool]]
"""Says for a user which rows of a page's model she may see."""

ALL_OR_NONE = "Return sqlalchemy.true() for all rows and sqlalchemy.false() for none."

_log = logging.getLogger("fieldpost")
_SOMEBODY = "somebody"
# what a function raises whoever asks; anything else may lie in the user, who is made up here
_MISTAKES = (AttributeError, ImportError, NameError, SyntaxError, TypeError)

# what Python calls to know whether a comparison is true
_TRUTH = sa.BinaryExpression.__bool__.__code__


class ScopeFailed(FieldpostError):
    """Nobody can say which rows a user may see: she sees none."""


class _NoCondition(TypeError):
    """What a scope returns is no condition; the words go on after 'The scope of …'."""


def scope_condition(page: str, scope: Scope, user: User) -> sa.ColumnElement[bool]:
    """Return a user's scope of a page as an SQL condition.

    Raises:
        ScopeFailed: the scope raises, or what it returns is no condition.
    """
    try:
        return _condition(scope(user))
    except Exception as error:
        # an author's code: whatever it raises must never mean all rows
        _log.exception("the scope of the page '%s' failed for %s", page, user.name)
        raise ScopeFailed(
            [problem(Code.SCOPE_FAILED, page, page=page, cause=_words(error))]
        ) from error


def scope_failure(scope: Scope, user: User) -> str:
    """Return in words why a scope fails for a user; empty where it does not."""
    try:
        _condition(scope(user))
    except Exception as error:  # noqa: BLE001 - an author's code, see above
        return _words(error)
    return ""


def scope_faults(
    page: str, scope: Any, table: sa.FromClause, roles: Iterable[str]
) -> Iterator[str]:
    """Yield what can be known to be wrong with a scope before anybody asks.

    It is tried with somebody who has no role, with each role alone, and with all of them.
    """
    if not callable(scope):
        yield (
            f"The scope of the page '{page}' is {scope!r} and no function. Give a function that "
            "takes a user and returns a condition."
        )
        return
    said = set[str]()
    for given in (frozenset[str](), *(frozenset([role]) for role in roles), frozenset(roles)):
        fault = _fault(scope, User(_SOMEBODY, roles=given), table)
        if fault and fault not in said:
            said.add(fault)
            whom = f"somebody with {', '.join(sorted(given))}" if given else "somebody without role"
            yield f"The scope of the page '{page}', asked for {whom}, {fault}"


def _fault(scope: Scope, user: User, table: sa.FromClause) -> str:
    try:
        with _no_python_logic():
            condition = _condition(scope(user))
    except _NoCondition as error:
        return str(error)
    except _MISTAKES as error:
        return f"fails: {_words(error)}. Correct it."
    except Exception:  # noqa: BLE001 - it may know no such user; one that there is gets words
        return ""
    beside = [f for f in sa.select(table).where(condition).get_final_froms() if f is not table]
    if not beside:
        return ""
    named = ", ".join(str(getattr(each, "name", each)) for each in beside)
    return (
        f"compares with '{named}' without saying which row of it, so that any of its rows would "
        "open all. Ask through a relationship (.has() or .any()), or in a subquery."
    )


@contextmanager
def _no_python_logic() -> Iterator[None]:
    """Refuse 'and', 'or', 'not', 'in' and 'if' on comparisons: of ``a and b`` they leave but one.

    SQLAlchemy lets ``==`` and ``!=`` be true or false for purposes of its own. Who asks is seen
    by the profiler's hook, which each thread has for itself: nothing of SQLAlchemy is replaced.
    Where somebody measures with that hook already, it stays hers and nothing is looked for.
    """
    if sys.getprofile() is not None:
        yield
        return
    asked: list[sa.BinaryExpression[Any]] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is _TRUTH and not _is_sqlalchemys(frame.f_back):
            asked.append(frame.f_locals["self"])

    sys.setprofile(look)
    try:
        yield
    except Exception:  # what a function makes of a lost comparison hides where it was lost
        if not asked:
            raise
    finally:
        sys.setprofile(None)
    if asked:
        raise _NoCondition(
            f"takes the comparison '{asked[0]!s:.80}' for a value of Python. In the place of "
            "'and', 'or', 'not' and 'in' use and_(), or_(), not_() and .in_() of SQLAlchemy."
        )


def _is_sqlalchemys(frame: FrameType | None) -> bool:
    name = frame.f_globals.get("__name__", "") if frame is not None else ""
    return str(name).partition(".")[0] == "sqlalchemy"


def _condition(found: Any) -> sa.ColumnElement[bool]:
    """Return what a scope returned, as a condition; raises `_NoCondition`."""
    if found is None:
        raise _NoCondition(f"returns nothing (None): is a return missing? {ALL_OR_NONE}")
    if inspect.iscoroutine(found):
        found.close()
        raise _NoCondition("is async, and nobody waits for it. Make it a plain function.")
    if hasattr(found, "__clause_element__"):
        found = found.__clause_element__()
    if isinstance(found, sa.TextClause):
        raise _NoCondition(
            "returns SQL as text, in which nobody can see what tables it looks at. "
            "Write it with the models' columns."
        )
    if isinstance(found, bool):
        raise _NoCondition(
            f"returns {found}, a value of Python and no condition; 'is', 'in', 'not', 'and' and "
            f"'or' make such values of columns. {ALL_OR_NONE}"
        )
    if not isinstance(found, sa.ColumnElement):
        raise _NoCondition(
            f"returns {found!r:.80} ({type(found).__name__}), which is no condition. {ALL_OR_NONE}"
        )
    kind = found.type
    if not isinstance(getattr(kind, "impl_instance", kind), sa.Boolean):
        raise _NoCondition(
            f"returns '{found!s:.80}' of type {kind!r}, which is neither true nor false. "
            "Return a comparison."
        )
    return found


def _words(error: Exception) -> str:
    if isinstance(error, _NoCondition):
        return f"it {error}".removesuffix(".")
    return f"{type(error).__name__}: {error}"[:200]
