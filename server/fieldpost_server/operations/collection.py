"""Collection: attachments that nothing refers to go, after a time of grace.

First it is noted since when nothing refers to an attachment; what was noted long enough ago, and
nobody has come back to, goes. A push that begins to refer to it meanwhile either holds its row, so
that the collection waits and finds the reference, or finds it gone and waits for its bytes.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from logging import ERROR
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.feed.triggers import uninstalled
from fieldpost_server.inbox.envelope_references import forget_settled_envelopes
from fieldpost_server.log import log
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

MOST_ASKED = 500
"""Digests in one question to the database."""

_WHOLE, _UNUSED = tables.attachment, tables.unused_attachment
_REFERENCE, _BRINGER = tables.attachment_reference, tables.attachment_bringer


@dataclass(frozen=True, slots=True)
class Unused:
    """An attachment that nothing refers to.

    Attributes:
        sha256, size: which, and of how many bytes.
        since: when that was first noted; None where it is noted only now.
    """

    sha256: str
    size: int
    since: datetime | None


def note_unused(session: Session, now: datetime | None = None) -> None:
    """Note since when nothing refers to attachments, and forget that of those in use again."""
    forget_settled_envelopes(session)
    used = sa.exists().where(_REFERENCE.c.sha256 == _UNUSED.c.sha256)
    session.execute(sa.delete(_UNUSED).where(used))
    # fault point: unused-unnoted — notes only, in one transaction: without them nothing is
    # collected, and the next round makes them.
    moment = sa.bindparam("now", now or utc_now(), type_=_UNUSED.c.since.type)
    found = _unused().where(_UNUSED.c.sha256.is_(None)).with_only_columns(_WHOLE.c.sha256, moment)
    session.execute(sa.insert(_UNUSED).from_select(["sha256", "since"], found))


def unused(session: Session) -> list[Unused]:
    """Return the attachments that nothing refers to, the first noted first."""
    rows = session.execute(_unused().order_by(_UNUSED.c.since, _WHOLE.c.sha256))
    return [Unused(row.sha256, row.size, row.since) for row in rows]


def collect(store: AttachmentStore, before: datetime, every: Iterable[sa.Table]) -> int:
    """Delete attachments that nothing refers to, and did not before a moment; returns how many.

    Files that no row tells of, and that are older than that, go as well. Nothing goes while a
    trigger is missing: what was written meanwhile refers to attachments, and nobody has noted it.

    Args:
        store: of the attachments.
        before: that moment.
        every: the tables of the app.
    """
    with store.database.read_session() as session:
        if missing := uninstalled(session.connection(), every):
            names = [table.name for table in missing]
            log("nothing collected, triggers are missing", level=ERROR, tables=names)
            return 0
        found = [each.sha256 for each in unused(session) if each.since and each.since < before]
    count = sum(_collected(store, sha256, before) for sha256 in found)
    return count + sum(_dropped(store, path, before) for path in _strays(store, before))


def _unused() -> sa.Select[tuple[str, int, datetime | None]]:
    """Return the query for attachments that nothing refers to."""
    noted = _WHOLE.outerjoin(_UNUSED, _UNUSED.c.sha256 == _WHOLE.c.sha256)
    query = sa.select(_WHOLE.c.sha256, _WHOLE.c.size, _UNUSED.c.since).select_from(noted)
    return query.where(_WHOLE.c.complete, sa.not_(_is_used()))


def _is_used() -> sa.ColumnElement[bool]:
    return sa.exists().where(_REFERENCE.c.sha256 == _WHOLE.c.sha256)


def _collected(store: AttachmentStore, sha256: str, before: datetime) -> bool:
    """Delete one attachment, unless somebody has begun to refer to it."""
    # who sends it again meanwhile waits, and finds neither row nor file, or both
    with store.deleting() as may_delete, store.held(sha256):
        if not may_delete:
            return False
        with store.database.current_session() as session:
            size = _forgotten(session, sha256, before)
        if size is None:
            return False
        # fault point: collected-file-left — the row is gone, nothing can refer to it: the file has
        # no row, and goes in a later round; who sends it again puts the same bytes there.
        store.delete(sha256)
    log("attachment collected", sha256=sha256, size=size)
    return True


def _forgotten(session: Session, sha256: str, before: datetime) -> int | None:
    """Delete the rows of an attachment; return its size, or None where it stays."""
    row = sa.select(_WHOLE.c.size).where(_WHOLE.c.sha256 == sha256)
    # fault point: attachment-locked — whoever refers to it holds this row until its transaction
    # ends; the look at references comes after the lock, as a statement that sees what is kept now.
    size: int | None = session.scalar(row.with_for_update())
    is_unused = _unused().where(_WHOLE.c.sha256 == sha256, _UNUSED.c.since < before)
    if size is None or session.execute(is_unused).first() is None:
        return None
    for table in (_UNUSED, _BRINGER, _WHOLE):
        session.execute(sa.delete(table).where(table.c.sha256 == sha256))
    return size


def _strays(store: AttachmentStore, before: datetime) -> Iterator[Path]:
    """Yield old files that no row tells of: their upload ended between the two."""
    for folder in sorted(store.folder.glob("[0-9a-f][0-9a-f]")):
        old = [path for path in sorted(folder.iterdir()) if _is_old(path, before)]
        for start in range(0, len(old), MOST_ASKED):
            some = {path.name: path for path in old[start : start + MOST_ASKED]}
            with store.database.read_session() as session:
                known = sa.select(_WHOLE.c.sha256).where(_WHOLE.c.sha256.in_(list(some)))
                for name in some.keys() - set(session.scalars(known)):
                    yield some[name]


def _dropped(store: AttachmentStore, path: Path, before: datetime) -> bool:
    with store.deleting() as may_delete, store.held(path.name):
        if not may_delete:
            return False
        with store.database.read_session() as session:
            row = sa.select(_WHOLE.c.sha256).where(_WHOLE.c.sha256 == path.name)
            is_kept = session.scalar(row) is not None
        if is_kept or not _is_old(path, before):
            return False
        # fault point: stray-file-left — nothing tells of it: the next round finds it again.
        store.delete(path.name)
    log("file without a row deleted", sha256=path.name)
    return True


def _is_old(path: Path, before: datetime) -> bool:
    with suppress(FileNotFoundError):
        return len(path.name) == 64 and path.stat().st_mtime < before.timestamp()
    return False
