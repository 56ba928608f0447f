"""The project's habits are kept by tools: changelog fragments, and what runs before a commit."""

import re
from pathlib import Path

import pytest

from changelog import KINDS, FragmentError, fragments_in, release

ROOT = Path(__file__).parent.parent

CHANGELOG = """# Changelog

## [Unreleased]

The first edition.

### Added

- The app.

### Fixed

- A fault.

## [0.0.1] - 2026-01-01

### Added

- The idea.
"""

RELEASED = """# Changelog

## [Unreleased]

## [0.1.0] - 2026-11-26

The first edition.

### Added

- The app.
- A list that sorts.

### Fixed

- A fault.

### Changed

- One thing. And another.

## [0.0.1] - 2026-01-01

### Added

- The idea.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    (folder / "README.md").write_text("# Fragments\n", "utf-8")
    (folder / "sorted-lists.added.md").write_text("A list that\nsorts.\n", "utf-8")
    (folder / "things.changed.md").write_text("One thing. And another.\n", "utf-8")
    return tmp_path


def test_every_fragment_is_well_formed() -> None:
    """Each file of changelog.d says its kind in its name, and holds plain sentences for users."""
    assert set(fragments_in(ROOT / "changelog.d")) <= set(KINDS)


def test_a_release_moves_the_fragments_into_the_changelog(checkout: Path) -> None:
    """Fragments join what is unreleased, kind by kind, and are gone; what was released stays."""
    release(checkout, "0.1.0", "2026-11-26")

    assert RELEASED == (checkout / "CHANGELOG.md").read_text("utf-8")
    assert ["README.md"] == [path.name for path in (checkout / "changelog.d").iterdir()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("things.md", "One thing."),
        ("things.feature.md", "One thing."),
        ("Things.added.md", "One thing."),
        ("things.added.txt", "One thing."),
        ("things.added.md", " \n"),
        ("things.added.md", "- One thing."),
        ("things.added.md", "# One thing."),
        ("things.added.md", "One thing"),
        ("things.added.md", "One thing after the other. " * 20),
    ],
)
def test_a_malformed_fragment_is_refused(checkout: Path, name: str, text: str) -> None:
    """A fragment of no known kind, or that is no plain sentence, stops a release: nothing moves."""
    (checkout / "changelog.d" / name).write_text(text, "utf-8")

    with pytest.raises(FragmentError, match=re.escape(name)):
        release(checkout, "0.1.0", "2026-11-26")

    assert CHANGELOG == (checkout / "CHANGELOG.md").read_text("utf-8")
    assert (checkout / "changelog.d" / "sorted-lists.added.md").exists()


def test_a_commit_is_checked_as_lint_does() -> None:
    """What runs before a commit is what `make lint` runs, command by command."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    found = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert found is not None
    commands = [line.strip().replace("$(VENV)", ".venv") for line in found[1].splitlines()]

    assert commands == re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    assert len(commands) == hooks.count("pass_filenames: false") == hooks.count("language: system")
