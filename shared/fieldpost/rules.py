"""Rules: plain Python functions over mapped objects, run on both sides."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeGuard, TypeVar

from fieldpost.errors import Code, Problem, problem
from fieldpost.schema.fields import words
from fieldpost.schema.unreadable import judging, unreadable_attributes

Verdict = tuple[str, str] | str
"""What a rule yields: a path and words, or words for the whole record."""

RuleFunction = Callable[[Any], Iterable[Verdict] | None]
"""What a rule is: a function of a mapped object that yields what is wrong with it."""

_Function = TypeVar("_Function", bound=RuleFunction)
_log = logging.getLogger("fieldpost")


@dataclass(frozen=True, slots=True)
class Rule:
    """Internal: one rule over one model; `load` tells apart how often its module was loaded."""

    model: type[Any]
    check: RuleFunction
    load: object = None

    @property
    def name(self) -> str:
        """The function's name, for messages and logs."""
        return getattr(self.check, "__name__", "rule")

    def replaces(self, other: "Rule") -> bool:
        """Say whether it is another's successor, or that one itself.

        Two of one name that a module has at once are two rules: a factory makes such, and authors
        who need no names call each ``_``.
        """
        if self.check is other.check:
            return True
        return self.load is not other.load and _identity(self.check) == _identity(other.check)


_registered: dict[type[Any], list[Rule]] = {}


def rule(model: type[Any]) -> Callable[[_Function], _Function]:
    """Register a function as a rule of `model`.

    The function takes one mapped object, may follow its relationships, and yields what is wrong:
    ``yield "signature", "Sign the inspection before you close it."``. A rule that lives in a module
    named ``server`` is never shipped to a device; it runs at the server's replay only.
    """

    def register(function: _Function) -> _Function:
        made = Rule(model, function, getattr(function, "__globals__", {}).get("__spec__"))
        rules = _registered.setdefault(model, [])
        # a module that is loaded again (a test, a reload) replaces its rules, it does not add them
        rules[:] = [each for each in rules if not made.replaces(each)]
        rules.append(made)
        return function

    return register


def _identity(function: RuleFunction) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__qualname__", "")


def rules_of(model: type[Any]) -> tuple[Rule, ...]:
    """Internal: return the rules of a class, those of its base classes first."""
    return tuple(r for cls in reversed(model.__mro__) for r in _registered.get(cls, ()))


def broken_rules(row: Any, *, patient: bool = False) -> Iterator[Problem]:
    """Run all rules of a mapped object and yield what is wrong, with paths inside that object.

    A row with a value that cannot be read is handed to no rule: that is what is wrong with it.
    A rule that meets such a value in another row is one that failed.

    Args:
        row: the mapped object.
        patient: leave out a rule that raises; for records that are not complete yet.
    """
    rules = rules_of(type(row))
    if rules and (names := unreadable_attributes(row)):
        if not patient:
            yield from (problem(Code.UNREADABLE, name, label=words(name)) for name in names)
        return
    for each in rules:
        try:
            with judging():
                verdicts = list(_verdicts(each.check(row)))
        except Exception as error:  # noqa: BLE001 - an author's code: whatever it raises becomes a problem
            if not patient:
                _log.exception("the rule '%s' failed", each.name)
                yield problem(Code.RULE_FAILED, rule=each.name, cause=_cause(error, each.check))
            continue
        for path, text in verdicts:
            yield problem(Code.RULE, path, text=text, detail={"rule": each.name})


def _verdicts(found: Any) -> Iterator[tuple[str, str]]:
    """Yield path and words of what a rule returned; one verdict need not be in a list.

    Raises:
        TypeError: it is none: an unclear verdict must not count as none.
    """
    if found is None:
        return
    if isinstance(found, str) or _is_pair(found):
        found = [found]
    elif isinstance(found, Mapping) or not isinstance(found, Iterable):
        raise TypeError(f"it returned {found!r:.80} and not what is wrong")
    for each in found:
        if isinstance(each, str):
            yield "", each
        elif _is_pair(each):
            yield each
        else:
            raise TypeError(f"it yielded {each!r:.80} and not words, or a field and words")


def _is_pair(found: Any) -> TypeGuard[tuple[str, str]]:
    if not isinstance(found, tuple) or len(found) != 2:
        return False
    return isinstance(found[0], str) and isinstance(found[1], str)


def _cause(error: Exception, check: RuleFunction) -> str:
    """Return what a rule raised, and the line of its module that did."""
    code = getattr(check, "__code__", None)
    path = getattr(code, "co_filename", "")
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    where = f"; {PurePath(path).name}, line {lines[-1].lineno}" if lines else ""
    return f"{type(error).__name__}: {error}"[:200] + where
