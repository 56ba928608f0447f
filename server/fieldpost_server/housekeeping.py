"""Housekeeping: what has ended or grown old goes, while the server runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from logging import ERROR, WARNING

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from fieldpost_server.changes import horizon_age_s, prune_changes
from fieldpost_server.home import ServerHome
from fieldpost_server.log import log
from fieldpost_server.sessions import delete_expired
from fieldpost_server.settings import HOUR_S, Settings
from fieldpost_server.tables import utc_now
from fieldpost_server.throttle import delete_old

EVERY_S = 6 * HOUR_S
WATCH_EVERY_S = 60


def tidy(home: ServerHome, settings: Settings) -> dict[str, int]:
    """Delete old changes, ended sessions and abandoned uploads; returns how many."""
    oldest = utc_now() - timedelta(days=settings.keep_changes_days)

    def work(session: Session) -> dict[str, int]:
        delete_old(session)
        return {
            "sessions": delete_expired(session, settings),
            "changes": prune_changes(session, older_than=oldest),
        }

    return {**home.database.write(work), "uploads": home.store.delete_abandoned(oldest)}


def watch_horizon(home: ServerHome, settings: Settings) -> bool:
    """Log a warning if a transaction holds back the change feed; returns whether one does."""
    with home.database.read_session() as session:
        age = horizon_age_s(session)
    if age > settings.stalled_after_s:
        log("change feed stalled", level=WARNING, oldest_transaction_s=round(age))
    return age > settings.stalled_after_s


@asynccontextmanager
async def housekeeping(home: ServerHome, settings: Settings) -> AsyncIterator[None]:
    """Tidy now and every few hours, and watch the change feed, while the block runs."""
    tasks = [
        asyncio.create_task(_repeat(EVERY_S, tidy, home, settings)),
        asyncio.create_task(_repeat(WATCH_EVERY_S, watch_horizon, home, settings)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _repeat(
    seconds: float,
    work: Callable[[ServerHome, Settings], object],
    home: ServerHome,
    settings: Settings,
) -> None:
    while True:
        try:
            await run_in_threadpool(work, home, settings)
        except Exception as error:  # noqa: BLE001 - housekeeping tries again, it stops nothing
            log("housekeeping failed", level=ERROR, error=error)
        await asyncio.sleep(seconds)
