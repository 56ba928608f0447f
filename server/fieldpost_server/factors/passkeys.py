"""Passkeys: keys that stay in a device, and sign a challenge of ours (WebAuthn)."""

import base64
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, problem
from fieldpost.text.jsontext import parse
from fieldpost.users import User
from fieldpost_server.factors.relying_party import RelyingParty
from fieldpost_server.storage import tables

MOST = 10
"""So many may one person have."""
MOST_CHARACTERS = 20_000
"""Of what a browser sends for one."""
_MOST_OF_AN_ID = 1_400

_TABLE = tables.passkey


def creation_options(
    session: Session, user: User, party: RelyingParty, challenge: bytes, app: str
) -> Any:
    """Return what a browser needs to make a passkey, as JSON data.

    Raises:
        InputError: she has as many as there may be.
    """
    # takes a good part of a second, and most servers need it never or late
    from fieldpost_server.factors import passkey_proofs

    rows = _rows(session, user.name, party)
    _need_place(rows)
    handle = _handle(rows, challenge)
    return passkey_proofs.creation_options(user, handle, party, challenge, app, _ids(rows))


def request_options(
    session: Session, user: str, party: RelyingParty, challenge: bytes, *, verified: bool
) -> Any:
    """Return what a browser needs to sign with one of her passkeys, as JSON data.

    Args:
        session: to read in.
        user: whose passkeys.
        party: for which site.
        challenge: what to sign.
        verified: whether the device has to see that it is she (a PIN, a fingerprint).
    """
    from fieldpost_server.factors import passkey_proofs  # late, as above

    known = _ids(_rows(session, user, party))
    return passkey_proofs.request_options(party, challenge, known, verified=verified)


def add_passkey(
    session: Session,
    user: str,
    party: RelyingParty,
    challenge: bytes | None,
    answer: str,
    name: str,
) -> None:
    """Keep a passkey that a browser has made.

    Raises:
        InputError: it is none, answers another challenge or site, or there are too many.
    """
    from fieldpost_server.factors import passkey_proofs  # late, as above

    data = _data_of(answer)
    made = data and challenge and passkey_proofs.made_by(data, party, challenge)
    if not made or not challenge or len(made.credential) > _MOST_OF_AN_ID:
        raise InputError([problem(Code.PASSKEY_FAILED)])
    rows = _rows(session, user, party)
    _need_place(rows)
    known = sa.select(_TABLE.c.id).where(_TABLE.c.credential == made.credential)
    if session.scalar(known) is not None:
        raise InputError([problem(Code.PASSKEY_FAILED)])
    session.execute(
        sa.insert(_TABLE).values(
            id=uuid.uuid4().hex,
            user=user,
            name=name,
            site=party.site,
            handle=_handle(rows, challenge),
            credential=made.credential,
            public_key=made.public_key,
            sign_count=made.sign_count,
        )
    )


def signs(
    session: Session,
    user: str,
    party: RelyingParty,
    challenge: bytes | None,
    answer: str,
    *,
    verified: bool = False,
) -> bool:
    """Say whether one of her passkeys has signed the challenge.

    Args:
        session: to write in: how often a passkey has signed is kept.
        user: whose passkey it has to be.
        party: for which site and address.
        challenge: see `take_challenge`.
        answer: JSON of the browser.
        verified: whether the device must have seen that it is she.
    """
    from fieldpost_server.factors import passkey_proofs  # late, as above

    data = _data_of(answer)
    if data is None or challenge is None:
        return False
    credential = str(data.get("rawId", "")).rstrip("=")
    rows = (each for each in _rows(session, user, party) if each.credential == credential)
    row = next(rows, None)
    if row is None:
        return False
    passkey = passkey_proofs.Made(row.credential, row.public_key, row.sign_count)
    count = passkey_proofs.signed_by(data, passkey, party, challenge, verified=verified)
    if count is None:
        return False
    values = {"sign_count": count, "last_used_at": tables.utc_now()}
    session.execute(sa.update(_TABLE).where(_TABLE.c.id == row.id).values(**values))
    return True


def has_passkey(session: Session, user: str, party: RelyingParty | None) -> bool:
    """Say whether she has one for this site."""
    return party is not None and bool(_rows(session, user, party))


def _rows(session: Session, user: str, party: RelyingParty) -> Sequence[Any]:
    query = sa.select(_TABLE).where(_TABLE.c.user == user, _TABLE.c.site == party.site)
    return session.execute(query.order_by(_TABLE.c.created_at, _TABLE.c.id)).all()


def _ids(rows: Sequence[Any]) -> list[str]:
    return [row.credential for row in rows]


def _need_place(rows: Sequence[Any]) -> None:
    if len(rows) >= MOST:
        raise InputError([problem(Code.FACTORS_FULL, limit=MOST)])


def _handle(rows: Sequence[Any], challenge: bytes) -> str:
    """Return what authenticators call her: the same for all her passkeys, and not her name."""
    if rows:
        return str(rows[0].handle)
    # of the first one the challenge, which is random, and known when its answer comes
    return base64.urlsafe_b64encode(challenge).decode().rstrip("=")


def _data_of(answer: str) -> dict[str, Any] | None:
    if len(answer) > MOST_CHARACTERS:
        return None
    try:
        data = parse(answer)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
