"""The inbox's tables: devices, envelopes with their receipts, and what temporary keys became.

The statements are made once: building them costs more than running them.
"""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from fieldpost.canonical import canonical
from fieldpost.envelope import Envelope
from fieldpost.receipts import NewKey, Outcome, Receipt
from fieldpost.users import User
from fieldpost_server import tables

WEB = "web"
"""Kind of the devices that the server keeps for people who work online."""

_DEVICE, _ENVELOPE, _KEY = tables.device, tables.envelope, tables.key

_LOCK_DEVICE = sa.select(_DEVICE).where(_DEVICE.c.id == bindparam("device")).with_for_update()
_MOVE_DEVICE = (
    sa.update(_DEVICE)
    .where(_DEVICE.c.id == bindparam("device"), _DEVICE.c.number < bindparam("new_number"))
    .values(
        number=bindparam("new_number"),
        last_digest=bindparam("new_digest"),
        last_seen_at=bindparam("seen_at"),
    )
)
_AROUND = sa.select(
    _ENVELOPE.c.id,
    _ENVELOPE.c.device,
    _ENVELOPE.c.number,
    _ENVELOPE.c.digest,
    _ENVELOPE.c.outcome,
    _ENVELOPE.c.receipt,
).where(
    sa.or_(
        _ENVELOPE.c.id == bindparam("envelope"),
        sa.and_(
            _ENVELOPE.c.device == bindparam("device"),
            _ENVELOPE.c.number.between(bindparam("before"), bindparam("number")),
        ),
    )
)
_REAL_KEY = sa.select(_KEY.c.real).where(
    _KEY.c.device == bindparam("device"),
    _KEY.c.model == bindparam("model"),
    _KEY.c.temporary == bindparam("temporary"),
)
_INSERT_KEYS = sa.insert(_KEY)
_INSERT_ENVELOPE = sa.insert(_ENVELOPE)
_DROP_WAITING = sa.delete(_ENVELOPE).where(
    _ENVELOPE.c.id == bindparam("envelope"), _ENVELOPE.c.outcome == str(Outcome.WAITING)
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox holds around an envelope: itself, its number's owner, and the one before."""

    same: Any
    taken: Any
    before: Any


def known_around(session: Session, envelope: Envelope) -> Known:
    """Return what the inbox holds around an envelope."""
    values = {
        "envelope": envelope.id,
        "device": envelope.device,
        "before": envelope.number - 1,
        "number": envelope.number,
    }
    rows = session.execute(_AROUND, values).all()
    here = [row for row in rows if row.device == envelope.device]
    return Known(
        same=next((r for r in rows if r.id == envelope.id), None),
        taken=next((r for r in here if r.number == envelope.number), None),
        before=next((r for r in here if r.number == envelope.number - 1), None),
    )


def locked_device(session: Session, device: str, user: User) -> Any:
    """Return the device's row, locked: one envelope of a device after the other."""
    row = session.execute(_LOCK_DEVICE, {"device": device}).first()
    if row is None:
        kind = WEB if device.startswith(f"{WEB}-") else "device"
        session.execute(sa.insert(_DEVICE).values(id=device, user=user.name, kind=kind))
        row = session.execute(_LOCK_DEVICE, {"device": device}).one()
    return row


def keep_envelope(session: Session, envelope: Envelope, receipt: Receipt) -> Receipt:
    """Write envelope and receipt; an envelope that was waiting gets its new receipt."""
    session.execute(_DROP_WAITING, {"envelope": envelope.id})
    row = {
        "id": envelope.id,
        "device": envelope.device,
        "number": envelope.number,
        "previous": envelope.previous,
        "digest": envelope.digest,
        "user": envelope.user,
        "page": envelope.page,
        "saved_at": envelope.saved_at,
        "outcome": str(receipt.outcome),
        "content": envelope.to_text(),
        "receipt": canonical(receipt.to_json()),
    }
    session.execute(_INSERT_ENVELOPE, row)
    moved = {
        "device": envelope.device,
        "new_number": envelope.number,
        "new_digest": envelope.digest,
        "seen_at": tables.utc_now(),
    }
    session.connection().execute(_MOVE_DEVICE, moved)
    return receipt


class ServerKeys:
    """The key book of one device, in the database; see `fieldpost.odp.keys.KeyBook`."""

    def __init__(self, session: Session, device: str) -> None:
        self.session = session
        self.device = device
        self.known: dict[tuple[str, int], int | None] = {}

    def real(self, model: str, temporary: int) -> int | None:
        """Return the real key that was remembered."""
        if (model, temporary) not in self.known:
            values = {"device": self.device, "model": model, "temporary": temporary}
            text = self.session.scalar(_REAL_KEY, values)
            self.known[model, temporary] = None if text is None else json.loads(text)[0]
        return self.known[model, temporary]

    def chosen(self, model: str, temporary: int) -> int | None:  # noqa: ARG002 - the protocol's
        """Let the database count."""
        return None

    def remember(self, key: NewKey) -> None:
        """Keep it in memory; `keep` writes all of them at once."""
        self.known[key.model, key.temporary] = key.real

    def keep(self, keys: tuple[NewKey, ...]) -> None:
        """Write new keys."""
        if keys:
            rows = [
                {
                    "device": self.device,
                    "model": k.model,
                    "temporary": k.temporary,
                    "real": json.dumps([k.real]),
                }
                for k in keys
            ]
            self.session.execute(_INSERT_KEYS, rows)
