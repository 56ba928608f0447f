"""The inbox: every envelope that arrives is applied exactly once, or kept with what is wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from logging import ERROR
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, StatementError
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.envelope import Envelope, read_envelope
from fieldpost.errors import Code, InputError, Problem, problem
from fieldpost.home import Submission
from fieldpost.odp.replay import Result, replay
from fieldpost.receipts import APPLIED, Outcome, Receipt, receipt_from_json
from fieldpost.users import User
from fieldpost_server import tables
from fieldpost_server.database import Database
from fieldpost_server.ledger import (
    WEB,
    Known,
    ServerKeys,
    keep_envelope,
    known_around,
    locked_device,
)
from fieldpost_server.log import log

_DECIDED = frozenset({*APPLIED, Outcome.CONFLICT, Outcome.INVALID, Outcome.FORBIDDEN})


class _Refused(Exception):
    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


class Inbox:
    """Receives envelopes.

    Args:
        app: the app that they belong to.
        database: where they are applied.
        has_attachment: says whether an attachment has arrived whole.
        app_version: of the app's code as it is shipped.
    """

    def __init__(
        self,
        app: App,
        database: Database,
        has_attachment: Callable[[Session, str], bool],
        app_version: str = "",
    ) -> None:
        self.app = app
        self.database = database
        self.has_attachment = has_attachment
        self.app_version = app_version

    def receive(self, text: str | bytes, user: User, device: str) -> Receipt:
        """Apply one envelope of a device and return its receipt; never raises for bad input."""
        try:
            envelope = read_envelope(text)
        except InputError as error:
            log("envelope refused", user=user.name, device=device, why=str(error)[:500])
            return Receipt("", device, 0, "", Outcome.INVALID, error.problems, (), _now())
        if stranger := self._not_theirs(envelope, user, device):
            log("envelope refused", envelope=envelope.id, user=user.name, why=stranger.message)
            return _receipt(envelope, Result(Outcome.FORBIDDEN, (stranger,)))
        try:
            return self._received(envelope, user)
        except Exception as error:  # noqa: BLE001 - one envelope never stops another
            log("envelope not applied", level=ERROR, envelope=envelope.id, error=error)
            trouble = problem(Code.SERVER_TROUBLE)
            return _receipt(envelope, Result(Outcome.RETRY, (trouble,)))

    def retry_waiting(self, user: User, device: str) -> list[Receipt]:
        """Try envelopes again that waited for others; return the receipts of those applied."""
        table = tables.envelope
        query = (
            sa.select(table.c.content)
            .where(table.c.device == device, table.c.outcome == str(Outcome.WAITING))
            .order_by(table.c.number)
        )
        with self.database.read_session() as session:
            texts = list(session.scalars(query))
        receipts = (self.receive(text, user, device) for text in texts)
        return [receipt for receipt in receipts if receipt.outcome is not Outcome.WAITING]

    def commit(self, user: User, submission: Submission, new_id: str) -> Receipt:
        """Make an envelope of what somebody saved online, and apply it.

        What is refused leaves nothing behind: she still has the form in front of her.
        """
        device = f"{WEB}-{user.name}"

        def work(session: Session) -> Receipt:
            row = locked_device(session, device, user)
            envelope = self._envelope(user, submission, new_id, device, row)
            if missing := self._missing(session, envelope):
                raise _Refused(_receipt(envelope, missing))
            return self._apply(session, envelope, user)

        try:
            return self.database.write(work)
        except _Refused as refused:
            return refused.receipt

    def _envelope(
        self, user: User, submission: Submission, new_id: str, device: str, row: Any
    ) -> Envelope:
        return Envelope(
            id=new_id,
            device=device,
            number=row.number + 1,
            previous=row.last_digest or "",
            app=self.app.name,
            app_version=self.app_version,
            page=submission.page,
            user=user.name,
            saved_at=_now(),
            base=submission.base,
            operations=submission.operations,
            attachments=submission.attachments,
        ).sealed()

    def _not_theirs(self, envelope: Envelope, user: User, device: str) -> Problem | None:
        if envelope.device != device:
            return problem(Code.WRONG_DEVICE, "device")
        if envelope.user != user.name:
            return problem(Code.WRONG_USER, "user", user=envelope.user)
        if envelope.app != self.app.name:
            return problem(Code.WRONG_APP, "app", app=envelope.app)
        return None

    def _received(self, envelope: Envelope, user: User) -> Receipt:
        try:
            return self.database.write(lambda session: self._once(session, envelope, user))
        except _Refused as refused:
            receipt = refused.receipt
        if receipt.outcome is Outcome.MISMATCH:
            # the id or the number is another envelope's: there is no place to keep this one
            log(
                "envelope refused",
                envelope=envelope.id,
                user=user.name,
                why=receipt.problems[0].message,
            )
            return receipt
        log(
            "envelope kept",
            envelope=envelope.id,
            outcome=str(receipt.outcome),
            user=user.name,
            problems=[p.to_json() for p in receipt.problems][:20],
        )
        return self.database.write(lambda session: keep_envelope(session, envelope, receipt))

    def _once(self, session: Session, envelope: Envelope, user: User) -> Receipt:
        known = known_around(session, envelope, user)
        if known.same is not None and known.same.outcome in _DECIDED | {Outcome.MISMATCH}:
            return _again(known.same, envelope)
        if fault := _chain_fault(known, envelope):
            raise _Refused(_receipt(envelope, Result(Outcome.MISMATCH, (fault,))))
        if known.same is not None and known.same.digest != envelope.digest:
            return _again(known.same, envelope)
        if missing := self._missing(session, envelope):
            raise _Refused(_receipt(envelope, missing))
        gap = envelope.number > 1 and known.before is None
        return self._apply(session, envelope, user, gap=gap, is_new=known.same is None)

    def _missing(self, session: Session, envelope: Envelope) -> Result | None:
        missing = [a for a in envelope.attachments if not self.has_attachment(session, a)]
        if not missing:
            return None
        waits = problem(Code.ATTACHMENT_MISSING, count=len(missing), detail={"missing": missing})
        return Result(Outcome.WAITING, (waits,))

    def _apply(
        self,
        session: Session,
        envelope: Envelope,
        user: User,
        *,
        gap: bool = False,
        is_new: bool = True,
    ) -> Receipt:
        keys = ServerKeys(session, envelope.device)
        result = _replayed(envelope, session, self.app, user, keys)
        receipt = _receipt(envelope, result)
        if not receipt.is_applied:
            if gap and result.outcome in (Outcome.CONFLICT, Outcome.INVALID):
                # it was made on top of work that has not arrived: judge it when that is there
                waits = problem(Code.PREDECESSOR_MISSING)
                receipt = replace(receipt, outcome=Outcome.WAITING, problems=(waits,))
            raise _Refused(receipt)
        keys.keep(receipt.keys)
        return keep_envelope(session, envelope, receipt, is_new=is_new)


def _replayed(
    envelope: Envelope, session: Session, app: App, user: User, keys: ServerKeys
) -> Result:
    """Replay; what no database can take is the envelope's fault, not the server's trouble."""
    try:
        return replay(envelope, session, app, user, keys)
    except (StatementError, OverflowError) as error:
        if isinstance(error, DBAPIError) and not isinstance(error, DataError):
            raise
        cause = str(error).splitlines()[0][:200]
        return Result(Outcome.INVALID, (problem(Code.REPLAY_FAILED, cause=cause),))


def _now() -> str:
    return tables.utc_now().isoformat(timespec="milliseconds")


def _receipt(envelope: Envelope, result: Result) -> Receipt:
    return Receipt(
        envelope.id,
        envelope.device,
        envelope.number,
        envelope.digest,
        result.outcome,
        result.problems,
        result.keys,
        _now(),
        result.record,
    )


def _again(row: Any, envelope: Envelope) -> Receipt:
    """Answer an envelope that was decided before: the first receipt, or a mismatch."""
    if row.digest != envelope.digest:
        fault = problem(Code.OTHER_CONTENT)
        return _receipt(envelope, Result(Outcome.MISMATCH, (fault,)))
    first = receipt_from_json(json.loads(row.receipt))
    return replace(first, outcome=Outcome.DUPLICATE) if first.is_applied else first


def _chain_fault(known: Known, envelope: Envelope) -> Problem | None:
    if known.taken is not None and known.taken.id != envelope.id:
        return problem(Code.NUMBER_TAKEN, number=envelope.number)
    if envelope.number == 1:
        return problem(Code.BROKEN_CHAIN) if envelope.previous else None
    if known.before is not None and known.before.digest != envelope.previous:
        return problem(Code.BROKEN_CHAIN)
    return None
