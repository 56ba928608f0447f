"""The applier: what an envelope comes to within a transaction, and what is written of it."""

from collections.abc import Mapping
from dataclasses import replace
from logging import WARNING
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, problem
from fieldpost.ground.zones import current_zone, in_zone, zone_of
from fieldpost.odp.lineage.drift import explained, in_present_names
from fieldpost.odp.repair.pending_change import present_operations
from fieldpost.odp.replay.integrity import integrity_problems
from fieldpost.odp.replay.replay import replay
from fieldpost.odp.replay.result import Result
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.receipts import APPLIED, DISCARDED, SUPERSEDED, Outcome, Receipt
from fieldpost_server.accounts.users import find_user
from fieldpost_server.inbox.attachment_access import AttachmentAccess
from fieldpost_server.inbox.dependencies import (
    in_the_way,
    is_hopeless,
    owner_of_keys,
    refused_repair,
    refused_void,
    rows_of,
    settle,
)
from fieldpost_server.inbox.ledger import ServerKeys, TemporaryTaken, keep_envelope
from fieldpost_server.inbox.others import with_names
from fieldpost_server.log import log
from fieldpost_server.restore.pre_restore_envelopes import Rebased, rebase
from fieldpost_server.restore.timelines import present_timeline
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage import tables

_DEFERRED = sa.text("SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE condeferred)")


class Refused(Exception):
    """An envelope cannot be applied; the transaction is to be rolled back."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


class Applier:
    """Applies envelopes to a session, whose transaction belongs to the caller.

    Args:
        app: the app that they belong to.
        access: says which attachments are there for whom.
        app_version: of the app's code as it is shipped.
        signer: signs what is kept.
    """

    def __init__(
        self,
        app: App,
        access: AttachmentAccess,
        app_version: str,
        signer: Signer,
    ) -> None:
        self.app = app
        self.access = access
        self.app_version = app_version
        self.signer = signer
        self._deferring: bool | None = None

    def rehearse(self, session: Session, text: str, user: User) -> Receipt:
        """Say what an envelope would come to now; the caller takes everything back.

        That it was decided before is left out of account.

        Raises:
            InputError: it cannot be read.
        """
        envelope = read_envelope(text)
        if envelope.voids is not None:
            refused = refused_void(session, envelope, user)
            return receipt_of(envelope, refused or Result(Outcome.ACCEPTED))
        if waits := in_the_way(session, envelope) or self.missing(session, envelope, user):
            return receipt_of(envelope, waits)
        try:
            superseded = self._superseded(session, envelope, user)
        except Refused as refusal:
            return refusal.receipt
        keys = ServerKeys(session, owner_of_keys(envelope, superseded.values()))
        rebased = rebase(session, self.app, envelope, present_timeline(session))
        author = _author(session, superseded, user)
        return self._explained(
            session, envelope, self._result(session, rebased, user, keys, author)
        )

    def apply(
        self,
        session: Session,
        envelope: Envelope,
        user: User,
        rebased: Rebased,
        *,
        gap: bool = False,
        is_new: bool = True,
    ) -> Receipt:
        """Replay an envelope and keep it with its receipt.

        Args:
            session, envelope, user: where, what, and whose rights count.
            rebased: as it is to be replayed now.
            gap: its predecessor has not arrived.
            is_new: it is not kept as waiting.

        Raises:
            Refused: it cannot be applied.
        """
        superseded = self._superseded(session, envelope, user)
        keys = ServerKeys(session, owner_of_keys(envelope, superseded.values()))
        author = _author(session, superseded, user)
        result = self._result(session, rebased, user, keys, author)
        receipt = self._explained(session, envelope, result)
        if not receipt.is_applied:
            # what was made on top of work that has not arrived is tried when that is there
            waits = gap and result.outcome in (Outcome.CONFLICT, Outcome.INVALID)
            raise Refused(_waiting(receipt) if waits else receipt)
        _supersede(session, envelope, superseded)
        # fault point: replayed-unkept — the rows are changed and the ledger does not tell of it, in
        # one transaction: both or neither, so nothing is applied twice.
        signed = self.signer.signed(receipt)
        try:
            return keep_envelope(session, envelope, signed, is_new=is_new, owner=keys.device)
        except TemporaryTaken:
            taken = Result(Outcome.INVALID, (problem(Code.TEMPORARY_TAKEN),))
            raise Refused(receipt_of(envelope, taken)) from None

    def void(self, session: Session, envelope: Envelope, user: User) -> Receipt:
        """Discard what an envelope voids; raises `Refused`."""
        assert envelope.voids is not None
        if refused := refused_void(session, envelope, user):
            raise Refused(receipt_of(envelope, refused))
        settle(session, {envelope.voids.id: envelope.voids.digest}, DISCARDED, envelope)
        # fault point: settled-void-unkept — the envelope is discarded and its void is not in the
        # ledger, in one transaction: both or neither.
        receipt = self.signer.signed(receipt_of(envelope, Result(Outcome.ACCEPTED)))
        return keep_envelope(session, envelope, receipt, is_new=True)

    def missing(self, session: Session, envelope: Envelope, user: User) -> Result | None:
        """Return that it waits, where attachments have not arrived for its user.

        What it names beside them is there already, or it is none of hers: that is said at once.
        """
        authors = self._authors(session, envelope, user)
        missing = self.access.lacking(session, user, envelope.attachments, authors)
        if not missing:
            faults = tuple(self.access.faults(session, user, envelope, authors))
            return Result(Outcome.INVALID, faults) if faults else None
        waits = problem(Code.ATTACHMENT_MISSING, count=len(missing), detail={"missing": missing})
        return Result(Outcome.WAITING, (waits,))

    def _authors(self, session: Session, envelope: Envelope, user: User) -> set[str]:
        """Return whose envelopes a supervisor's repair takes the place of."""
        if not envelope.supersedes or not user.is_supervisor:
            return set()
        return {row.user for row in rows_of(session, envelope.supersedes).values()}

    def _superseded(self, session: Session, envelope: Envelope, user: User) -> dict[str, Any]:
        if not envelope.supersedes:
            return {}
        rows = rows_of(session, envelope.supersedes, lock=True)
        if refused := refused_repair(envelope, rows, user):
            raise Refused(receipt_of(envelope, refused))
        return rows

    def _result(
        self, session: Session, rebased: Rebased, user: User, keys: ServerKeys, author: User | None
    ) -> Result:
        """Replay as the envelope is to be read now; say whose changes were met."""
        replayed = _replayed(rebased.envelope, session, self.app, user, keys, author)
        replayed = self._settled(session, rebased.envelope, replayed)
        return self._with_names(session, rebased.envelope, rebased.with_doubts(replayed), keys)

    def _settled(self, session: Session, envelope: Envelope, result: Result) -> Result:
        """Have the database check now what it would check at the commit, with nobody to hear it."""
        if result.outcome not in APPLIED or not self._is_deferring(session):
            return result
        try:
            session.connection().exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        except IntegrityError as error:
            present = in_present_names(self.app, envelope)
            return Result(Outcome.INVALID, tuple(integrity_problems(error, self.app, present)))
        return result

    def _is_deferring(self, session: Session) -> bool:
        """Say whether any constraint of the database waits for the commit; asked once."""
        if self._deferring is None:
            connection = session.connection()
            is_able = connection.dialect.name == "postgresql"
            self._deferring = is_able and bool(connection.scalar(_DEFERRED))
        return self._deferring

    def _with_names(
        self, session: Session, envelope: Envelope, result: Result, keys: ServerKeys
    ) -> Result:
        """Return the result with the names of those whose changes were met."""
        if result.outcome is not Outcome.CONFLICT:
            return result
        # what was not applied is still in the session: it is to be rolled back, not written
        with session.no_autoflush:
            operations = present_operations(self.app, envelope, keys.real)
            named = with_names(session, self.app, envelope, operations, result.problems)
        return replace(result, problems=named)

    def _explained(self, session: Session, envelope: Envelope, result: Result) -> Receipt:
        """Return the receipt, in which words say so where it is not the envelope's fault alone."""
        if result.outcome is Outcome.WAITING and is_hopeless(session, envelope):
            result = Result(Outcome.INVALID, (problem(Code.DEPENDS_ON_DISCARDED),))
        if result.outcome is Outcome.FORBIDDEN:
            # whatever a claimed older app turns this into for its user, here it stays what it is
            log(
                "envelope forbidden",
                level=WARNING,
                envelope=envelope.id,
                user=envelope.user,
                app_version=envelope.app_version,
                problems=[p.to_json() for p in result.problems][:20],
            )
        outcome, problems = explained(result.outcome, result.problems, envelope, self.app_version)
        return receipt_of(envelope, replace(result, outcome=outcome, problems=problems))


def _waiting(receipt: Receipt) -> Receipt:
    waits = problem(Code.PREDECESSOR_MISSING)
    return replace(receipt, outcome=Outcome.WAITING, problems=(waits,))


def _supersede(session: Session, envelope: Envelope, rows: Mapping[str, Any]) -> None:
    """Settle what a repair takes the place of: `rows` of these, as far as they have arrived."""
    if not envelope.supersedes:
        return
    digests = {i: rows[i].digest if i in rows else "" for i in envelope.supersedes}
    settle(session, digests, SUPERSEDED, envelope)


def _author(session: Session, superseded: Mapping[str, Any], user: User) -> User | None:
    """Return whose work a repair brings, where somebody else does it."""
    names = {row.user for row in superseded.values()} - {user.name}
    return find_user(session, names.pop()) if len(names) == 1 else None


def _replayed(
    envelope: Envelope,
    session: Session,
    app: App,
    user: User,
    keys: ServerKeys,
    author: User | None,
) -> Result:
    """Replay; what no database can take is the envelope's fault, not the server's trouble."""
    try:
        # whoever saved it reads what is said of it, and her day is the one that counts
        with in_zone(zone_of(envelope.saved_at) or current_zone()):
            return replay(envelope, session, app, user, keys, author)
    except (StatementError, OverflowError) as error:
        if isinstance(error, DBAPIError) and not isinstance(error, DataError):
            raise
        # the database's own words are for who runs the server, and for nobody else
        log("envelope does not fit", envelope=envelope.id, why=str(error).splitlines()[0][:200])
        cause = "a value does not fit into the office's database"
        return Result(Outcome.INVALID, (problem(Code.REPLAY_FAILED, cause=cause),))


def now() -> str:
    """Return this moment as receipts and envelopes tell it."""
    return tables.utc_now().isoformat(timespec="milliseconds")


def receipt_of(envelope: Envelope, result: Result) -> Receipt:
    """Return the receipt that tells a result now."""
    return result.receipt(envelope, now())
