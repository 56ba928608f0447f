"""Forms that are sent a second time: what was saved once is answered again, and not saved twice."""

from fieldpost.errors import Code, problem
from fieldpost.home import Submission
from fieldpost.odp.form.once import adds_record, content_digest
from fieldpost.odp.replay.result import Result
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_client.outbox.outbox import SETTLED, Entry, Outbox
from fieldpost_client.saving.record_keys import RecordKeys


def saved_before(outbox: Outbox, identity: str) -> Entry | None:
    """Return the entry that a form has become; None where it has not, or was given up."""
    if not identity:
        return None
    every = (*outbox.entries.values(), *outbox.history.values())
    found = (e for e in every if e.envelope.id == identity or identity in e.forms)
    return next((e for e in found if not e.is_void and e.state != SETTLED), None)


def receipt_here(entry: Entry, records: RecordKeys) -> Receipt:
    """Return what this device answered when it saved an entry."""
    return Result(Outcome.ACCEPTED, record=records.of(entry)[1]).receipt(entry.envelope)


def answer_again(outbox: Outbox, records: RecordKeys, submission: Submission) -> Receipt | None:
    """Return the answer to a form that was saved before; None where it is to be saved now.

    The form of a new record that is filled in otherwise would make another record: it is refused.
    """
    entry = saved_before(outbox, submission.identity)
    if entry is None or entry.envelope.page != submission.page:
        return None
    models = records.remapped.app.models
    saved = entry.forms.get(submission.identity)
    saved = saved or content_digest(models, entry.envelope.operations)
    first = receipt_here(entry, records)
    if saved == content_digest(models, submission.operations):
        return first
    if not adds_record(submission.operations):
        return None
    refused = Result(Outcome.INVALID, (problem(Code.SAVED_ALREADY),), record=first.record)
    return refused.receipt(entry.envelope)
