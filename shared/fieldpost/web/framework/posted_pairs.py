"""Names and values of a form as a browser encodes it without files."""

from urllib.parse import unquote_plus

from fieldpost.errors import Code, InputError, problem

URLENCODED = "application/x-www-form-urlencoded"


def posted_pairs(body: bytes, most: int) -> list[tuple[str, str]]:
    """Return names and values in their order; work and memory grow with the bytes only.

    Raises:
        InputError: there are more than `most`.
    """
    if body.count(b"&") >= most:
        raise InputError([problem(Code.TOO_BIG, what="The form", limit=f"{most} fields")])
    pairs = []
    for part in body.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_text(name), _text(value)))
    return pairs


def _text(part: bytes) -> str:
    return unquote_plus(part.decode("latin-1"))
