"""What envelopes bring that are kept and not applied: noted with each, and anew for older ones."""

import json

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.feed.attachment_references import forget_envelopes, note_envelope
from fieldpost_server.inbox.dependencies import is_done
from fieldpost_server.storage import tables

_ENVELOPE, _SETTLEMENT = tables.envelope, tables.settlement
_REFERENCE = tables.attachment_reference


def rebuild_envelope_references(session: Session) -> int:
    """Note anew what the envelopes bring that somebody may still repair; returns how many."""
    kept = _ENVELOPE.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id)
    query = sa.select(_ENVELOPE.c.id, _ENVELOPE.c.content).select_from(kept)
    found = session.execute(query.where(sa.not_(is_done()))).all()
    forget_envelopes(session.connection())
    count = 0
    for row in found:
        # fault point: envelopes-half-noted — one transaction: what was noted before stays until all
        # of it is there, and it may be run again.
        if digests := json.loads(row.content or "{}").get("attachments"):
            note_envelope(session.connection(), row.id, digests, is_new=True)
            count += 1
    return count


def forget_settled_envelopes(session: Session) -> None:
    """Forget what envelopes bring that found their end since: nobody repairs them any more."""
    noted = _REFERENCE.join(_ENVELOPE, _ENVELOPE.c.id == _REFERENCE.c.key)
    ended = noted.outerjoin(_SETTLEMENT, _SETTLEMENT.c.envelope == _ENVELOPE.c.id)
    query = sa.select(_ENVELOPE.c.id).distinct().select_from(ended)
    done = query.where(_REFERENCE.c.table_name == _ENVELOPE.name, is_done())
    forget_envelopes(session.connection(), done)
