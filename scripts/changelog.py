"""Gather changelog fragments: ``python scripts/changelog.py [VERSION]``.

Without a version it shows what is waiting in changelog.d. With one it moves that into CHANGELOG.md,
beneath the version and today's date, together with what stands under "Unreleased" there.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")
UNRELEASED = "## [Unreleased]\n"

_NAME = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)\.([a-z]+)\.md", re.ASCII)
_MOST_CHARACTERS = 500

Fragments = Mapping[str, Sequence[str]]
"""By kind: the entries."""


class FragmentError(ValueError):
    """A fragment is not as changelog.d/README.md wants it."""


def fragments_in(folder: Path) -> Fragments:
    """Return the fragments of a folder.

    Raises:
        FragmentError: one of them is malformed.
    """
    found: dict[str, list[str]] = {}
    for path in _files(folder):
        named = _NAME.fullmatch(path.name)
        if named is None or named[2] not in KINDS:
            raise FragmentError(f"{path.name}: the name must be words-of-the-change.<kind>.md")
        found.setdefault(named[2], []).append(_entry(path))
    return {kind: found[kind] for kind in KINDS if kind in found}


def released(changelog: str, fragments: Fragments, version: str, day: str) -> str:
    """Return the changelog with all that is unreleased, and the fragments, under a version."""
    before, mark, rest = changelog.partition(UNRELEASED)
    if not mark:
        raise FragmentError("CHANGELOG.md has no section [Unreleased]")
    section, following, after = rest.partition("\n## [")
    for kind, entries in fragments.items():
        section = _with_entries(section, kind.capitalize(), entries)
    head = f"{UNRELEASED}\n## [{version}] - {day}\n"
    return f"{before}{head}{section.rstrip()}\n{following}{after}"


def release(root: Path, version: str, day: str) -> None:
    """Move the fragments of a checkout into its changelog."""
    changelog, folder = root / "CHANGELOG.md", root / "changelog.d"
    text = released(changelog.read_text("utf-8"), fragments_in(folder), version, day)
    changelog.write_text(text, "utf-8")
    # should it stop here, the next run would say everything twice, and git shows that
    for path in _files(folder):
        path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "README.md")


def _entry(path: Path) -> str:
    text = path.read_text("utf-8")
    entry = " ".join(text.split())
    if not entry or len(entry) > _MOST_CHARACTERS:
        raise FragmentError(f"{path.name}: say it in 1 to {_MOST_CHARACTERS} characters")
    if text.lstrip().startswith(("#", "-", "*")) or not entry.endswith("."):
        raise FragmentError(f"{path.name}: plain sentences, without a heading or a bullet")
    return entry


def _with_entries(section: str, title: str, entries: Sequence[str]) -> str:
    """Return a section of the changelog with entries at the end of one of its lists."""
    lines = "".join(f"- {entry}\n" for entry in entries)
    before, heading, rest = section.partition(f"### {title}\n")
    if not heading:
        return f"{section.rstrip()}\n\n### {title}\n\n{lines}"
    listed, following, after = rest.partition("\n### ")
    return f"{before}{heading}{listed.rstrip()}\n{lines}{following}{after}"


def main(arguments: Sequence[str]) -> None:
    """Show what is waiting, or release it."""
    if arguments:
        release(ROOT, arguments[0], datetime.now(UTC).date().isoformat())
        return
    for kind, entries in fragments_in(ROOT / "changelog.d").items():
        print(f"{kind.capitalize()}:", *(f"- {entry}" for entry in entries), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
