"""The fault points: where a process may die between two durable writes, with what is true then.

One is written as a comment, with its name and what it says, in Python and in JavaScript:

    # fault point: receipt-kept — the receipt is stored, the replica is not: the next sync ends it.

The moment is after the statement above the comment and before the one below it. Lines of comment
that follow go on with the sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

PACKAGES = {
    "shared/fieldpost": "On both sides",
    "server/fieldpost_server": "The server",
    "pwa/py/fieldpost_client": "The device, in Python",
    "pwa": "The device, in JavaScript",
}
"""By folder, what runs there; a file belongs to the first that holds it."""

_BEGIN = re.compile(r"\s*(?:#|//) fault point: (?P<name>\S+) — (?P<words>.+)")
_MORE = re.compile(r"\s*(?:#|//) (?!fault point:)(?P<words>.+)")
_MENTION = re.compile(r"(?:#|//|\*).*fault.?point", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """A place at which the process may die.

    Attributes:
        name: unique in the project.
        path: of the file, from the root of the project.
        line: of its comment, counted from 1.
        words: what is true if the process dies right there, and why that is enough.
    """

    name: str
    path: str
    line: int
    words: str

    @property
    def package(self) -> str:
        """Return the folder in `PACKAGES` that it belongs to."""
        return next(folder for folder in PACKAGES if self.path.startswith(f"{folder}/"))


def sources() -> list[Path]:
    """Return the files that are looked through."""
    found = [p for folder in PACKAGES for p in (ROOT / folder).rglob("*.py")]
    found += (p for p in (ROOT / "pwa").rglob("*.js") if "vendor" not in p.parts)
    return sorted(set(found))


def fault_points() -> list[FaultPoint]:
    """Return all of them, by package, file and line."""
    found = [
        point
        for path in sources()
        for point in points_in(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    order = list(PACKAGES)
    return sorted(found, key=lambda p: (order.index(p.package), p.path, p.line))


def points_in(path: str, source: str) -> Iterator[FaultPoint]:
    """Yield the fault points of one file.

    Raises:
        ValueError: a comment was meant for one and cannot be read as one.
    """
    lines = source.splitlines()
    for number, line in enumerate(lines):
        begin = _BEGIN.fullmatch(line)
        if begin is None:
            if _MENTION.search(line):
                raise ValueError(f"{path}:{number + 1}: write '# fault point: name — words'")
            continue
        words = [begin["words"]]
        for following in lines[number + 1 :]:
            more = _MORE.fullmatch(following)
            if more is None:
                break
            words.append(more["words"])
        yield FaultPoint(begin["name"], path, number + 1, " ".join(words))
