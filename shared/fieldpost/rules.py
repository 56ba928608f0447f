"""Rules: plain Python functions over mapped objects, run on both sides."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fieldpost.errors import Code, Problem, problem

Verdict = tuple[str, str] | str
"""What a rule yields: a path and words, or words for the whole record."""

RuleFunction = Callable[[Any], Iterable[Verdict] | None]
"""What a rule is: a function of a mapped object that yields what is wrong with it."""

_Function = TypeVar("_Function", bound=RuleFunction)


@dataclass(frozen=True, slots=True)
class Rule:
    """Internal: one rule over one model."""

    model: type[Any]
    check: RuleFunction

    @property
    def name(self) -> str:
        """The function's name, for messages and logs."""
        return getattr(self.check, "__name__", "rule")


_registered: dict[type[Any], list[Rule]] = {}


def rule(model: type[Any]) -> Callable[[_Function], _Function]:
    """Register a function as a rule of `model`.

    The function takes one mapped object, may follow its relationships, and yields what is wrong:
    ``yield "signature", "Sign the inspection before you close it."``. A rule that lives in a module
    named ``server`` is never shipped to a device; it runs at the server's replay only.
    """

    def register(function: _Function) -> _Function:
        rules = _registered.setdefault(model, [])
        # a module that is loaded again (a test, a reload) replaces its rules, it does not add them
        rules[:] = [r for r in rules if _identity(r.check) != _identity(function)]
        rules.append(Rule(model, function))
        return function

    return register


def _identity(function: RuleFunction) -> tuple[str, str]:
    return function.__module__, getattr(function, "__qualname__", "")


def rules_of(model: type[Any]) -> tuple[Rule, ...]:
    """Internal: return the rules of a class, those of its base classes first."""
    return tuple(r for cls in reversed(model.__mro__) for r in _registered.get(cls, ()))


def broken_rules(row: Any, *, patient: bool = False) -> Iterator[Problem]:
    """Run all rules of a mapped object and yield what is wrong, with paths inside that object.

    Args:
        row: the mapped object.
        patient: leave out a rule that raises; for records that are not complete yet.
    """
    for each in rules_of(type(row)):
        try:
            verdicts = list(each.check(row) or ())
        except Exception as error:  # noqa: BLE001 - an author's code: whatever it raises becomes a problem
            if not patient:
                cause = f"{type(error).__name__}: {error}"
                yield problem(Code.RULE_FAILED, rule=each.name, cause=cause)
            continue
        for verdict in verdicts:
            path, text = ("", verdict) if isinstance(verdict, str) else verdict
            yield problem(Code.RULE, path, text=text, detail={"rule": each.name})
