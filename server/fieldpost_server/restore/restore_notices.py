"""A database that was put back is a rare event: who may begin a timeline, and what people are told.

One report of one device is enough for the first timeline within a day. For another one so soon
people of two names must have lost something, or an administrator says that it was so.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.storage import tables

ONE_IN = timedelta(days=1)
"""A timeline that a single device asks for begins no sooner after another one."""
TOLD_FOR = timedelta(days=14)
"""So long administrators are told of it."""
WITNESSES = 2
"""So many people must have lost something, where it comes sooner."""

_META = tables.meta
_DOUBTED = "restore_doubted"
_NOTICE = "restore_notice"


def is_believed(session: Session, device: str) -> bool:
    """Say whether a device's proven report may begin a timeline now; one that may not is noted."""
    began = session.scalars(sa.select(tables.history.c.began_at)).all()
    # the first timeline began with the database itself
    later = sorted(began)[1:]
    if not later or tables.utc_now() - max(later) >= ONE_IN:
        return True
    timeline = session.scalar(sa.select(_META.c.value).where(_META.c.name == tables.HISTORY))
    noted = _read(session, _DOUBTED)
    people = dict(noted.get("people", {})) if noted.get("timeline") == timeline else {}
    people[_user_of(session, device)] = device
    _write(session, _DOUBTED, {"timeline": timeline, "people": people, "at": _now()})
    return len(people) >= WITNESSES


def note_restore(session: Session, device: str, forgotten: int) -> None:
    """Note that a report has begun a timeline, for `restore_notices`."""
    user = _user_of(session, device)
    told = {"at": _now(), "device": device, "user": user, "forgotten": forgotten}
    _write(session, _NOTICE, told)
    session.execute(sa.delete(_META).where(_META.c.name == _DOUBTED))


def restore_notices(session: Session) -> list[str]:
    """Return what administrators should know, in words; the newest first."""
    found = []
    doubted = _read(session, _DOUBTED)
    if _is_recent(doubted):
        names = ", ".join(sorted(doubted["people"]))
        found.append(
            f"A device of {names} proves that this database has forgotten work, and so soon after "
            "the last time one device is not enough. If the database was put back to a backup, run "
            "'fieldpost db restored'; until then that device does not synchronise."
        )
    told = _read(session, _NOTICE)
    if _is_recent(told):
        found.append(
            f"A device of {told['user']} ({told['device']}) proved on {told['at'][:10]} that this "
            f"database has forgotten {told['forgotten']} of its entries: it was put back to a "
            "backup. All devices download everything anew. If nobody did that, look into it."
        )
    return found


def _user_of(session: Session, device: str) -> str:
    query = sa.select(tables.device.c.user).where(tables.device.c.id == device)
    return session.scalar(query) or ""


def _now() -> str:
    return tables.utc_now().isoformat(timespec="seconds")


def _is_recent(told: Mapping[str, Any]) -> bool:
    at = str(told.get("at", ""))
    return bool(at) and tables.utc_now() - datetime.fromisoformat(at) < TOLD_FOR


def _read(session: Session, name: str) -> dict[str, Any]:
    text = session.scalar(sa.select(_META.c.value).where(_META.c.name == name))
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _write(session: Session, name: str, data: Mapping[str, Any]) -> None:
    text = json.dumps(data)
    where = _META.c.name == name
    # fault point: restore-notice-unwritten — it is written with the timeline that it tells of, or
    # with the report that was not believed: the device reports again until it is answered.
    if session.connection().execute(sa.update(_META).where(where).values(value=text)).rowcount == 0:
        session.execute(sa.insert(_META).values(name=name, value=text))
