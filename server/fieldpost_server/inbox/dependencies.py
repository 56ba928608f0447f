"""Dependencies: what envelopes build on, repair and discard."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, Problem, problem
from fieldpost.odp.lineage.dependencies import footprint
from fieldpost.odp.replay.result import Result
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import (
    APPLIED,
    DISCARDED,
    SUPERSEDED,
    NewKey,
    Outcome,
    Receipt,
    Settled,
    receipt_from_json,
)
from fieldpost_server.inbox.ledger import ServerKeys, settled_of_row
from fieldpost_server.storage import tables
from fieldpost_server.storage.web_devices import is_web, web_device

_ENVELOPE, _SETTLEMENT = tables.envelope, tables.settlement
_APPLIED = [str(outcome) for outcome in APPLIED]
_ROWS = sa.select(
    _ENVELOPE,
    _SETTLEMENT.c.how,
    _SETTLEMENT.c.by,
    _SETTLEMENT.c.user.label("by_user"),
    _SETTLEMENT.c.at,
).select_from(_ENVELOPE.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id))
"""Envelopes with how they ended."""

_IS_DONE = sa.or_(
    _ENVELOPE.c.outcome.in_(_APPLIED), _ENVELOPE.c.void, _SETTLEMENT.c.envelope.is_not(None)
)


def envelopes_query() -> sa.Select[Any]:
    """Return the query for envelopes with how they ended."""
    return _ROWS


def is_done() -> sa.ColumnElement[bool]:
    """Return the condition of `envelopes_query` for those that need nobody any more."""
    return _IS_DONE


def rows_of(session: Session, ids: Iterable[str], *, lock: bool = False) -> dict[str, Any]:
    """Return envelopes by id, with how they ended; locked where something is to be done to them."""
    query = _ROWS.where(_ENVELOPE.c.id.in_(list(ids)))
    if lock:
        # fault point: envelopes-locked — held until the transaction ends: two repairs of one
        # envelope take turns, and the later one finds it settled.
        query = query.with_for_update(of=_ENVELOPE)
    return {row.id: row for row in session.execute(query)}


# after


def in_the_way(session: Session, envelope: Envelope) -> Result | None:
    """Return why an envelope has to wait for one that it builds on; None where it has not to."""
    if not envelope.after:
        return None
    columns = sa.select(_ENVELOPE.c.number, _IS_DONE.label("done"))
    query = columns.select_from(
        _ENVELOPE.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id)
    ).where(_ENVELOPE.c.device == envelope.device, _ENVELOPE.c.number.in_(envelope.after))
    done: dict[int, bool] = {}
    for row in session.execute(query):
        done[row.number] = done.get(row.number, False) or bool(row.done)
    if not_yet := [number for number in envelope.after if number not in done]:
        waits = problem(Code.PREDECESSOR_MISSING, detail={"numbers": not_yet})
        return Result(Outcome.WAITING, (waits,))
    if is_open := [number for number, is_done in done.items() if not is_done]:
        waits = problem(Code.PREDECESSOR_OPEN, detail={"numbers": sorted(is_open)})
        return Result(Outcome.WAITING, (waits,))
    return None


def is_hopeless(session: Session, envelope: Envelope) -> bool:
    """Say whether nothing that is still to come can bring what an envelope builds on.

    So it is when all earlier envelopes of the device have arrived, and each found its end.
    """
    count = sa.select(sa.func.count(_ENVELOPE.c.number.distinct())).select_from(
        _ENVELOPE.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id)
    )
    earlier = (_ENVELOPE.c.device == envelope.device, _ENVELOPE.c.number < envelope.number)
    return session.scalar(count.where(*earlier, _IS_DONE)) == envelope.number - 1


def open_rows(session: Session, device: str) -> list[Any]:
    """Return the envelopes of a device that were neither applied nor settled, in order."""
    query = _ROWS.where(_ENVELOPE.c.device == device, sa.not_(_IS_DONE))
    return list(session.execute(query.order_by(_ENVELOPE.c.number)))


def waiting_texts(session: Session, device: str) -> list[str]:
    """Return the envelopes of a device that still wait, in the order of their numbers."""
    query = _ROWS.where(
        _ENVELOPE.c.device == device,
        _ENVELOPE.c.outcome == str(Outcome.WAITING),
        _SETTLEMENT.c.envelope.is_(None),
    )
    return [row.content for row in session.execute(query.order_by(_ENVELOPE.c.number))]


# supersedes


def owner_of_keys(envelope: Envelope, superseded: Iterable[Any]) -> str:
    """Return the device whose temporary keys an envelope uses: a repair uses those of the other."""
    devices = sorted({row.device for row in superseded})
    return devices[0] if is_web(envelope.device) and devices else envelope.device


def refused_repair(envelope: Envelope, superseded: dict[str, Any], user: User) -> Result | None:
    """Return why an envelope cannot repair those that it names; None where it can."""
    rows = [superseded[i] for i in envelope.supersedes if i in superseded]
    if len({row.device for row in rows}) > 1:
        reason = "'supersedes' must name envelopes of one device"
        return Result(Outcome.INVALID, (problem(Code.MALFORMED, "supersedes", reason=reason),))
    if any(row.user != user.name for row in rows) and not user.is_supervisor:
        return Result(Outcome.FORBIDDEN, (problem(Code.NOT_YOUR_ENVELOPE),))
    if any(row.outcome in APPLIED for row in rows):
        return Result(Outcome.INVALID, (problem(Code.ALREADY_APPLIED),))
    settled = next((found for row in rows if (found := settled_of_row(row))), None)
    if settled is not None and settled.by != envelope.id:
        return Result(Outcome.CONFLICT, (_already_settled(settled),))
    return None


def _already_settled(settled: Settled) -> Problem:
    how = {SUPERSEDED: "repaired", DISCARDED: "discarded"}[settled.how]
    detail = settled.to_json()
    return problem(Code.ALREADY_SETTLED, user=settled.user, how=how, detail=detail)


def settle(session: Session, digests: dict[str, str], how: str, by: Envelope) -> None:
    """Write how envelopes (digest by id) ended."""
    rows = [
        {"envelope": i, "digest": d, "how": how, "by": by.id, "user": by.user}
        for i, d in digests.items()
    ]
    session.execute(sa.insert(_SETTLEMENT), rows)
    # as they are: on PostgreSQL who waits to decide one of them has looked at it before, and only
    # a row that was written meanwhile makes him look again
    same = sa.update(_ENVELOPE).where(_ENVELOPE.c.id.in_(list(digests)))
    # fault point: settled-envelope-untouched — in the transaction of what settles it: both or
    # neither.
    session.execute(same.values(void=_ENVELOPE.c.void))


# voids


def refused_void(session: Session, envelope: Envelope, user: User) -> Result | None:
    """Return why an envelope cannot be discarded; None where it can."""
    assert envelope.voids is not None
    row = rows_of(session, [envelope.voids.id], lock=True).get(envelope.voids.id)
    settled = settled_of(session, envelope.voids.id) if row is None else settled_of_row(row)
    if row is not None and row.digest != envelope.voids.digest:
        return Result(Outcome.MISMATCH, (problem(Code.OTHER_CONTENT),))
    if row is not None and row.user != user.name and not user.is_supervisor:
        # not kept: the number stays that of the envelope
        return Result(Outcome.MISMATCH, (problem(Code.NOT_YOUR_ENVELOPE),))
    if row is not None and row.outcome in APPLIED:
        detail = {"receipt": json.loads(row.receipt)}
        return Result(Outcome.MISMATCH, (problem(Code.ALREADY_APPLIED, detail=detail),))
    if settled is not None:
        return Result(Outcome.MISMATCH, (_already_settled(settled),))
    return None


def voided_digest(row: Any) -> str:
    """Return the digest of the envelope that a void (a row with `void_content`) discards."""
    return str(json.loads(row.void_content)["voids"]["digest"])


# what is told of it


def settled_of(session: Session, identity: str) -> Settled | None:
    """Return how an envelope ended, whether it has arrived or not."""
    query = sa.select(
        _SETTLEMENT.c.how, _SETTLEMENT.c.by, _SETTLEMENT.c.user.label("by_user"), _SETTLEMENT.c.at
    ).where(_SETTLEMENT.c.envelope == identity)
    row = session.execute(query).first()
    return None if row is None else settled_of_row(row)


def new_keys_in(session: Session, device: str, content: str) -> tuple[NewKey, ...]:
    """Return the real keys of an envelope's new rows, which its repair has brought."""
    keys, found = ServerKeys(session, device), list[NewKey]()
    for operation in json.loads(content)["operations"]:
        key = operation["key"]
        if operation["do"] != "insert" or len(key) != 1 or not isinstance(key[0], int):
            continue
        if key[0] < 0 and (real := keys.real(operation["model"], key[0])) is not None:
            found.append(NewKey(operation["model"], key[0], real))
    return tuple(found)


def keys_in(
    session: Session, device: str, envelopes: Iterable[Envelope]
) -> dict[tuple[str, int], int]:
    """Return the real keys of all temporary ones that envelopes of a device name, by model."""
    named = {key for each in envelopes for key in footprint(each.operations).named}
    if not named:
        return {}
    table = tables.key
    query = sa.select(table.c.model, table.c.temporary, table.c.real)
    query = query.where(table.c.device == device, table.c.temporary.in_(sorted(named)))
    rows = session.execute(query)
    return {(row.model, row.temporary): json.loads(row.real)[0] for row in rows}


def kept_receipts(session: Session, device: str, ids: Sequence[str]) -> list[Receipt]:
    """Return the receipts of a device's envelopes as they stand now."""
    found = rows_of(session, ids)
    return [
        kept_receipt(session, found[i]) for i in ids if i in found and found[i].device == device
    ]


def kept_receipt(session: Session, row: Any) -> Receipt:
    """Return the receipt that was kept, with how the envelope ended since."""
    first = replace(receipt_from_json(json.loads(row.receipt)), is_kept=True)
    if first.is_applied:
        return replace(first, outcome=Outcome.DUPLICATE)
    settled = settled_of_row(row)
    if settled is None:
        return first
    keys = new_keys_in(session, row.device, row.content) if settled.how == SUPERSEDED else ()
    return replace(first, settled=settled, keys=keys)


def first_receipt(session: Session, user: User, identity: str) -> Receipt | None:
    """Return the receipt of what a person has saved online; None where that was not applied."""
    row = rows_of(session, [identity]).get(identity)
    if row is None or row.device != web_device(user.name):
        return None
    receipt = kept_receipt(session, row)
    return receipt if receipt.is_applied else None


def waiting_count(session: Session, device: str) -> int:
    """Return how many envelopes of a device have arrived and wait for something."""
    query = _ROWS.with_only_columns(sa.func.count()).where(
        _ENVELOPE.c.device == device,
        _ENVELOPE.c.outcome == str(Outcome.WAITING),
        _SETTLEMENT.c.envelope.is_(None),
    )
    return session.scalar(query) or 0


def last_app_version(session: Session, device: str) -> str:
    """Return which version of the app has made the newest envelope of a device; may be empty."""
    newest = sa.select(_ENVELOPE.c.content).where(_ENVELOPE.c.device == device)
    content = session.scalar(newest.order_by(_ENVELOPE.c.number.desc()).limit(1))
    return "" if content is None else str(json.loads(content).get("app_version", ""))


def missing_numbers(session: Session, device: str, most: int = 100) -> list[list[int]]:
    """Return the numbers that never arrived from a device: ranges [from, to], the first `most`."""
    numbers = sa.select(
        _ENVELOPE.c.number,
        sa.func.lag(_ENVELOPE.c.number, 1, 0).over(order_by=_ENVELOPE.c.number).label("last"),
    ).where(_ENVELOPE.c.device == device)
    found = numbers.distinct().subquery()
    query = (
        sa.select(found.c.last + 1, found.c.number - 1)
        .where(found.c.number > found.c.last + 1)
        .order_by(found.c.number)
        .limit(most)
    )
    return [[first, last] for first, last in session.execute(query)]
