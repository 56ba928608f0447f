"""Checks what the inbox holds of a device: an unbroken chain in which nothing was changed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import InputError
from fieldpost.wire.envelope import Envelope
from fieldpost_server.inbox.dependencies import envelopes_query
from fieldpost_server.inbox.refused_contents import kept_envelope
from fieldpost_server.signing.receipt_audit import ReceiptAudit
from fieldpost_server.storage import tables

MOST_NAMED = 100
"""Missing numbers of one device that are named; the others are counted."""

_ENVELOPE = tables.envelope
_COLUMNS = ("id", "device", "number", "previous", "digest", "user", "page", "saved_at")
"""Parts of an envelope that the inbox keeps as columns, too."""


@dataclass
class Chain:
    """What a check of one device's envelopes came to.

    Attributes:
        device: whose they are.
        envelopes: how many the inbox holds.
        last: the highest number.
        missing: numbers below it that never arrived; the first `MOST_NAMED` of them.
        missing_count: how many never arrived.
        faults: what is wrong, each with its number, in words.
    """

    device: str
    envelopes: int = 0
    last: int = 0
    missing: list[int] = field(default_factory=list)
    missing_count: int = 0
    faults: list[str] = field(default_factory=list)


def known_devices(session: Session) -> list[str]:
    """Return the devices of which the inbox holds envelopes."""
    query = sa.select(_ENVELOPE.c.device).distinct().order_by(_ENVELOPE.c.device)
    return list(session.scalars(query))


def check_chain(session: Session, device: str) -> Chain:
    """Read all envelopes of a device and compare contents, digests, columns and receipts."""
    chain, receipts = Chain(device), ReceiptAudit(session)
    query = envelopes_query().where(_ENVELOPE.c.device == device)
    query = query.order_by(_ENVELOPE.c.number, _ENVELOPE.c.void)
    before = _Link()
    for number, rows in groupby(session.execute(query.execution_options(yield_per=200)), _number):
        _note_missing(chain, number)
        link = _Link(number)
        for row in rows:
            chain.envelopes += 1
            found = [*_faults(row, before, link), receipts.fault(row.receipt, row.received_at)]
            chain.faults += [f"{number}: {words}" for words in found if words]
        chain.last, before = number, link
    return chain


@dataclass
class _Link:
    """What has one number: an envelope, the void that discards it, or both.

    Attributes:
        number: it.
        digests: by id, of both: the next may have been sealed after either.
    """

    number: int = 0
    digests: dict[str, str] = field(default_factory=dict)


def _number(row: Any) -> int:
    return int(row.number)


def _note_missing(chain: Chain, number: int) -> None:
    gap = range(chain.last + 1, number)
    chain.missing_count += len(gap)
    chain.missing += gap[: MOST_NAMED - len(chain.missing)]


def _faults(row: Any, before: _Link, link: _Link) -> Iterator[str]:
    try:
        envelope = kept_envelope(row)
    except InputError as error:
        yield f"its content cannot be trusted: {error}"
        return
    for name in _COLUMNS:
        if getattr(envelope, name) != (getattr(row, name) or ""):
            yield f"the column '{name}' differs from the envelope"
    if row.number == 1 and envelope.previous:
        yield "it is the first, and names one before it"
    follows = 0 < before.number == row.number - 1
    if follows and envelope.previous not in before.digests.values():
        yield f"it does not follow number {before.number}"
    yield from _number_faults(row, envelope, link)
    yield from _receipt_faults(row)


def _number_faults(row: Any, envelope: Envelope, link: _Link) -> Iterator[str]:
    """Note an envelope's digest, and say so where two share a number that may not."""
    voids = envelope.voids if row.void else None
    others = link.digests.keys() - ({voids.id} if voids else set())
    if others:
        yield f"its number is also that of {min(others)}"
    if voids and link.digests.setdefault(voids.id, voids.digest) != voids.digest:
        yield "it discards something else than what has its number"
    link.digests[row.id] = row.digest


def _receipt_faults(row: Any) -> Iterator[str]:
    try:
        receipt = json.loads(row.receipt)
        pairs = [(receipt["envelope"], row.id), (receipt["digest"], row.digest)]
        pairs += [(receipt["number"], row.number), (receipt["outcome"], row.outcome)]
    except (ValueError, KeyError, TypeError):
        yield "its receipt cannot be read"
        return
    if any(said != kept for said, kept in pairs):
        yield "its receipt is about something else"
