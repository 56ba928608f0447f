"""Characters that no text may hold: which one, where, and how to show it.

Databases and documents cannot keep them, and nobody sees them: a scanner sends some as separators.
"""

import re
import unicodedata

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SCANNED = {
    "\x1c": "a scanner's file separator",
    "\x1d": "a scanner's group separator",
    "\x1e": "a scanner's record separator",
    "\x1f": "a scanner's unit separator",
    "\x0b": "a vertical tab",
    "\x0c": "a page break",
    "\x1b": "an escape",
    "\x04": "an end of transmission",
    "\uffff": "a part of a character",
}
_SHOWN_BEFORE = 12

_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"} | {
    0x7F: 0x2421,
    0xFFFE: 0xFFFD,
    0xFFFF: 0xFFFD,
}


def bad_character(text: str) -> str:
    """Return in words which forbidden character a text holds first, and where; or nothing."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return ""
    which = f"U+{ord(found[0]):04X}"
    name = _SCANNED.get(found[0]) or unicodedata.name(found[0], "").lower()
    before = visible(text[max(0, found.start() - _SHOWN_BEFORE) : found.start()])
    where = f"after '{before}'" if before else "at the beginning"
    return f"{which}{f' ({name})' if name else ''} stands {where}"


def visible(text: str) -> str:
    """Return a text with pictures in the place of what cannot be seen, such as ␝."""
    shown = text.translate(_PICTURES)
    return re.sub("[\ud800-\udfff]", "\ufffd", shown)
