"""Collation: the order in which people of a language look for texts, made in Python everywhere.

No database sorts texts: SQLite knows bytes only, PostgreSQL as many orders as it was set up with,
and none of them is the device's. A text is compared by its letters first, then by its accents, then
by its case. Spaces come before signs, signs before digits, digits before letters; each alphabet in
its own order.
"""

from functools import cache
from unicodedata import ucd_3_2_0 as ucd

from fieldpost.text.casefolding import folded, is_mark

_SIGNS = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
"""Signs of ASCII in the order of Unicode's table of collation."""

_LAST = "\U0010ffff"
"""Follows a letter whose place is behind all words that begin with it."""

_ROOT = "г ґ|д ђ|е є|з ѕ|и і ї й ј|л љ|н њ|т ћ|у ў|ц џ"
"""Letters of Cyrillic alphabets that have places of their own; the others stand in their order."""

_LANGUAGES = {
    "bs": "c č ć|d dž đ|l lj|n nj|s š|z ž",
    "cs": "c č|h ch|r ř|s š|z ž",
    "da": "z æ=ä ø=ö å=aa",
    "es": "n ñ",
    "et": "s š z ž|w õ ä ö ü",
    "fi": "z å ä=æ ö=ø",
    "fo": "d ð|z æ ø=ö",
    "hr": "c č ć|d dž đ|l lj|n nj|s š|z ž",
    "hu": "c cs|d dz dzs|g gy|l ly|n ny|o ö=ő|s sz|t ty|u ü=ű|z zs",
    "is": "a á|d ð|e é|i í|o ó|u ú|y ý|z þ æ=ä ö=ø å",
    "lt": "c č|i y|s š|z ž",
    "lv": "c č|g ģ|i y|k ķ|l ļ|n ņ|r ŗ|s š|z ž",
    "nb": "z æ=ä ø=ö å=aa",
    "nn": "z æ=ä ø=ö å=aa",
    "no": "z æ=ä ø=ö å=aa",
    "pl": "a ą|c ć|e ę|l ł|n ń|o ó|s ś|z ź ż",
    "ro": "a ă â|i î|s ș=ş|t ț=ţ",
    "sk": "a ä|c č|h ch|o ô|s š|z ž",
    "sl": "c č ć|d đ|s š|z ž",
    "sv": "z å ä=æ ö=ø",
    "tr": "c ç|g ğ|h ı|o ö|s ş|u ü",
}
"""By language, letters with places of their own: each behind the one that it is written after.

An equals sign joins what has one place. As in the tables of the Unicode Common Locale Data.
"""


@cache
def order_of(language: str) -> "Order":
    """Return the order of a language, as in 'sv' or 'de-CH'; the common one where none is known."""
    return Order(_LANGUAGES.get(language.lower().replace("_", "-").partition("-")[0], ""))


class Order:
    """One order of texts.

    Args:
        letters: those that have places of their own, as in `_LANGUAGES`.
    """

    def __init__(self, letters: str = "") -> None:
        self._weights = _Weights()
        self._digraphs: list[tuple[str, str]] = []
        for row in [*_ROOT.split("|"), *filter(None, letters.split("|"))]:
            first, *others = row.split()
            for place, same in enumerate(others, start=1):
                for each in same.split("="):
                    self._place(each, f"{first}{_LAST}{chr(place)}")
        self._digraphs.sort(key=lambda pair: -len(pair[0]))  # 'dzs' is no 'dz'
        weights = [self._weights[code] for code in range(128)]
        is_plain = not self._digraphs and all(len(weight) == 1 for weight in weights)
        # a quick way for texts whose characters count one by one; no byte above 127 is met there
        self._ascii = "".join(weights).encode() + bytes(128) if is_plain else b""

    @property
    def digraphs(self) -> list[str]:
        """Several letters that have the place of one, in all the ways they are written."""
        return [several for several, _ in self._digraphs]

    def key(self, text: str) -> str:
        """Return a text to sort by in the place of this one."""
        if self._ascii and text.isascii():
            letters = text.encode().translate(self._ascii).decode()
            # lower case first: 'a' before 'A'
            return f"{letters}\0\0{text.swapcase()}"
        text = ucd.normalize("NFC", text)
        accents = ucd.normalize("NFKD", text).translate(_ACCENTS).rstrip(_NONE)
        letters = text
        for several, one in self._digraphs:
            letters = letters.replace(several, one)
        return f"{letters.translate(self._weights)}\0{accents}\0{text.translate(_CASES)}"

    def _place(self, letter: str, weight: str) -> None:
        for each in {letter, letter.upper(), letter.capitalize()}:
            one = each
            if len(each) > 1:
                # from the private use area: no text of a language has it
                one = chr(0xF800 + len(self._digraphs))
                self._digraphs.append((each, one))
            self._weights[ord(one)] = weight


class _Weights(dict[int, str]):
    """What stands for each character where letters are compared, found once."""

    def __missing__(self, code: int) -> str:
        made = self[code] = "".join(map(_weight, folded(chr(code))))
        return made


class _Accents(dict[int, str]):
    """What stands for each character where accents are compared, found once."""

    def __missing__(self, code: int) -> str:
        made = self[code] = chr(code) if is_mark(chr(code)) else _NONE
        return made


class _Cases(dict[int, str]):
    """What stands for each character where cases are compared, found once."""

    def __missing__(self, code: int) -> str:
        other = chr(code).swapcase()
        is_known = all(ucd.category(each) != "Cn" for each in chr(code) + other)
        made = self[code] = other if is_known else chr(code)
        return made


_NONE = "\1"
_ACCENTS = _Accents()
_CASES = _Cases()


def _weight(character: str) -> str:
    """Return what sorts spaces, then signs, digits and letters, all of them above NUL."""
    if (place := _SIGNS.find(character)) >= 0:
        return chr(3 + place)
    if character.isascii() and character.isalnum():
        return character
    kind = ucd.category(character)[0]
    if kind == "Z" or character.isascii():
        return "\2"
    return f"/{character}" if kind in "PS" else character
