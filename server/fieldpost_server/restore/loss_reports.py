"""Loss reports: what devices say that this database has forgotten, proven by its receipts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import WARNING
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, problem
from fieldpost.odp.repair.remapped_keys import LostKeys, timeline_of
from fieldpost.text.jsontext import parse
from fieldpost.wire.protocol import MAX_REPORTED
from fieldpost.wire.receipts import APPLIED, Outcome, Receipt, receipt_from_json
from fieldpost.wire.signatures import KEPT, KIND
from fieldpost_server.log import log
from fieldpost_server.restore.restore_notices import is_believed, note_restore
from fieldpost_server.restore.timelines import is_news, put_back, timeline_at
from fieldpost_server.signing.receipt_audit import ReceiptAudit
from fieldpost_server.storage import tables

_ENVELOPE, _LOST = tables.envelope, tables.lost_key
_KEPT = APPLIED | {Outcome.CONFLICT, Outcome.INVALID}
"""What a receipt says of an envelope that was kept in any case."""


@dataclass(frozen=True, slots=True)
class LossReport:
    """What a device says.

    Attributes:
        base: cursor of the data that it had when it found out; may be empty.
        receipts: texts, as the server signed them.
    """

    base: str
    receipts: Sequence[str]


def loss_report_of(data: Mapping[str, Any]) -> LossReport | None:
    """Read a device's report from its call; None where there is none.

    Raises:
        ValueError: it is malformed.
    """
    receipts, base = data.get("forgotten", []), data.get("base", "")
    if not isinstance(receipts, list) or len(receipts) > MAX_REPORTED:
        raise ValueError(f"'forgotten' must be a list of at most {MAX_REPORTED} receipts")
    if not all(isinstance(each, str) for each in receipts):
        raise ValueError("'forgotten' must hold receipts as texts")
    if not isinstance(base, str) or len(base) > 100 or not base.isascii():
        raise ValueError("'base' must be a cursor")
    return LossReport(base, receipts) if receipts else None


def take_report(session: Session, app: App, device: str, report: LossReport) -> Problem | None:
    """Keep what a device says; whatever the server has not signed, or does have, counts nothing.

    Returns:
        Why the device has to wait, where it comes too soon after another report of this kind.
    """
    genuine = list(_genuine(session, device, report.receipts))
    here = set(_here(session, [each.envelope for each in genuine]))
    lost = [each for each in genuine if each.envelope not in here]
    if lost:
        proof = max(_moment(receipt) for receipt in lost)
        if is_news(session, proof):
            if not is_believed(session, device):
                log("report of a restore waits", level=WARNING, device=device, forgotten=len(lost))
                return problem(Code.RESTORE_UNCONFIRMED)
            put_back(session, proof, [model.table for model in app.models.values()])
            note_restore(session, device, len(lost))
            log("database was put back", level=WARNING, device=device, forgotten=len(lost))
    # fault point: loss-report-half-kept — the new timeline and the lost keys are one transaction:
    # both or neither, and the device reports until it is answered.
    _keep(session, device, report.base, lost)
    return None


def lost_keys(
    session: Session, device: str, timeline: str
) -> tuple[LostKeys, set[tuple[str, int]]]:
    """Return a device's lost keys of a timeline, and those that stood for more than one row."""
    query = sa.select(_LOST.c.model, _LOST.c.real, _LOST.c.temporary)
    rows = session.execute(query.where(_LOST.c.device == device, _LOST.c.history == timeline))
    found: dict[tuple[str, int], int] = {}
    doubtful = set[tuple[str, int]]()
    for model, real, temporary in rows:
        if found.setdefault((model, real), temporary) != temporary:
            doubtful.add((model, real))
    return {name: key for name, key in found.items() if name not in doubtful}, doubtful


def _genuine(session: Session, device: str, texts: Sequence[str]) -> Iterator[Receipt]:
    audit = ReceiptAudit(session)
    for text in texts:
        try:
            data = parse(text)
            receipt = receipt_from_json(data)
            _moment(receipt)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            log("reported receipt ignored", device=device, why="it cannot be read")
            continue
        verdict = audit.judge(data)
        if verdict.words:
            log("reported receipt ignored", device=device, why=verdict.words)
        elif receipt.device != device or not _was_kept(receipt, data.get(KIND)):
            log("reported receipt ignored", device=device, why="it proves nothing of this device")
        else:
            yield receipt


def _was_kept(receipt: Receipt, kind: object) -> bool:
    """Say whether a receipt proves that its envelope was in the database.

    The answer to what could not be taken is signed as well, and is of another kind. What was signed
    before there were kinds is judged by what it names.
    """
    names_one = bool(receipt.envelope and receipt.digest) and receipt.number >= 1
    return names_one and receipt.outcome in _KEPT and kind in (KEPT, None)


def _here(session: Session, ids: Sequence[str]) -> Iterator[str]:
    yield from session.scalars(sa.select(_ENVELOPE.c.id).where(_ENVELOPE.c.id.in_(ids)))


def _moment(receipt: Receipt) -> datetime:
    return datetime.fromisoformat(receipt.received_at).astimezone(UTC)


def _keep(session: Session, device: str, base: str, lost: Sequence[Receipt]) -> None:
    rows = set[tuple[Any, ...]]()
    for receipt in lost:
        timeline = timeline_of(base) or timeline_at(session, _moment(receipt))
        rows.update((device, timeline, k.model, k.real, k.temporary) for k in receipt.keys)
    if rows:
        known = session.execute(sa.select(_LOST).where(_LOST.c.device == device))
        rows -= {tuple(row) for row in known}
    if rows:
        names = [column.name for column in _LOST.c]
        ordered = sorted(rows, key=repr)
        session.execute(sa.insert(_LOST), [dict(zip(names, r, strict=True)) for r in ordered])
