"""An image on its way: each piece is stored as it arrives, so that a download goes on anywhere."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fieldpost.errors import Code
from fieldpost_client.platform.base import Answer, Operation, Platform, StoreError
from fieldpost_client.replica.answers import are_row_counts
from fieldpost_client.sync.contact import Contact, Stopped, no_answer_of_ours, stopped_by

MOST_STUMBLES = 5
"""How often in a row a piece may fail before the download is left for the next attempt."""

_NAME = "incoming"
_TAG = re.compile(r'(?:W/)?"([0-9a-f]{64})"')
_KINDS = {"tag": str, "size": int, "cursor": str, "rows": dict, "arrived": int, "parts": int}
_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


@dataclass
class Incoming:
    """What has arrived of one image.

    Attributes:
        tag: SHA-256 of the whole, as it travels; empty before the first piece.
        size: bytes of the whole.
        cursor: the server's state that it shows.
        rows: number of rows by table; None of one that the office could not read.
        arrived: bytes that are stored.
        parts: in so many parts.
    """

    tag: str = ""
    size: int = 0
    cursor: str = ""
    rows: dict[str, int | None] = field(default_factory=dict)
    arrived: int = 0
    parts: int = 0

    @property
    def is_whole(self) -> bool:
        """Say whether all of it is here."""
        return bool(self.tag) and self.arrived == self.size

    def names(self) -> list[str]:
        """Return the keys of its parts in the store."""
        return [f"{_NAME}-{number}" for number in range(self.parts)]


async def load_incoming(platform: Platform) -> Incoming:
    """Return what has arrived before; nothing where that cannot be used any more."""
    try:
        found = await platform.store.read("replica", _NAME)
    except StoreError:
        return Incoming()
    return Incoming(**found) if _is_sound(found) else Incoming()


def _is_sound(found: Any) -> bool:
    """Say whether what is stored of a download can be gone on with."""
    if not isinstance(found, dict) or found.keys() != _KINDS.keys():
        return False
    if any(type(found[name]) is not kind for name, kind in _KINDS.items()):
        return False
    return (
        are_row_counts(found["rows"]) and 0 <= found["parts"] <= found["arrived"] <= found["size"]
    )


def forget_incoming() -> list[Operation]:
    """Return the operations that forget a download; its parts go with the next replica."""
    return [("delete", "replica", _NAME)]


async def receive(contact: Contact, incoming: Incoming) -> Incoming:
    """Get the rest of an image, piece by piece; each is durable before the next is asked for.

    Raises:
        Stopped: the next attempt goes on where this one stopped.
    """
    stumbles = 0
    while not incoming.is_whole:
        _tell(contact.platform, incoming)
        begun = contact.platform.elapsed()
        try:
            answer = await _piece(contact, incoming)
        except Stopped as stopped:
            stumbles += 1
            if stopped.problem.code is Code.IMAGE_GONE:
                incoming = Incoming()
            elif stopped.status or stumbles >= MOST_STUMBLES or contact.is_over(stopped):
                raise
            contact.down.failed()
            continue
        contact.down.moved(len(answer.body), contact.platform.elapsed() - begun)
        incoming = await _kept(contact.platform, incoming, answer)
        stumbles = 0
    _tell(contact.platform, incoming)
    return incoming


async def content_of(platform: Platform, incoming: Incoming) -> bytes | None:
    """Return the bytes of an image that has arrived; None where they are not what was sent."""
    try:
        content = await platform.store.read_image(incoming.names())
    except StoreError:
        return None
    if len(content) != incoming.size:
        return None
    (digest,) = await platform.sha256_pieces(content, max(len(content), 1))
    return content if digest == incoming.tag else None


async def _piece(contact: Contact, incoming: Incoming) -> Answer:
    start = incoming.arrived
    headers = {"range": f"bytes={start}-{start + contact.down.piece - 1}"}
    if incoming.tag:
        headers["if-match"] = f'"{incoming.tag}"'
    return await contact.ask(
        "GET", "/sync/image", headers, statuses=(200, 206), kind="application/gzip"
    )


async def _kept(platform: Platform, before: Incoming, answer: Answer) -> Incoming:
    """Store a piece that has arrived; raises `Stopped` where it is none, or cannot be stored."""
    now = _with(before, answer)
    part = ("put", "pieces", now.names()[-1], answer.body)
    try:
        # fault point: part-of-image-stored — it is stored together with how far the download is:
        # the next attempt asks for what comes after it.
        await platform.store.write([part, ("put", "replica", _NAME, asdict(now))])
    except StoreError as error:
        raise stopped_by(error) from error
    return now


def _with(before: Incoming, answer: Answer) -> Incoming:
    start, size = _span(answer)
    found = _TAG.fullmatch(answer.headers.get("etag", ""))
    if found is None or start != (before.arrived if answer.status == 206 else 0):
        raise no_answer_of_ours()
    if start and (found[1], size) != (before.tag, before.size):
        raise no_answer_of_ours()
    parts = before.parts + 1 if start else 1
    cursor, rows = _about(answer.headers)
    return Incoming(found[1], size, cursor, rows, start + len(answer.body), parts)


def _span(answer: Answer) -> tuple[int, int]:
    """Return where a piece begins, and the size of the whole."""
    if answer.status == 200:
        return 0, len(answer.body)
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found is None:
        raise no_answer_of_ours()
    first, last, size = map(int, found.groups())
    if not answer.body or last - first + 1 != len(answer.body) or last >= size:
        raise no_answer_of_ours()
    return first, size


def _about(headers: Mapping[str, str]) -> tuple[str, dict[str, int | None]]:
    try:
        rows: Any = json.loads(headers.get("fieldpost-rows") or "{}")
        cursor = headers["fieldpost-cursor"]
    except (ValueError, KeyError) as error:
        raise no_answer_of_ours() from error
    if not are_row_counts(rows):
        raise no_answer_of_ours()
    return cursor, rows


def _tell(platform: Platform, incoming: Incoming) -> None:
    done, total = incoming.arrived, incoming.size
    told = {"event": "progress", "step": "rows", "done": done, "total": total, "unit": "bytes"}
    platform.notify(told if total else {**told, "total": 1})
