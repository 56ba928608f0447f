"""What a file is: its media type, as it is claimed and as its first bytes tell."""

import re

from fieldpost.errors import Code

HEAD_BYTES = 16
"""What tells a picture by its beginning."""

_PICTURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/heic": re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "image/heif": re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "image/avif": re.compile(rb"....ftyp(avi|mif1)", re.DOTALL),
}
"""How files of each type begin."""

PICTURES = tuple(_PICTURES)
"""The types of pictures that are taken."""

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,120}/[a-z0-9!#$&^_.+-]{1,120}")


def media_type(text: str) -> str:
    """Return a media type without parameters; what is none says nothing about the bytes."""
    type_ = text.partition(";")[0].strip().lower()
    return type_ if _MEDIA_TYPE.fullmatch(type_) else "application/octet-stream"


def fault_of(head: bytes, type_: str) -> Code | None:
    """Say what is wrong with a file that begins so and claims to be of a type."""
    known = _PICTURES.get(type_)
    if known is None:
        return Code.NOT_A_PICTURE if type_.startswith("image/") else None
    return None if known.match(head) else Code.NOT_A_PICTURE
