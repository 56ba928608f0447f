"""Python sources without what only readers and type checkers need: devices just run them.

Left out are comments, docstrings, what stands under ``TYPE_CHECKING``, and overloads. What is left
stands in its own line, so that tracebacks name the right one: empty lines cost next to nothing
once they are compressed.
"""

import re
from collections.abc import Iterator, Sequence

from fieldpost_server.packing.logical_lines import (
    LogicalLine,
    Source,
    UnreadableSourceError,
    read_source,
)

_STRINGS = re.compile(r'(?:[ru]?""\s*)+', re.IGNORECASE)
_HEAD = re.compile(r"(?:(?:async\s+)?def|class)\b\s*(\w*)")
_CHECKED = re.compile(r"if\s+(?:\w+\.)?TYPE_CHECKING\s*:")
_OVERLOAD = re.compile(r"@(?:\w+\.)?overload")
_OTHER_CODING = re.compile(
    rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*(?!utf-?8\b)", re.IGNORECASE
)

Edit = tuple[int, int, str]
"""From where to where, and what takes the place of the words; line ends stay."""


def strip_file(content: bytes) -> bytes:
    """Return the source of a module with what is run only.

    One that is not in UTF-8, or that cannot be read, stays as it is.
    """
    if _OTHER_CODING.match(content):
        return content
    try:
        return strip_source(content.decode("utf-8-sig")).encode()
    except (UnicodeDecodeError, UnreadableSourceError):
        return content


def strip_source(text: str) -> str:
    """Return a source with what is run only.

    Raises:
        UnreadableSourceError: a bracket or a string has no end.
    """
    source = read_source(text)
    text = source.text
    edits = [(_before(text, begin), end, "") for begin, end in source.comments]
    edits += [*_strings(source), *_unseen(source.lines), *_overloads(source.lines)]
    kept, place = list[str](), 0
    for begin, end, instead in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if begin < place:
            continue  # it lies within what is gone already
        kept += [text[place:begin], instead, "\n" * text.count("\n", begin, end)]
        place = end
    return "".join([*kept, text[place:]])


def _before(text: str, place: int) -> int:
    """Return where the blanks before a place begin."""
    while place and text[place - 1] in " \t":
        place -= 1
    return place


def _strings(source: Source) -> Iterator[Edit]:
    """Yield the statements that are strings."""
    lines = source.lines
    for index, line in enumerate(lines):
        if _STRINGS.fullmatch(line.words) and (instead := _instead(lines, index)) is not None:
            yield (line.begin if instead else line.start), line.end, instead


def _instead(lines: Sequence[LogicalLine], index: int) -> str | None:
    """Return what a statement of strings becomes; None: it stays."""
    if index == 0 or not lines[index - 1].opens_block:
        return ""  # the module's, or one that follows something in its block
    is_decorated = index > 1 and lines[index - 2].words.startswith("@")
    if is_decorated and _HEAD.match(lines[index - 1].words):
        # decorators look at it: `dataclass` makes one where there is none, which takes its time,
        # and SQLAlchemy's events insist on one
        return '"."'
    is_alone = index + 1 == len(lines) or lines[index + 1].indent < lines[index].indent
    return "pass" if is_alone else ""


def _unseen(lines: Sequence[LogicalLine]) -> Iterator[Edit]:
    """Yield the blocks that are never run."""
    for index, line in enumerate(lines):
        if _CHECKED.fullmatch(line.words):
            end = _end_of_block(lines, index)
            yield lines[index + 1].begin, lines[end - 1].end, "pass"


def _overloads(lines: Sequence[LogicalLine]) -> Iterator[Edit]:
    """Yield functions that the next one, of the same name, takes the place of at once."""
    for index, line in enumerate(lines):
        is_first = index == 0 or not lines[index - 1].words.startswith("@")
        if not is_first or not _OVERLOAD.fullmatch(line.words):
            continue
        name, end = _function(lines, index)
        follows = end < len(lines) and lines[end].indent == line.indent
        if name and follows and _function(lines, end)[0] == name:
            yield line.start, lines[end - 1].end, ""


def _function(lines: Sequence[LogicalLine], index: int) -> tuple[str, int]:
    """Return the name of the function whose decorators begin here, and where it ends."""
    while index < len(lines) and lines[index].words.startswith("@"):
        index += 1
    found = _HEAD.match(lines[index].words) if index < len(lines) else None
    if found is None or found[0].startswith("class"):
        return "", index
    return found[1], _end_of_block(lines, index)


def _end_of_block(lines: Sequence[LogicalLine], index: int) -> int:
    """Return the place after the last line of what a line opens, or after itself."""
    end = index + 1
    while end < len(lines) and lines[end].indent > lines[index].indent:
        end += 1
    return end
