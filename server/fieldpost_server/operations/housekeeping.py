"""Housekeeping: what has ended or grown old goes, while the server runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from logging import ERROR

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from fieldpost_server.accounts.devices import forget_uses
from fieldpost_server.accounts.invitations import delete_expired_invitations
from fieldpost_server.accounts.security_events import delete_old_events
from fieldpost_server.accounts.sessions import delete_expired
from fieldpost_server.accounts.throttle import delete_old
from fieldpost_server.factors.challenges import delete_expired_challenges
from fieldpost_server.factors.half_sign_ins import delete_expired_halves
from fieldpost_server.feed.changes import prune_changes
from fieldpost_server.feed.stalls import HorizonWatch
from fieldpost_server.home import ServerHome
from fieldpost_server.inbox.refused_contents import let_go
from fieldpost_server.log import log
from fieldpost_server.operations.collection import collect, note_unused
from fieldpost_server.providers.questions import delete_expired_questions
from fieldpost_server.quotas.usage import delete_old_counts
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.settings import HOUR_S, Settings
from fieldpost_server.storage.tables import utc_now

EVERY_S = 6 * HOUR_S
WATCH_EVERY_S = 60
RECOUNT_EVERY_S = 60


def tidy(home: ServerHome, settings: Settings) -> dict[str, int]:
    """Delete old changes and events, ended sessions and abandoned uploads; returns how many."""
    oldest = utc_now() - timedelta(days=settings.keep_changes_days)

    def work(session: Session) -> dict[str, int]:
        delete_old(session)
        delete_expired_invitations(session)
        delete_old_counts(session)
        gone = let_go(session, home.inbox.bounds)
        delete_expired_halves(session)
        delete_expired_challenges(session)
        delete_expired_questions(session)
        ended = delete_expired(session, settings)
        return {
            "uses": forget_uses(session),
            "events": delete_old_events(session, settings.keep_events_days),
            "sessions": ended,
            "contents": gone,
            "changes": prune_changes(session, older_than=oldest),
        }

    # fault point: housekeeping-half-done — sessions, counts and changes go in one transaction,
    # uploads one by one after it: whatever is left goes in the next round.
    return {**home.database.write(work), **_collected(home, settings)}


def _collected(home: ServerHome, settings: Settings) -> dict[str, int]:
    if not settings.keep_unused_days:
        return {"uploads": 0, "attachments": 0}
    unused_since = utc_now() - timedelta(days=settings.keep_unused_days)
    home.database.write(note_unused)
    # fault point: collection-half-done — each goes by itself: the next round deletes the rest.
    return {
        "uploads": home.store.delete_abandoned(unused_since),
        "attachments": collect(home.store, unused_since, captured_tables(home.app)),
    }


@asynccontextmanager
async def housekeeping(home: ServerHome, settings: Settings) -> AsyncIterator[None]:
    """Tidy now and every few hours, watch the feed, count anew: while the block runs."""
    watch = HorizonWatch(home.database, settings.stalled_after_s)
    tasks = [
        asyncio.create_task(_repeat(EVERY_S, partial(tidy, home, settings))),
        asyncio.create_task(_repeat(WATCH_EVERY_S, watch.look)),
        asyncio.create_task(
            _repeat(RECOUNT_EVERY_S, partial(home.checksums.recount, home.database))
        ),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _repeat(seconds: float, work: Callable[[], object]) -> None:
    while True:
        try:
            await run_in_threadpool(work)
        except Exception as error:  # noqa: BLE001 - housekeeping tries again, it stops nothing
            log("housekeeping failed", level=ERROR, error=error)
        await asyncio.sleep(seconds)
