"""The inbox: every envelope that arrives is applied exactly once, or kept with what is wrong."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from logging import ERROR
from typing import Any

from sqlalchemy.orm import Session

from fieldpost import moments
from fieldpost.app import App
from fieldpost.errors import Code, InputError, NotFound, Problem, problem
from fieldpost.home import Submission
from fieldpost.odp.form.once import Models, adds_record, says_same
from fieldpost.odp.replay.result import Result
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Void, read_envelope
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost.wire.shapes import id_faults
from fieldpost_server.accounts.users import find_user
from fieldpost_server.inbox.applier import Applier, Refused, now, receipt_of
from fieldpost_server.inbox.attachment_access import AttachmentAccess
from fieldpost_server.inbox.dependencies import (
    in_the_way,
    kept_receipt,
    rows_of,
    voided_digest,
    waiting_texts,
)
from fieldpost_server.inbox.ledger import Known, keep_envelope, known_around, locked_device
from fieldpost_server.inbox.refused_contents import Bounds, bounds_of, check_room
from fieldpost_server.log import log
from fieldpost_server.restore.pre_restore_envelopes import Rebased, rebase
from fieldpost_server.settings import Settings
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.web_devices import web_device

_UNDECIDED = frozenset({Outcome.WAITING, Outcome.RETRY, Outcome.MISMATCH})


class Inbox:
    """Receives envelopes.

    Args:
        app: the app that they belong to.
        database: where they are applied.
        app_version: of the app's code as it is shipped.
        signer: signs what is kept; one with the key of the database where it is left out.
        bounds: how much is kept of what cannot be applied.
    """

    def __init__(
        self,
        app: App,
        database: Database,
        app_version: str = "",
        signer: Signer | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.app = app
        self.database = database
        self.bounds = bounds or bounds_of(Settings())
        self.signer = signer or Signer(database)
        self.access = AttachmentAccess(app)
        self.applier = Applier(app, self.access, app_version, self.signer)

    def receive(
        self, text: str | bytes, user: User, device: str, put_off: Problem | None = None
    ) -> Receipt:
        """Apply one envelope of a device and return its receipt; never raises for bad input.

        Args:
            text, user, device: the envelope, and whose it is.
            put_off: why it is not taken at this time: nothing is kept, its device sends it again.
        """
        self.signer.ready()
        try:
            envelope = read_envelope(text)
            _check_ids(envelope)
        except InputError as error:
            log("envelope refused", user=user.name, device=device, why=str(error)[:500])
            return Receipt("", device, 0, "", Outcome.INVALID, error.problems, (), now())
        if stranger := self._not_theirs(envelope, user, device):
            log("envelope refused", envelope=envelope.id, user=user.name, why=stranger.message)
            return receipt_of(envelope, Result(Outcome.FORBIDDEN, (stranger,)))
        if put_off is not None:
            return receipt_of(envelope, Result(Outcome.RETRY, (put_off,)))
        try:
            return self._received(envelope, user)
        except Exception as error:  # noqa: BLE001 - one envelope never stops another
            log("envelope not applied", level=ERROR, envelope=envelope.id, error=error)
            trouble = problem(Code.SERVER_TROUBLE)
            return receipt_of(envelope, Result(Outcome.RETRY, (trouble,)))

    def retry_waiting(self, user: User, device: str) -> list[Receipt]:
        """Try envelopes again that waited for others; return the receipts of those decided.

        One that is refused without being read, since the app has another name by now, say, goes on
        waiting: it is tried once.
        """
        decided: dict[str, Receipt] = {}
        while found := self._retried(user, device, decided):
            decided |= found
        return list(decided.values())

    def _retried(self, user: User, device: str, before: Collection[str]) -> dict[str, Receipt]:
        with self.database.read_session() as session:
            texts = waiting_texts(session, device)
        receipts = [self.receive(text, user, device) for text in texts]
        return {
            each.envelope: each
            for each in receipts
            if each.outcome not in _UNDECIDED and each.envelope and each.envelope not in before
        }

    def commit(self, user: User, submission: Submission, new_id: str) -> Receipt:
        """Make an envelope of what somebody saved online, and apply it.

        What is refused leaves nothing behind: she still has the form in front of her. Where it
        repairs what a device sent, what waited for that is tried again.
        """
        receipt = self._committed(user, submission, new_id, None)
        # fault point: repair-applied-rest-waits — the repair is in the ledger, what waited for it
        # is not tried again: its device sends that with its next sync, or 'fieldpost envelopes
        # replay --apply' does.
        if receipt.is_applied and submission.supersedes:
            self._retry_behind(submission.supersedes)
        return receipt

    def discard(self, user: User, identity: str, new_id: str) -> Receipt:
        """Discard an envelope that could not be applied; what waited for it is tried again.

        Raises:
            NotFound: there is none with this id.
        """
        with self.database.read_session() as session:
            row = rows_of(session, [identity]).get(identity)
        if row is None:
            raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
        submission = Submission(row.page, ())
        receipt = self._committed(user, submission, new_id, Void(row.id, row.digest))
        # fault point: discarded-rest-waits — the envelope is discarded, what waited for it is not
        # tried again: as after a repair, its device sends that again.
        if receipt.is_applied:
            self._retry_behind([identity])
        return receipt

    def _committed(
        self, user: User, submission: Submission, new_id: str, voids: Void | None
    ) -> Receipt:
        self.signer.ready()
        device = web_device(user.name)

        def work(session: Session) -> Receipt:
            row = locked_device(session, device, user)
            kept = _kept_before(session, submission)
            identity = new_id if kept else submission.identity or new_id
            envelope = self._envelope(user, submission, identity, device, row, voids)
            models = self.app.models
            if kept is not None and (answer := _answer_again(session, models, kept, envelope)):
                return answer
            if voids is not None:
                return self.applier.void(session, envelope, user)
            if missing := self.applier.missing(session, envelope, user):
                raise Refused(receipt_of(envelope, missing))
            return self.applier.apply(session, envelope, user, Rebased(envelope))

        try:
            # fault point: online-save-uncommitted — nothing is kept: the form is still open in the
            # browser, and saving it again finds whether the record has changed.
            return self.database.write(work)
        except Refused as refused:
            return refused.receipt

    def _retry_behind(self, ids: Sequence[str]) -> None:
        """Try again what waits on the devices of these envelopes."""
        with self.database.read_session() as session:
            owners = {(row.device, row.user) for row in rows_of(session, ids).values()}
            users = {name: find_user(session, name) for _, name in owners}
        for device, name in sorted(owners):
            if (owner := users[name]) is not None:
                self.retry_waiting(owner, device)

    def _envelope(
        self,
        user: User,
        submission: Submission,
        new_id: str,
        device: str,
        row: Any,
        voids: Void | None,
    ) -> Envelope:
        return Envelope(
            id=new_id,
            device=device,
            number=row.number + 1,
            previous=row.last_digest or "",
            app=self.app.name,
            app_version=self.applier.app_version,
            page=submission.page,
            user=user.name,
            saved_at=moments.now().isoformat(timespec="milliseconds"),
            base=submission.base,
            operations=submission.operations,
            attachments=submission.attachments,
            supersedes=submission.supersedes,
            voids=voids,
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
            # fault point: envelope-undecided — nothing is kept: the device has no receipt, and
            # sends it again.
            return self.database.write(lambda session: self._once(session, envelope, user))
        except Refused as refused:
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
        try:
            with self.database.read_session() as session:
                check_room(session, envelope, self.bounds)
        except InputError as error:
            log("envelope put off", envelope=envelope.id, user=user.name, why=str(error))
            return receipt_of(envelope, Result(Outcome.RETRY, error.problems))
        log(
            "envelope kept",
            envelope=envelope.id,
            outcome=str(receipt.outcome),
            user=user.name,
            problems=[p.to_json() for p in receipt.problems][:20],
        )
        # fault point: refusal-unkept — what the replay did is rolled back, the refusal is not in
        # the ledger: the device has no receipt, sends it again, and it is tried anew.
        signed = self.signer.signed(receipt)
        return self.database.write(lambda session: keep_envelope(session, envelope, signed))

    def _once(self, session: Session, envelope: Envelope, user: User) -> Receipt:
        known = known_around(session, envelope, user)
        if known.same is not None and not _is_open(known.same):
            return _again(session, known, envelope)
        if fault := _chain_fault(known, envelope):
            raise Refused(receipt_of(envelope, Result(Outcome.MISMATCH, (fault,))))
        if known.same is not None and (known.settled or known.same.digest != envelope.digest):
            return _again(session, known, envelope)
        if envelope.voids is not None:
            return self.applier.void(session, envelope, user)
        if known.settled is not None:
            ended = Result(Outcome.INVALID, (problem(Code.WAS_SUPERSEDED),))
            raise Refused(replace(receipt_of(envelope, ended), settled=known.settled))
        if waits := in_the_way(session, envelope) or self.applier.missing(session, envelope, user):
            raise Refused(receipt_of(envelope, waits))
        gap = envelope.number > 1 and not known.before
        rebased = rebase(session, self.app, envelope, known.timeline)
        return self.applier.apply(
            session, envelope, user, rebased, gap=gap, is_new=known.same is None
        )


def _check_ids(envelope: Envelope) -> None:
    """Refuse an envelope whose ids are none; raises `InputError`.

    What was kept before anybody looked at them can still be read.
    """
    voided = [envelope.voids.id] if envelope.voids is not None else []
    faults = id_faults(envelope.id, envelope.device, (*envelope.supersedes, *voided))
    if faults:
        raise InputError(faults)


def _kept_before(session: Session, submission: Submission) -> Any:
    """Return the row of the envelope that a form has become already; None where it has not."""
    if not submission.identity:
        return None
    return rows_of(session, [submission.identity]).get(submission.identity)


def _answer_again(
    session: Session, models: Models, kept: Any, envelope: Envelope
) -> Receipt | None:
    """Return the first receipt of a form that was sent again; None where it is to be saved.

    Raises:
        Refused: the form of a new record was filled in otherwise, and would make another one.
    """
    if kept.device != envelope.device:
        return None  # the id is somebody else's: this is another form
    before = read_envelope(kept.content)
    first = kept_receipt(session, kept)
    is_same = says_same(models, before.operations, envelope.operations)
    if before.page == envelope.page and is_same:
        return first
    if adds_record(envelope.operations) and adds_record(before.operations):
        refused = Result(Outcome.INVALID, (problem(Code.SAVED_ALREADY),), record=first.record)
        raise Refused(receipt_of(envelope, refused))
    return None


def _is_open(row: Any) -> bool:
    """Say whether an envelope that is kept still waits to be decided."""
    return bool(row.outcome == Outcome.WAITING)


def _again(session: Session, known: Known, envelope: Envelope) -> Receipt:
    """Answer an envelope that was decided before: the first receipt, or a mismatch."""
    if known.same.digest != envelope.digest:
        # ids are seen by others: one that somebody else was quicker with ends nobody's work
        is_own = known.same.device == envelope.device
        fault = problem(Code.OTHER_CONTENT if is_own else Code.ID_TAKEN)
        return receipt_of(envelope, Result(Outcome.MISMATCH, (fault,)))
    return kept_receipt(session, rows_of(session, [envelope.id])[envelope.id])


def _chain_fault(known: Known, envelope: Envelope) -> Problem | None:
    for row in known.taken:
        if row.void and known.settled is not None and known.settled.by == row.id:
            return problem(Code.WAS_DISCARDED)
        discards_it = envelope.voids is not None and envelope.voids.id == row.id
        if row.id != envelope.id and not discards_it:
            return problem(Code.NUMBER_TAKEN, number=envelope.number)
    if envelope.number == 1:
        return problem(Code.BROKEN_CHAIN) if envelope.previous else None
    # who came after an envelope that was discarded may have been sealed before or after that
    digests = {row.digest for row in known.before}
    digests |= {voided_digest(row) for row in known.before if row.void}
    return problem(Code.BROKEN_CHAIN) if digests and envelope.previous not in digests else None
