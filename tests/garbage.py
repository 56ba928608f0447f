"""Strategies for what nobody should send: spoiled envelopes, bodies, cursors, headers."""

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fieldpost.text.canonical import digest
from fieldpost.text.jsontext import MAX_DEPTH
from fieldpost.wire.protocol import MAX_OPERATIONS

NASTY_TEXTS = (
    "",
    "\x00",
    "x" * 101,
    "x" * 201,
    "x" * 501,
    "𝄞" * 499,
    "\ud800",
    "a\nb",
    "\u2028",
    "'; DROP TABLE visit; --",
    "../../etc/passwd",
    "2026-11-23\x0008:15:04+01:00",
    "2026-11-23T08:15:04.112+01:00",
    "f" * 64,
    "F" * 64,
    "\x00" * 64,
)
NASTY_NUMBERS = (0, -1, 1, 1 << 31, 1 << 53, 1 << 63, -(1 << 63), 10**400, 1.5, 1e308, -0.0)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def _anew(thing: Any) -> Any:
    """Return a copy with no part in two places: what is done to one is not done to thousands."""
    return json.loads(json.dumps(thing))


things: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NASTY_TEXTS),
    st.sampled_from(NASTY_NUMBERS),
    st.text(max_size=8),
    st.integers(),
    st.sampled_from([[], {}, [[]], [None], [True], {"": {}}, [1.5], ["f" * 64]]),
    st.sampled_from([_deep(MAX_DEPTH - 4), _deep(MAX_DEPTH), _deep(300)]),
    st.just([{"do": "delete", "model": "visit", "key": [1]}] * (MAX_OPERATIONS + 1)),
).map(_anew)
"""What stands in the place of something sound; a copy, since more may be done to it."""


@dataclass(frozen=True)
class Spoiled:
    """An envelope with parts dropped, replaced or added.

    Attributes:
        data: its parts.
        is_sealed: whether its digest is to be right.
        is_ascii: how its text is written.
    """

    data: dict[str, Any]
    is_sealed: bool
    is_ascii: bool

    def line(self, **parts: Any) -> bytes:
        """Return its text, with other values for parts that are as they were."""
        data = dict(self.data)
        data |= {name: new for name, (old, new) in parts.items() if data.get(name) == old}
        if self.is_sealed:
            try:
                data["digest"] = digest({k: v for k, v in data.items() if k != "digest"})
            except (ValueError, UnicodeEncodeError):
                data["digest"] = "sha256:" + "0" * 64
        return json.dumps(data, ensure_ascii=self.is_ascii).encode("utf-8", "surrogatepass")


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> Spoiled:
    """Draw an envelope that something was done to, given the text of a sound one."""
    data = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, data)
    return Spoiled(data, draw(st.integers(0, 5)) > 0, draw(st.booleans()))


def _spoil(draw: st.DrawFn, data: Any) -> None:
    """Change one place of a tree, at any depth."""
    places = list(_places(data))
    if not places:
        return
    holder, name = places[draw(st.integers(0, len(places) - 1))]
    how = draw(st.sampled_from(["replace", "replace", "drop", "add", "repeat"]))
    if how == "drop":
        del holder[name]
    elif how == "repeat" and isinstance(holder, list):
        holder.append(_anew(holder[name]))
    elif how == "add" and isinstance(holder, dict):
        holder[draw(st.text(max_size=5))] = draw(things)
    else:
        holder[name] = draw(things)


def _places(data: Any) -> Any:
    found = data.items() if isinstance(data, dict) else enumerate(data)
    for name, value in list(found):
        yield data, name
        if isinstance(value, dict | list):
            yield from _places(value)


lines: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
    st.text(max_size=20).map(lambda text: text.replace("\n", "").encode()),
    things.map(lambda data: json.dumps(data).encode()),
    st.sampled_from([b"{", b"[" * 5000, b'{"a":' * 3000, b'"\\ud800"', b"\xef\xbb\xbf{}", b"NaN"]),
    st.sampled_from([b"1" * 5000, b"1e999", b'{"format":1e2}', b'{"format":' + b"9" * 400 + b"}"]),
)
"""Lines that are no envelopes."""


@st.composite
def packed(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw something like the gzip form of a body: damaged, cut off, or in pieces."""
    whole = gzip.compress(body, mtime=0)
    how = draw(st.sampled_from(["cut", "flip", "raw", "zlib", "rubbish", "trailing"]))
    if how == "cut":
        return whole[: draw(st.integers(0, len(whole) - 1))]
    if how == "flip":
        place = draw(st.integers(0, len(whole) - 1))
        return whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
    if how == "trailing":
        return whole + draw(st.binary(min_size=1, max_size=20))
    return {"raw": body, "zlib": zlib.compress(body), "rubbish": draw(st.binary())}[how]


cursors: st.SearchStrategy[str] = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"f[0-9]\.[0-9a-f]{30,33}\.-?[0-9]{0,25}\.[0-9a-f]{0,18}", fullmatch=True),
    st.sampled_from(
        ["", "f1...", "f1." + "0" * 32 + ".٣.", "f1." + "0" * 32 + ".0.\x00", "x" * 9000]
    ),
)

headers: st.SearchStrategy[str] = st.one_of(
    st.integers(-5, 300).map(str),
    st.sampled_from(["", " ", "1e3", "0x10", "+5", "٣", "9" * 15, "9" * 16, "1" * 400, "1.0", "a"]),
)
"""Values of headers that hold a number."""

header_texts: st.SearchStrategy[bytes] = st.one_of(
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20).map(
        lambda text: text.strip().encode("latin-1")
    ),
    st.sampled_from(
        [b"", b"\xff" * 200, b"1" * 5_000, b"d-" + b"x" * 99, b"%00", b"0", b"2", b"1"]
    ),
)
"""Values of headers as servers pass them on: no control characters, not longer than a line."""


@st.composite
def damaged_cursors(draw: st.DrawFn, sound: str) -> str:
    """Draw a cursor that looks like `sound`, with parts of it replaced, cut or repeated."""
    version, history, position, plan = sound.split(".")
    numbers = st.integers(0, 2**64).map(str) | st.just(position)
    parts = [
        draw(st.sampled_from([version, "f2", "F1", ""])),
        draw(st.sampled_from([history, history.upper(), history[:-1], "0" * 32, ""])),
        draw(numbers | headers),
        draw(st.sampled_from([plan, "", plan * 2, plan[:-1], "x" * 7_900, "é", "\x00"])),
    ]
    return ".".join(parts[: draw(st.sampled_from([4, 4, 4, 3, 2]))])
