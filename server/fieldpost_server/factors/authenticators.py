"""Authenticators: apps that make a code of the time from a secret (TOTP, RFC 6238)."""

import hmac
import uuid
from datetime import datetime, timedelta

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost_server.factors.sealing import sealed, unsealed
from fieldpost_server.storage import tables

MOST = 3
"""So many may one person have: each is one more code that a guess may hit."""

STEP_S = 30
"""So long is a code right; apps that make them know no other time."""

STEPS_APART = (0, -1, 1)
"""Which codes are taken: that of now and, as clocks differ, those of half a minute around it."""

PATIENCE = timedelta(minutes=30)
"""An authenticator that nobody has shown a code of is forgotten after so long."""

_TABLE = tables.authenticator


def propose(session: Session, user: str, secret: bytes | None) -> tuple[str, str]:
    """Return id and secret of a new authenticator, which counts once it has shown a code.

    Whatever she had begun before is forgotten.

    Raises:
        InputError: she has as many as there may be.
    """
    if _count(session, user) >= MOST:
        raise InputError([problem(Code.FACTORS_FULL, limit=MOST)])
    session.execute(sa.delete(_TABLE).where(_TABLE.c.user == user, sa.not_(_TABLE.c.confirmed)))
    identity, text = uuid.uuid4().hex, pyotp.random_base32()
    kept = sealed(text, _owner(user, identity), secret)
    session.execute(sa.insert(_TABLE).values(id=identity, user=user, secret=kept))
    return identity, text


def proposed_secret(
    session: Session, user: str, identity: str, secret: bytes | None, now: datetime | None = None
) -> str | None:
    """Return the secret of one that was begun; None once it counts, or is forgotten."""
    since = (now or tables.utc_now()) - PATIENCE
    query = sa.select(_TABLE.c.secret).where(
        _TABLE.c.id == identity,
        _TABLE.c.user == user,
        sa.not_(_TABLE.c.confirmed),
        _TABLE.c.created_at > since,
    )
    kept = session.scalar(query)
    return None if kept is None else unsealed(kept, _owner(user, identity), secret)


def confirm(
    session: Session, user: str, identity: str, code: str, name: str, secret: bytes | None
) -> bool:
    """Let an authenticator count that shows a right code; says whether it does."""
    text = proposed_secret(session, user, identity, secret)
    now = tables.utc_now()
    step = None if text is None else _step_of(text, code, now)
    if step is None or _count(session, user) >= MOST:
        return False
    values = {"confirmed": True, "last_step": step, "name": name, "created_at": now}
    session.execute(sa.update(_TABLE).where(_TABLE.c.id == identity).values(**values))
    return True


def shows_code(
    session: Session, user: str, code: str, secret: bytes | None, now: datetime | None = None
) -> bool:
    """Say whether the code is one of her authenticators' and was never used; now it was.

    Raises:
        InputError: none of hers can be read any more.
    """
    now, fault = now or tables.utc_now(), None
    query = sa.select(_TABLE.c.id, _TABLE.c.secret).where(_TABLE.c.user == user, _TABLE.c.confirmed)
    for row in session.execute(query).all():
        try:
            text = unsealed(row.secret, _owner(user, row.id), secret)
        except InputError as error:
            fault = error
            continue
        step = _step_of(text, code, now)
        # fault point: code-used — the code counts as used in the transaction that lets its user in,
        # or not at all; two that bring one code take turns, and the later one finds it used.
        if step is not None and _use(session, row.id, step, now):
            return True
    if fault is not None:
        raise fault
    return False


def address_for_app(text: str, user: str, app: str) -> str:
    """Return what an app reads from a QR code."""
    # a colon divides the two, also for apps that read it loosely
    return pyotp.TOTP(text).provisioning_uri(name=user, issuer_name=app.replace(":", " "))


def _use(session: Session, identity: str, step: int, now: datetime) -> bool:
    newer = sa.update(_TABLE).where(_TABLE.c.id == identity, _TABLE.c.last_step < step)
    done = session.connection().execute(newer.values(last_step=step, last_used_at=now))
    return done.rowcount == 1


def _step_of(text: str, code: str, now: datetime) -> int | None:
    """Return the step of time whose code this is."""
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdigit()):
        return None
    totp = pyotp.TOTP(text)
    present = totp.timecode(now)
    for apart in STEPS_APART:
        if hmac.compare_digest(totp.generate_otp(present + apart), typed):
            return present + apart
    return None


def _count(session: Session, user: str) -> int:
    query = sa.select(sa.func.count()).where(_TABLE.c.user == user, _TABLE.c.confirmed)
    return session.scalar(query) or 0


def _owner(user: str, identity: str) -> str:
    return f"{user} {identity}"
