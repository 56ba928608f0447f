"""Folding: what is left of a text when case, accents and ways of writing it do not count.

What counts as a letter, and what it is made of, is that of Unicode 3.2, which every Python keeps
beside its own: else a device and a server of other editions would fold a newer letter differently.
"""

from unicodedata import ucd_3_2_0 as ucd

_MORE = {
    "ẞ": "ss",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "æ": "ae",
    "œ": "oe",
    "ı": "i",
    "ħ": "h",
    "ŧ": "t",
    "ŋ": "n",
    "ĸ": "k",
    "ƒ": "f",
    "‐": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "\u00ad": "",
    "\u200b": "",
    "\u200c": "",
    "\u200d": "",
    "\u2060": "",
    "\ufeff": "",
}
"""Letters that people look for by another, and signs that keyboards lack, beyond Unicode's."""


class _Folds(dict[int, str]):
    """What becomes of each character, found once."""

    def __missing__(self, code: int) -> str:
        made = self[code] = _fold(chr(code))
        return made


def _fold(character: str) -> str:
    if character in _MORE:
        return _MORE[character]
    if ucd.category(character) == "Cn":
        return character  # unknown, and each edition of Unicode would say something else of it
    parts = ucd.normalize("NFKD", ucd.normalize("NFKD", character).casefold())
    return "".join(_letter(part) for part in parts if not is_mark(part))


def _letter(part: str) -> str:
    digit = ucd.decimal(part, None)
    return _MORE.get(part, part) if digit is None else str(digit)


def is_mark(character: str) -> bool:
    """Say whether a character is an accent that people leave out, as no vowel of Thai or Hindi is.

    By Unicode's combining classes: 1 lies over a letter, 10 to 36 are points of Hebrew, Arabic and
    Syriac, from 200 on are accents around a letter.
    """
    place = ucd.combining(character)
    return place == 1 or 10 <= place <= 36 or place >= 200 or ucd.category(character) == "Me"


_FOLDS = _Folds()


def folded(text: str) -> str:
    """Return a text without case, accents and forms; the same for everything that reads alike."""
    return text.lower() if text.isascii() else text.translate(_FOLDS)
