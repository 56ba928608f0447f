"""A Python source as logical lines, whichever syntax it has.

What devices get has the syntax of their Python, which the server's may be too old to parse. So a
source is read by its brackets, quotes, comments and line ends, as every edition has them.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
    | (?P<quote>\"\"\"|'''|"|')
    | (?P<newline>\n)
    | (?P<continued>\\\n)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<plain>[^\#"'\n\\()\[\]{}]+)
    """,
    re.VERBOSE,
)
_PREFIX = re.compile(r"(?<!\w)[bfrtu]{1,2}\Z", re.IGNORECASE)
_ENDS = {
    "'": re.compile(r"[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL),
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
    "'''": re.compile(r"[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''", re.DOTALL),
    '"""': re.compile(r'[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""', re.DOTALL),
}
_NAMED = re.compile(r"\\N\{[^}]*\}")


class UnreadableSourceError(ValueError):
    """A source whose brackets or quotes do not end."""


@dataclass(slots=True)
class LogicalLine:
    """One statement, or the head of one that has a block.

    Attributes:
        start: where its first line begins.
        begin: where its first word is.
        end: where it ends, before a comment.
        words: its text, strings as ``""``, comments and line ends in it as spaces.
    """

    start: int
    begin: int = -1
    end: int = -1
    words: str = ""

    @property
    def indent(self) -> int:
        """Return how far it is moved in."""
        return self.begin - self.start

    @property
    def opens_block(self) -> bool:
        """Say whether a block of its own follows."""
        return self.words.rstrip().endswith(":")


@dataclass(frozen=True, slots=True)
class Source:
    """What a source consists of.

    Attributes:
        text: the source, its lines ended as on Unix.
        lines: its logical lines.
        comments: where comments begin and end.
    """

    text: str
    lines: list[LogicalLine]
    comments: list[tuple[int, int]]


def read_source(text: str) -> Source:
    """Read a source.

    Raises:
        UnreadableSourceError: a bracket or a string has no end.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines, comments = [LogicalLine(0)], list[tuple[int, int]]()
    words, depth, place = list[str](), 0, 0
    while place < len(text):
        found = _token(text, place)
        kind, now, place = str(found.lastgroup), place, found.end()
        if kind == "comment":
            comments.append((now, place))
            continue
        if kind == "newline" and not depth:
            if _close(lines[-1], words):
                lines.append(LogicalLine(place))
            lines[-1].start, words = place, []
            continue
        if kind == "quote":
            place = _end_of_string(text, place, found[0], _prefix(text, now))
        depth += {"open": 1, "close": -1}.get(kind, 0)
        words.append({"quote": '""', "newline": " ", "continued": " "}.get(kind, found[0]))
        _note(lines[-1], text, now, place)
    if not _close(lines[-1], words):
        lines.pop()
    if depth:
        raise UnreadableSourceError("a bracket has no end")
    return Source(text, lines, comments)


def _note(line: LogicalLine, text: str, now: int, place: int) -> None:
    """Note that a token belongs to a line."""
    bare = text[now:place].strip(" \t\f\\\n")
    if not bare:
        return
    first = text.index(bare[0], now)
    if line.begin < 0:
        line.begin = first
    line.end = now + len(text[now:place].rstrip())


def _close(line: LogicalLine, words: list[str]) -> bool:
    line.words = "".join(words).strip()
    return line.begin >= 0


def _token(text: str, place: int) -> re.Match[str]:
    found = _TOKEN.match(text, place)
    if found is None:
        raise UnreadableSourceError(f"nothing of Python's at {place}")
    return found


def _prefix(text: str, place: int) -> str:
    found = _PREFIX.search(text, max(place - 3, 0), place)
    return found[0].lower() if found else ""


def _end_of_string(text: str, place: int, quote: str, prefix: str) -> int:
    if "f" in prefix or "t" in prefix:
        return _end_of_template(text, place, quote, "r" in prefix)
    found = _ENDS[quote].match(text, place)
    if found is None:
        raise UnreadableSourceError(f"a string has no end at {place}")
    return found.end()


def _end_of_template(text: str, place: int, quote: str, raw: bool) -> int:
    """Return where an f-string ends: since Python 3.12 there may be strings in its fields."""
    while place < len(text):
        if text.startswith(quote, place):
            return place + len(quote)
        sign = text[place]
        if sign == "\\":
            named = None if raw else _NAMED.match(text, place)
            follows = text[place + 1 : place + 2] in ("{", "}")
            place = named.end() if named else place + (1 if follows else 2)
        elif text.startswith("{{", place):
            place += 2
        else:
            place = _end_of_field(text, place + 1) if sign == "{" else place + 1
    raise UnreadableSourceError("an f-string has no end")


def _end_of_field(text: str, place: int) -> int:
    depth = 0
    while place < len(text):
        if text[place] == ":" and not depth:
            return _end_of_format(text, place + 1)
        found = _token(text, place)
        kind, now, place = found.lastgroup, place, found.end()
        if kind == "quote":
            place = _end_of_string(text, place, found[0], _prefix(text, now))
        elif kind == "plain" and not depth and ":" in found[0]:
            place = now + found[0].index(":")
        elif kind == "close" and not depth:
            return place
        depth += {"open": 1, "close": -1}.get(str(kind), 0)
    raise UnreadableSourceError("an f-string has no end")


def _end_of_format(text: str, place: int) -> int:
    while place < len(text) and text[place] != "}":
        place = _end_of_field(text, place + 1) if text[place] == "{" else place + 1
    return place + 1
