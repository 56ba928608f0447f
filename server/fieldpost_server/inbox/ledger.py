"""The inbox's tables: devices, envelopes with their receipts, and what temporary keys became.

The statements are made once: building them costs more than running them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fieldpost.schema.models import Model
from fieldpost.text.canonical import canonical
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import NewKey, Outcome, Receipt, Settled
from fieldpost_server.feed.attachment_references import note_envelope
from fieldpost_server.restore.timelines import present_timeline_column
from fieldpost_server.storage import tables
from fieldpost_server.storage.key_allocation import next_keys
from fieldpost_server.storage.web_devices import WEB, is_web

_DEVICE, _ENVELOPE, _KEY = tables.device, tables.envelope, tables.key
_SETTLEMENT = tables.settlement

# fault point: device-locked — the row is held until the transaction ends: a device's envelopes are
# decided one after the other, by however many processes.
_LOCK_DEVICE = sa.select(_DEVICE).where(_DEVICE.c.id == bindparam("device")).with_for_update()
_IS_AROUND = sa.or_(
    _ENVELOPE.c.id == bindparam("envelope"),
    sa.and_(
        _ENVELOPE.c.device == bindparam("device"),
        _ENVELOPE.c.number.between(bindparam("before"), bindparam("number")),
    ),
)
# one statement for both: on a database across a network each one costs a journey
_LOCK_AND_LOOK_AROUND = (
    sa.select(
        _ENVELOPE.c.id,
        _ENVELOPE.c.device,
        _ENVELOPE.c.number,
        _ENVELOPE.c.digest,
        _ENVELOPE.c.outcome,
        _ENVELOPE.c.receipt,
        _ENVELOPE.c.void,
        sa.case((_ENVELOPE.c.void, _ENVELOPE.c.content)).label("void_content"),
        _SETTLEMENT.c.how,
        _SETTLEMENT.c.by,
        _SETTLEMENT.c.user.label("by_user"),
        _SETTLEMENT.c.at,
        present_timeline_column(),
    )
    .select_from(
        _DEVICE.outerjoin(_ENVELOPE, _IS_AROUND).outerjoin(
            _SETTLEMENT, _SETTLEMENT.c.envelope == bindparam("envelope")
        )
    )
    .where(_DEVICE.c.id == bindparam("device"))
    # fault point: device-locked-with-neighbours — the same; what is around the envelope was read
    # under the lock, so it stays true until the envelope is kept.
    .with_for_update(of=_DEVICE)
)
_REAL_KEY = sa.select(_KEY.c.real).where(
    _KEY.c.device == bindparam("device"),
    _KEY.c.model == bindparam("model"),
    _KEY.c.temporary == bindparam("temporary"),
)
_SQLITE_MOMENT = _ENVELOPE.c.received_at.type.bind_processor(sqlite.dialect())
"""Writes a moment as SQLAlchemy reads it; psycopg takes it as it is."""

# What every envelope writes is text for the driver: SQLAlchemy takes many times as long to run a
# statement of its own as SQLite takes to do it.
# all keys of an envelope as one parameter: one short statement, however many rows
_INSERT_KEYS = (
    "INSERT INTO fieldpost_key (device, model, temporary, real) "
    "SELECT :owner, json_extract(value, '$[0]'), json_extract(value, '$[1]'), "
    "'[' || json_extract(value, '$[2]') || ']' "
    "FROM json_each(:keys)"
)
_COLUMNS = ", ".join(f'"{column.name}"' for column in _ENVELOPE.c)
_VALUES = ", ".join(f":{column.name}" for column in _ENVELOPE.c)
_INSERT_ENVELOPE = f"INSERT INTO fieldpost_envelope ({_COLUMNS}) VALUES ({_VALUES})"  # noqa: S608 - our own names
# of what came late, too: on PostgreSQL whoever waited for the row has looked around before, and
# only a row that was written meanwhile makes him look again
_MOVE_DEVICE = (
    "UPDATE fieldpost_device SET "
    "last_digest = CASE WHEN number < :number THEN :digest ELSE last_digest END, "
    "number = CASE WHEN number < :number THEN :number ELSE number END, "
    "last_seen_at = :received_at WHERE id = :device"
)
# the same three statements as one, where each costs a journey; parameters as psycopg names them
_INSERT_AND_MOVE = re.sub(
    r":(\w+)",
    r"%(\1)s",
    f"WITH moved AS ({_MOVE_DEVICE}), "  # noqa: S608 - our own names
    "named AS (INSERT INTO fieldpost_key (device, model, temporary, real) "
    "SELECT :owner, value ->> 0, CAST(value ->> 1 AS bigint), '[' || (value ->> 2) || ']' "
    f"FROM jsonb_array_elements(CAST(:keys AS jsonb))) {_INSERT_ENVELOPE}",
)
_DROP_WAITING = sa.delete(_ENVELOPE).where(
    _ENVELOPE.c.id == bindparam("envelope"), _ENVELOPE.c.outcome == str(Outcome.WAITING)
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox holds around an envelope.

    Attributes:
        same: the envelope itself; None where it has not arrived yet.
        taken: what has its number: it, the void that discards it, or another.
        before: what has the number before.
        settled: how it ended, where somebody repaired or discarded it.
        timeline: the present one.
    """

    same: Any
    taken: Sequence[Any]
    before: Sequence[Any]
    settled: Settled | None
    timeline: str


def known_around(session: Session, envelope: Envelope, user: User) -> Known:
    """Return what the inbox holds around an envelope, with its device's row locked."""
    values = {
        "envelope": envelope.id,
        "device": envelope.device,
        "before": envelope.number - 1,
        "number": envelope.number,
    }
    rows = session.connection().execute(_LOCK_AND_LOOK_AROUND, values).all()
    if not rows:
        locked_device(session, envelope.device, user)
        return known_around(session, envelope, user)
    here = [row for row in rows if row.device == envelope.device]
    same = next((r for r in rows if r.id == envelope.id), None)
    settled = settled_of_row(rows[0])
    if same is None and settled is not None and not _was_theirs(session, envelope, settled):
        # fault point: foreign-settlement-gone — it was about what its author had never seen; it
        # goes in the transaction of the envelope that it named, or stays and is met again.
        session.execute(sa.delete(_SETTLEMENT).where(_SETTLEMENT.c.envelope == envelope.id))
        settled = None
    return Known(
        same=same,
        taken=[r for r in here if r.number == envelope.number],
        before=[r for r in here if r.number == envelope.number - 1],
        settled=settled,
        timeline=rows[0].timeline or "",
    )


def _was_theirs(session: Session, envelope: Envelope, settled: Settled) -> bool:
    """Say whether an envelope that has not arrived was settled by its own user or device.

    Nobody else can know it; who has read its id somewhere settles nothing by it.
    """
    if settled.user == envelope.user:
        return True
    query = sa.select(_ENVELOPE.c.device).where(_ENVELOPE.c.id == settled.by)
    return session.scalar(query) == envelope.device


def settled_of_row(row: Any) -> Settled | None:
    """Read how an envelope ended from columns `how`, `by`, `by_user` and `at`."""
    if row.how is None:
        return None
    return Settled(row.how, row.by, row.by_user, row.at.isoformat(timespec="milliseconds"))


def locked_device(session: Session, device: str, user: User) -> Any:
    """Return the device's row, locked: one envelope of a device after the other."""
    row = session.connection().execute(_LOCK_DEVICE, {"device": device}).first()
    if row is None:
        kind = WEB if is_web(device) else "device"
        session.execute(sa.insert(_DEVICE).values(id=device, user=user.name, kind=kind))
        row = session.execute(_LOCK_DEVICE, {"device": device}).one()
    return row


class TemporaryTaken(Exception):
    """A new row has a temporary key that another row had before."""


def keep_envelope(
    session: Session,
    envelope: Envelope,
    receipt: Receipt,
    *,
    is_new: bool = False,
    owner: str = "",
) -> Receipt:
    """Write envelope, receipt and new keys; an envelope that was waiting gets its new receipt.

    Args:
        session: within the envelope's transaction.
        envelope, receipt: what is kept.
        is_new: the envelope is not kept as waiting.
        owner: the device whose temporary keys the receipt's new ones were.

    Raises:
        TemporaryTaken: nothing can be written in this transaction any more.
    """
    connection = session.connection()
    if envelope.attachments:
        needed = () if receipt.is_applied else envelope.attachments
        note_envelope(connection, envelope.id, needed, is_new=is_new)
    if not is_new:
        connection.execute(_DROP_WAITING, {"envelope": envelope.id})
    row = _row_of(envelope, receipt, connection.dialect.name)
    keys = json.dumps([[k.model, k.temporary, k.real] for k in receipt.keys])
    names = {"owner": owner or envelope.device, "keys": keys}
    try:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(_INSERT_AND_MOVE, {**row, **names})
            return receipt
        if receipt.keys:
            connection.exec_driver_sql(_INSERT_KEYS, names)
    except IntegrityError as error:
        if "fieldpost_key" in str(error.orig):
            raise TemporaryTaken from error
        raise
    # fault point: ledger-half-written — keys, envelope, receipt and the device's number are one
    # transaction with the rows: all or nothing, and the device sends the envelope again.
    connection.exec_driver_sql(_INSERT_ENVELOPE, row)
    connection.exec_driver_sql(_MOVE_DEVICE, row)
    return receipt


def _row_of(envelope: Envelope, receipt: Receipt, dialect: str) -> dict[str, Any]:
    """Return the ledger's row of an envelope, as the driver takes it."""
    moment = tables.utc_now()
    return {
        "id": envelope.id,
        "device": envelope.device,
        "number": envelope.number,
        "previous": envelope.previous,
        "digest": envelope.digest,
        "user": envelope.user,
        "page": envelope.page,
        "saved_at": envelope.saved_at,
        "received_at": _SQLITE_MOMENT(moment) if dialect == "sqlite" and _SQLITE_MOMENT else moment,
        # a void shares the number of what it discards; one made on the server has its own
        "void": envelope.voids is not None and not is_web(envelope.device),
        "outcome": str(receipt.outcome),
        "content": envelope.to_text(),
        "receipt": receipt.signed or canonical(receipt.to_json()),
    }


class ServerKeys:
    """The key book of one device, in the database; see `temporary_keys.KeyBook`."""

    def __init__(self, session: Session, device: str) -> None:
        self.session = session
        self.device = device
        self.known: dict[tuple[str, int], int | None] = {}
        self._chosen: dict[tuple[str, int], int] = {}

    def expect(self, new: Mapping[Model, Sequence[int]]) -> None:
        """Take the keys of all new rows at once."""
        counts = {model: len(temporary) for model, temporary in new.items()}
        for model, numbers in next_keys(self.session.connection(), counts).items():
            names = ((model.name, each) for each in new[model])
            self._chosen.update(zip(names, numbers, strict=False))

    def real(self, model: str, temporary: int) -> int | None:
        """Return the real key that was remembered."""
        if (model, temporary) not in self.known:
            values = {"device": self.device, "model": model, "temporary": temporary}
            text = self.session.scalar(_REAL_KEY, values)
            self.known[model, temporary] = None if text is None else json.loads(text)[0]
        return self.known[model, temporary]

    def chosen(self, model: str, temporary: int) -> int | None:
        """Return the key that `expect` has taken."""
        return self._chosen.get((model, temporary))

    def remember(self, key: NewKey) -> None:
        """Keep it in memory; `keep_envelope` writes all of them at once."""
        self.known[key.model, key.temporary] = key.real
