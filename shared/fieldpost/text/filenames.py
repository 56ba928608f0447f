"""Names of files that every system takes: what people's own files are called may be anything."""

import re
import unicodedata

MOST_CHARACTERS = 150
"""Long enough for people; 255 bytes are the most that file systems take."""

_RESERVED = re.compile(r'[\\:*?"<>|]')
_OTHER = "C"
"""First letter of the categories of control and format characters, surrogates and the like.

Format characters turn the direction of a text: ``…\\u202egpj.exe`` would look like a picture.
"""


def plain_name(text: str) -> str:
    """Return a name without folders and without characters that are not seen or not taken."""
    own = text.rpartition("/")[2]
    seen = "".join(" " if unicodedata.category(c)[0] == _OTHER else c for c in own)
    name = _RESERVED.sub("_", re.sub(r"\s+", " ", seen)).strip(" .")
    if len(name) <= MOST_CHARACTERS:
        return name or "file"
    stem, dot, ending = name.rpartition(".")
    kept = f"{dot}{ending}" if stem and len(ending) <= 10 else ""
    return name[: MOST_CHARACTERS - len(kept)] + kept
