"""What lets somebody in once or for a while, after a database was put back.

It takes for unused what was used since, and for open what has ended: none of it counts any more.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.factors.authenticators import STEP_S, STEPS_APART
from fieldpost_server.storage import tables

_TABLES = (
    tables.session,
    tables.invitation,
    tables.half_sign_in,
    tables.challenge,
    tables.provider_question,
    tables.recovery_code,
)


def forget_used_once(session: Session, now: datetime | None = None) -> list[str]:
    """End sessions and invitations, and forget all that is begun, unused or of this half minute.

    Returns:
        who had recovery codes, by name: she has to make new ones.
    """
    had_codes = sa.select(tables.recovery_code.c.user).distinct()
    names = sorted(session.scalars(had_codes))
    for table in _TABLES:
        session.execute(sa.delete(table))
    apps = tables.authenticator
    session.execute(sa.delete(apps).where(sa.not_(apps.c.confirmed)))
    # codes that are right at this moment may have been used since; the next ones cannot
    newest = int((now or tables.utc_now()).timestamp()) // STEP_S + max(STEPS_APART)
    session.execute(sa.update(apps).where(apps.c.last_step < newest).values(last_step=newest))
    return names
