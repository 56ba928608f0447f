"""What authors of apps import is known, documented, and changes only when somebody means it."""

import ast
import re
from pathlib import Path

import pytest

import fieldpost
from api_page import PUBLIC, api_page, names_of, undocumented

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "shared" / "fieldpost"
HOMES = {"home", "loading"}
"""Modules at the top of the package that are not for authors."""

APPS = sorted((ROOT / "examples").rglob("*.py"))


def test_the_public_surface_is_as_it_was() -> None:
    """Names, signatures and docstrings of what authors import are those of docs/api.md."""
    kept = (ROOT / "docs" / "api.md").read_text("utf-8")

    assert kept == api_page(), (
        "What authors import has changed. Is that meant, and do apps that are there still run? "
        "Then say so in a fragment in changelog.d, and run scripts/make_docs.py. What is not for "
        "authors gets an underscore, or a docstring that begins with 'Internal:'."
    )


def test_the_package_says_what_is_public() -> None:
    """The package's docstring names the public modules, and nothing else lies beside them."""
    named = re.findall(r"`fieldpost\.(\w+)`", str(fieldpost.__doc__))
    at_the_top = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}

    assert list(PUBLIC) == named
    assert set(PUBLIC) | HOMES == at_the_top


def test_all_that_is_public_is_documented() -> None:
    """Each name that authors may use, and each of its methods, has its words."""
    assert [] == [f"{module}.{name}" for module in PUBLIC for name in undocumented(module)]


@pytest.mark.parametrize("path", APPS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_demo_app_needs_no_more(path: Path) -> None:
    """The demo app is written with the public surface only."""
    assert set() == _imported(path.read_text("utf-8")) - _public()


def test_the_app_of_the_readme_needs_no_more() -> None:
    """The app in the README is written with the public surface only."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    used = _imported(found[1])

    assert used
    assert set() == used - _public()


def _public() -> set[str]:
    return {f"fieldpost.{module}.{name}" for module in PUBLIC for name in names_of(module)}


def _imported(source: str) -> set[str]:
    """Return what a source imports of Fieldpost."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("fieldpost")}
