"""Texts that one wants to tap: e-mail addresses, phone numbers, web addresses."""

import re
from urllib.parse import quote

from fieldpost.schema.fields import Field, Kind

_EMAIL = re.compile(r"[^\s@<>\"'(),:;\[\]\\]{1,64}@[\w-]+(\.[\w-]+)+", re.UNICODE)
_WEB = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d(][\d\s()/.-]{4,30}")
# whole numbers of other things look the same: only the field's name tells
_PHONES = re.compile(r"(^|[_\s])(phone|telephone|tel|mobile|cell|fax)([_\s]|$)", re.IGNORECASE)


def contact_link(field: Field, text: str) -> str:
    """Return the address that a text of a field leads to; empty where it is only a text.

    The whole text has to be one: nothing is picked out of sentences.
    """
    if field.kind is not Kind.TEXT or not text:
        return ""
    if _WEB.fullmatch(text):
        return text
    if _EMAIL.fullmatch(text):
        return f"mailto:{quote(text, safe='@.+-_')}"
    names = f"{field.name} {field.label}"
    if _PHONE.fullmatch(text) and _PHONES.search(names):
        return "tel:" + re.sub(r"[^\d+]", "", text)
    return ""
