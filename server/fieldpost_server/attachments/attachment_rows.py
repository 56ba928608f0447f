"""What the database tells of attachments that are whole: what they are, and who brought them."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.odp.replay.statements import insert_links
from fieldpost.types import Attachment
from fieldpost_server.storage import tables


def find(session: Session, sha256: str) -> Attachment | None:
    """Return what is known of an attachment that has arrived whole."""
    table = tables.attachment
    query = sa.select(table).where(table.c.sha256 == sha256, table.c.complete)
    row = session.execute(query).first()
    return None if row is None else Attachment(row.sha256, row.size, row.type, row.name)


def has(session: Session, sha256: str) -> bool:
    """Say whether an attachment has arrived whole."""
    return find(session, sha256) is not None


def found(session: Session, digests: Collection[str]) -> dict[str, list[Attachment]]:
    """Return what is known of attachments that have arrived whole, as each user brought it."""
    whole, bringer = tables.attachment, tables.attachment_bringer
    query = (
        sa.select(whole, bringer.c.type.label("brought_as"))
        .select_from(whole.outerjoin(bringer, bringer.c.sha256 == whole.c.sha256))
        .where(whole.c.sha256.in_(digests), whole.c.complete)
    )
    known: dict[str, list[Attachment]] = {}
    for row in session.execute(query):
        for type_ in {row.type, row.brought_as or row.type}:
            told = Attachment(row.sha256, row.size, type_, row.name)
            known.setdefault(row.sha256, []).append(told)
    return known


def brought(session: Session, users: Collection[str], digests: Collection[str]) -> set[str]:
    """Return those of the attachments whose content one of these users has brought."""
    whole, bringer = tables.attachment, tables.attachment_bringer
    # before bringers were noted, the first one was
    first = sa.select(whole.c.sha256).where(
        whole.c.sha256.in_(digests), whole.c.created_by.in_(users), whole.c.complete
    )
    later = (
        sa.select(bringer.c.sha256)
        .join(whole, whole.c.sha256 == bringer.c.sha256)
        .where(bringer.c.sha256.in_(digests), bringer.c.user.in_(users), whole.c.complete)
    )
    return set(session.scalars(first)) | set(session.scalars(later))


def hand_on(session: Session, from_user: str, to_user: str, digests: Collection[str]) -> None:
    """Let a user count as having brought what another one has brought, as that one has."""
    whole, bringer = tables.attachment, tables.attachment_bringer
    query = (
        sa.select(whole.c.sha256, whole.c.type, bringer.c.type.label("brought_as"))
        .outerjoin(
            bringer,
            sa.and_(bringer.c.sha256 == whole.c.sha256, bringer.c.user == from_user),
        )
        .where(whole.c.sha256.in_(brought(session, [from_user], digests)))
    )
    dialect = session.connection().dialect.name
    for row in session.execute(query).all():
        type_ = row.brought_as or row.type
        # fault point: attachment-half-handed-on — whose it counts as is one transaction with
        # that of the others: all of them, or none.
        values = {"sha256": row.sha256, "user": to_user, "type": type_}
        session.execute(insert_links(bringer, dialect).values(values))


def note(session: Session, attachment: Attachment, user: str) -> None:
    """Note that an attachment lies whole in its place, and that a user has brought it."""
    table, unused = tables.attachment, tables.unused_attachment
    sha256, type_ = attachment.sha256, attachment.type
    if not has(session, sha256):
        row = {"sha256": sha256, "size": attachment.size, "type": type_, "name": attachment.name}
        session.execute(sa.insert(table).values(**row, complete=True, created_by=user))
    session.execute(sa.delete(unused).where(unused.c.sha256 == sha256))
    dialect = session.connection().dialect.name
    brought = {"sha256": sha256, "user": user, "type": type_}
    session.execute(insert_links(tables.attachment_bringer, dialect).values(brought))
