"""Moments, keys and addresses, as pages show them."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode

from fieldpost.schema.models import Model
from fieldpost.schema.value_words import plain_words
from fieldpost.schema.values import Codec, ValueProblem
from fieldpost.types import Attachment

ADDRESS = "/,:@!$&'()*+;="
"""Characters that stand for themselves in an address's path."""


def moment_words(text: str) -> str:
    """Return an ISO 8601 moment in words, in the person's zone; what is none stays as it is."""
    try:
        return plain_words(datetime.fromisoformat(text))
    except ValueError:
        return text


def attachment_url(attachment: Attachment) -> str:
    """Return the address of an attachment, under the name that this reference gives it."""
    return f"/attachments/{attachment.sha256}?{urlencode({'name': attachment.name})}"


def element_id(path: str) -> str:
    """Return the id of the control at a path: ``findings[0].note`` is ``f-findings-0-note``."""
    return "f-" + re.sub(r"[^A-Za-z0-9_]+", "-", path).strip("-")


def key_text(model: Model, key: tuple[Any, ...]) -> str:
    """Return a typed key as it stands in an address."""
    return key_text_of_json(model.key_to_json(key))


def key_text_of_json(parts: Any) -> str:
    """Return a key given as JSON data as it stands in an address."""
    return ",".join(quote(str(part), safe="") for part in parts)


def key_from_text(model: Model, text: str) -> list[Any] | None:
    """Read a key from an address as JSON data; None where it is no key of this model."""
    parts = [unquote(part) for part in text.split(",")]
    if len(parts) != len(model.key):
        return None
    data: list[Any] = []
    for attribute, part in zip(model.key, parts, strict=True):
        codec = model.by_attribute[attribute].codec
        try:
            data.append(_key_part(codec, part))
        except ValueError:
            return None
    return data


def _key_part(codec: Codec, part: str) -> Any:
    # an address has a key as it travels, and not as people write it
    try:
        return codec.encode(codec.decode_key(part))
    except ValueProblem:
        return codec.encode(codec.from_text(part))


def record_url(page: str, key: Any) -> str:
    """Return the address of a record, its key given as JSON data."""
    # a server undoes one encoding before it looks at slashes: a second one keeps those of the key
    return f"/pages/{page}/records/{quote(key_text_of_json(key), safe=ADDRESS)}"
