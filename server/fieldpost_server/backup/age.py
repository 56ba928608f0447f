"""The age of the last backup, where a place for backups is set."""

from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.backup.place import Place
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

_HOUR_S = 3600


def last_backup(settings: Settings, session: Session) -> datetime | None:
    """Return when the last backup of this office in its place was taken; None where there is none.

    Raises:
        OSError: the place cannot be read.
    """
    first = sa.select(tables.history.c.id).order_by(tables.history.c.number).limit(1)
    office = session.scalar(first)
    moments = (
        found.manifest.moment
        for found in Place(Path(settings.backup)).backups()
        if found.manifest.office == office
    )
    return max(moments, default=None)


def backup_age(settings: Settings, session: Session) -> tuple[int | None, str]:
    """Return how old the last backup is in seconds, and what is wrong with that, in words."""
    if not settings.backup:
        return None, ""
    try:
        last = last_backup(settings, session)
    except OSError as error:
        return None, f"The place of backups cannot be read: {error}. Check FIELDPOST_BACKUP."
    if last is None:
        return None, f"There is no backup in '{settings.backup}'. Run 'fieldpost backup'."
    age = utc_now() - last
    words = ""
    if age > timedelta(hours=settings.backup_hours):
        words = (
            f"The last backup in '{settings.backup}' is {_in_words(age)} old. Look why "
            "'fieldpost backup' is not run, or fails."
        )
    return max(0, round(age.total_seconds())), words


def _in_words(age: timedelta) -> str:
    return f"{age.days} days" if age.days > 1 else f"{round(age.total_seconds() / _HOUR_S)} hours"
