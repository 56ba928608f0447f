"""The call that takes saved work from a file: of one's own, or of others at a supervisor's desk.

The envelopes are those that the device would have sent: their ids, numbers and digests decide, so
the file and the device may both come, in any order and as often as they like.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.receipts import Outcome
from fieldpost.wire.shapes import is_device_id
from fieldpost_server.accounts.security_events import Actor, Event, record
from fieldpost_server.accounts.users import find_user
from fieldpost_server.attachments.attachment_rows import hand_on
from fieldpost_server.devices.revocations import order_of
from fieldpost_server.home import ServerHome
from fieldpost_server.http.authentication import actor_of
from fieldpost_server.http.bodies import spooled
from fieldpost_server.quotas.quotas import over_quota
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.sync.push_lines import PushLines

_DEVICE = tables.device


@dataclass(frozen=True, slots=True)
class HandIn:
    """The route ``/sync/hand-in``."""

    home: ServerHome
    settings: Settings

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/sync/hand-in", self.take, methods=["POST"])]

    async def take(self, request: Request) -> Response:
        """Take envelopes, one a line; say of each what became of it."""
        await run_in_threadpool(self.home.inbox.signer.ready)
        lines = PushLines(await spooled(request), self.settings.max_push_bytes, is_zipped=False)
        await run_in_threadpool(lines.check)
        user: User = request.scope[USER]
        answers = self._taken(lines, user, actor_of(request))
        return StreamingResponse(answers, media_type="application/x-ndjson")

    def _taken(self, lines: PushLines, user: User, actor: Actor) -> Iterator[str]:
        counts: dict[tuple[str, str], int] = {}
        over = None
        for _, line in lines:
            # of whoever hands it in, as a push; what comes behind may build on it
            over = over or over_quota(self.home.quotas, user, line)
            told, of = self._one(line, user, over)
            if of is not None:
                counts[of] = counts.get(of, 0) + 1
            # fault point: handed-in-unanswered — the envelope is decided: handing the file in once
            # more finds that very decision.
            yield json.dumps(told, ensure_ascii=False) + "\n"
        for (owner, device), count in counts.items():
            self._finish(owner, device, count, actor)

    def _one(
        self, line: bytes, user: User, over: Problem | None
    ) -> tuple[dict[str, Any], tuple[str, str] | None]:
        try:
            envelope = read_envelope(line)
        except InputError as error:
            return _told(None, Outcome.INVALID, error.problems[0]), None
        with self.home.session() as session:
            owner, refused = self._owner(session, envelope, user)
        if owner is None or refused is not None:
            return _told(envelope, Outcome.FORBIDDEN, refused), None
        if over is not None:
            return _told(envelope, Outcome.RETRY, over), None
        self._bring(envelope, user, owner)
        receipt = self.home.inbox.receive(line, owner, envelope.device)
        # what stands in the way may tell of rows: only whose work it is may read that here
        why = receipt.problems[0] if receipt.problems and owner.name == user.name else None
        kept = receipt.outcome not in (Outcome.MISMATCH, Outcome.RETRY)
        of = (owner.name, envelope.device) if kept else None
        return _told(envelope, receipt.outcome, why), of

    def _owner(
        self, session: Session, envelope: Envelope, user: User
    ) -> tuple[User | None, Problem | None]:
        """Return whose work it is, or why it is not taken from this user."""
        if envelope.user != user.name and not user.is_supervisor:
            return None, problem(Code.WRONG_USER, "user", user=envelope.user)
        device = envelope.device
        query = sa.select(_DEVICE.c.user, _DEVICE.c.revoked).where(_DEVICE.c.id == device)
        row = session.execute(query).first() if is_device_id(device) else None
        if row is None or row.user != envelope.user:
            return None, problem(Code.WRONG_DEVICE, "device")
        order = order_of(session, device)
        if row.revoked and (order is None or not order.hand_over) and not user.is_supervisor:
            return None, problem(Code.DEVICE_REVOKED, "device")
        owner = find_user(session, envelope.user)
        return owner, None if owner else problem(Code.WRONG_USER, "user", user=envelope.user)

    def _bring(self, envelope: Envelope, user: User, owner: User) -> None:
        """Let its owner have brought what came with the file: it is her work that refers to it."""
        if not envelope.attachments or user.name == owner.name:
            return

        def work(session: Session) -> None:
            hand_on(session, user.name, owner.name, envelope.attachments)

        # fault point: handed-in-files-only — the files count as hers, the envelope is not decided:
        # handing it in once more goes on.
        self.home.database.write(work)

    def _finish(self, owner: str, device: str, count: int, actor: Actor) -> None:
        """Try what waited for this, and keep who has brought it."""
        with self.home.session() as session:
            user = find_user(session, owner)
        if user is not None:
            self.home.inbox.retry_waiting(user, device)

        def work(session: Session) -> None:
            record(session, actor, Event.WORK_HANDED_IN, owner, f"{device}, {count} entries")

        # fault point: handed-in-unrecorded — the ledger has the envelopes; who brought them is said
        # when the file is handed in again.
        self.home.database.write(work)


def _told(envelope: Envelope | None, outcome: Outcome, why: Problem | None) -> dict[str, Any]:
    return {
        "envelope": envelope.id if envelope else None,
        "user": envelope.user if envelope else "",
        "number": envelope.number if envelope else 0,
        "outcome": str(outcome),
        "message": why.message if why else "",
    }
