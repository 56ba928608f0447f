"""Confirmations: somebody who is signed in has shown again that it is she."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.accounts.sessions import digest_of
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables

_TABLE, _SESSION = tables.confirmation, tables.session


def is_recent(
    session: Session, token: str, settings: Settings, now: datetime | None = None
) -> bool:
    """Say whether this session was begun or confirmed a short while ago."""
    since = (now or tables.utc_now()) - timedelta(minutes=settings.confirm_minutes)
    query = (
        sa.select(_SESSION.c.token_sha256)
        .outerjoin(_TABLE, _TABLE.c.token_sha256 == _SESSION.c.token_sha256)
        .where(
            _SESSION.c.token_sha256 == digest_of(token),
            sa.or_(_SESSION.c.created_at > since, _TABLE.c.at > since),
        )
    )
    return session.scalar(query) is not None


def confirm_session(session: Session, token: str, now: datetime | None = None) -> None:
    """Note that the user of this session has shown that it is she."""
    digest = digest_of(token)
    session.execute(sa.delete(_TABLE).where(_TABLE.c.token_sha256 == digest))
    session.execute(sa.insert(_TABLE).values(token_sha256=digest, at=now or tables.utc_now()))
