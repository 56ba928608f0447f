"""Every rule that an author writes is run: none takes the place of another by mistake."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldpost.rules import _registered, broken_rules

RULES = """
from fieldpost.rules import rule
from ruled_thing import Thing


def must(what):
    @rule(Thing)
    def check(thing):
        yield f"It must {what}."


must("be whole")
must("be clean")


@rule(Thing)
def _(thing):
    yield "It is blue."


@rule(Thing)
def _(thing):
    yield "It is old."
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module with rules over a class of another one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "ruled_thing.py").write_text("class Thing:\n    pass\n", "utf-8")
    (tmp_path / "ruled.py").write_text(RULES, "utf-8")
    yield "ruled"
    thing = sys.modules["ruled_thing"].__dict__["Thing"]
    _registered.pop(thing)
    for name in ("ruled", "ruled_thing"):
        sys.modules.pop(name)


def said(module: str) -> list[str]:
    thing = sys.modules[module].__dict__["Thing"]
    return [found.message for found in broken_rules(thing())]


ALL = ["It must be whole.", "It must be clean.", "It is blue.", "It is old."]


def test_rules_of_one_name_are_all_run(module: str) -> None:
    """A rule that a factory made twice, or that has no name of its own, is not lost (R16)."""
    importlib.import_module(module)

    assert ALL == said(module)


def test_a_module_that_is_loaded_again_says_nothing_twice(module: str) -> None:
    """Its rules take the place of those that it had before."""
    loaded = importlib.import_module(module)

    importlib.reload(loaded)

    assert ALL == said(module)
