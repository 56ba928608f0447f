"""Parts of an answer: a download that was cut off is asked to go on where it stopped."""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

_RANGE = re.compile(
    r"bytes=(?:(?P<first>[0-9]{1,15})-(?P<last>[0-9]{1,15})?|-(?P<tail>[0-9]{1,15}))"
)


def wants_part(request: Request) -> bool:
    """Say whether a part is asked for, in the one way that is answered."""
    return _RANGE.fullmatch(request.headers.get("range", "")) is not None


def answer_part(
    request: Request, content: bytes, tag: str, headers: Mapping[str, str], media_type: str
) -> Response:
    """Return all of a content, or the part that is asked for (RFC 9110, section 14).

    Args:
        request: may have `Range`, and `If-Range` with the tag of what it has the beginning of.
        content: the whole.
        tag: its strong entity tag, without quotes.
        headers: what every answer says of it.
        media_type: of the whole.

    Returns:
        200 with the whole, where nothing, several parts or a part of something else is asked for;
        206 with one part; 416 where the content ends before the part begins.
    """
    size = len(content)
    told = {**headers, "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or request.headers.get("if-range", f'"{tag}"') != f'"{tag}"':
        return Response(content, headers=told, media_type=media_type)
    first, last = _span(found, size)
    if not first <= last:
        # an error may be kept for ever no more than any other
        refused = {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"}
        return Response(status_code=416, headers={**told, **refused})
    told["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(content[first : last + 1], 206, headers=told, media_type=media_type)


def _span(found: re.Match[str], size: int) -> tuple[int, int]:
    """Return the first and the last place; the last is before the first where there is no part."""
    if found["tail"] is not None:
        return max(size - int(found["tail"]), 0), size - 1 if int(found["tail"]) else -1
    last = int(found["last"]) if found["last"] else size - 1
    return int(found["first"]), min(last, size - 1)
