"""The next envelope: what a form changed goes to the end of the chain, replayed on the rows here.

Nothing is stored yet: that is done in `saving`.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fieldpost.errors import Code, InputError, problem
from fieldpost.home import Submission
from fieldpost.odp.replay.result import Result
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.protocol import MAX_ENVELOPE_BYTES
from fieldpost.wire.receipts import APPLIED, Outcome
from fieldpost_client.outbox.chain import Chain
from fieldpost_client.outbox.dependencies import built_on
from fieldpost_client.outbox.outbox import PENDING, Entry
from fieldpost_client.replica.working_copy import WorkingCopy
from fieldpost_client.saving.folding import folded_into
from fieldpost_client.saving.record_keys import RecordKeys

_TOO_BIG = problem(Code.TOO_BIG, what="This", limit=f"{MAX_ENVELOPE_BYTES >> 20} MB")
_log = logging.getLogger("fieldpost")


@dataclass(frozen=True, slots=True)
class NextEnvelope:
    """What a submission came to on the device.

    Attributes:
        envelope: that was made of it.
        result: of its replay.
        entry: what is to be stored; None where it could not be applied.
    """

    envelope: Envelope
    result: Result
    entry: Entry | None = None


def next_envelope(
    submission: Submission,
    user: User,
    chain: Chain,
    copy: WorkingCopy,
    records: RecordKeys,
    identity: str,
    moment: datetime,
) -> NextEnvelope:
    """Make an envelope and replay it on the working copy.

    Args:
        submission: what was saved.
        user: who did.
        chain: that it comes to the end of.
        copy: the working copy.
        records: of the envelopes before.
        identity: its id.
        moment: when, with the local offset.

    Raises:
        InputError: the app's own code failed.
    """
    now = records.remapped.submission(submission)
    opened_key = tuple((now.opened or {}).get("key", ()))
    after = built_on(now, opened_key, records.remapped.entries(chain.entries))
    envelope = chain.next(submission, user, identity, moment, after)
    text = envelope.to_text()
    if len(text.encode()) > MAX_ENVELOPE_BYTES:
        return NextEnvelope(envelope, Result(Outcome.INVALID, (_TOO_BIG,)))
    result = _replayed(copy, user, records.remapped.envelope(envelope))
    if result.outcome not in APPLIED:
        return NextEnvelope(envelope, result)
    entry = _entry(envelope, text, submission, result.record, copy)
    if entry.opened and entry.record and now is not submission:
        # what was opened before counts with the keys of before, the record's included
        entry = replace(entry, record=tuple(entry.opened["key"]))
    last = chain.unsent_before(envelope)
    page = copy.app.pages[submission.page]
    folded = last and folded_into(last, entry, submission, page.layout, records)
    return NextEnvelope(envelope, result, folded or entry)


def _entry(
    envelope: Envelope,
    text: str,
    submission: Submission,
    record: tuple[Any, ...],
    copy: WorkingCopy,
) -> Entry:
    page = copy.app.pages[submission.page]
    return Entry(
        envelope,
        text,
        PENDING,
        page=page.title,
        title=_title(copy, page, record) or submission.title,
        record=record,
        opened=None if submission.opened is None else dict(submission.opened),
    )


def _replayed(copy: WorkingCopy, user: User, envelope: Envelope) -> Result:
    try:
        return copy.replay(user, envelope)
    except Exception as error:
        # whatever an app's code raises: the form stays open with everything in it
        _log.exception("a form could not be replayed")
        fault = problem(Code.UNEXPECTED, cause=type(error).__name__)
        raise InputError([fault]) from error


def _title(copy: WorkingCopy, page: Page, record: tuple[Any, ...]) -> str:
    if not record:
        return ""
    with copy.session() as session:
        row = session.get(page.model, page.spec.key_from_json(list(record)))
        return "" if row is None else page.spec.title_of(row)
