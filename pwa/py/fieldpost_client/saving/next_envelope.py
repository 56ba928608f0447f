"""Saving: the next envelope of the device, replayed on its working copy."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldpost.errors import Code, InputError, problem
from fieldpost.home import Submission
from fieldpost.odp.replay.result import Result
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.protocol import MAX_ENVELOPE_BYTES
from fieldpost.wire.receipts import APPLIED, Outcome
from fieldpost_client.outbox.dependencies import built_on
from fieldpost_client.outbox.outbox import PENDING, Entry, Origin, make_envelope
from fieldpost_client.saving.folding import folded_into
from fieldpost_client.saving.remapped_keys import all_read_now, envelope_now, submission_now

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome

_log = logging.getLogger("fieldpost")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a submission came to on the device.

    Attributes:
        envelope: that was made of it.
        result: of its replay.
        entry: what is to be stored; None where it could not be applied.
    """

    envelope: Envelope
    result: Result
    entry: Entry | None = None


def saved_here(home: "DeviceHome", user: User, submission: Submission) -> Saved:
    """Make an envelope and replay it on the working copy; nothing is stored yet.

    Raises:
        InputError: the app's own code failed.
    """
    origin = Origin(home.state.device, home.app.name, home.app_version)
    now = submission_now(home, submission)
    record = tuple((now.opened or {}).get("key", ()))
    envelope = make_envelope(
        submission,
        user,
        origin,
        home.state.counters,
        home.platform.new_id(),
        home.platform.now(),
        built_on(now, record, all_read_now(home)),
    )
    text = envelope.to_text()
    if len(text.encode()) > MAX_ENVELOPE_BYTES:
        limit = f"{MAX_ENVELOPE_BYTES >> 20} MB"
        too_big = problem(Code.TOO_BIG, what="This", limit=limit)
        return Saved(envelope, Result(Outcome.INVALID, (too_big,)))
    result = _replayed(home, user, envelope)
    if result.outcome not in APPLIED:
        return Saved(envelope, result)
    page = home.app.pages[submission.page]
    title = _title(home, page, result.record) or submission.title
    opened = None if submission.opened is None else dict(submission.opened)
    # what was opened before counts with the keys of before, the record's included
    kept = result.record
    if opened and kept and now is not submission:
        kept = tuple(opened["key"])
    entry = Entry(envelope, text, PENDING, None, page.title, title, kept, opened)
    return Saved(envelope, result, folded_into(home, submission, entry) or entry)


def _replayed(home: "DeviceHome", user: User, envelope: Envelope) -> Result:
    try:
        return home.copy.replay(home.app, user, envelope_now(home, envelope))
    except Exception as error:
        # whatever an app's code raises: the form stays open with everything in it
        _log.exception("a form could not be replayed")
        fault = problem(Code.UNEXPECTED, cause=type(error).__name__)
        raise InputError([fault]) from error


def _title(home: "DeviceHome", page: Page, record: tuple[Any, ...]) -> str:
    if not record:
        return ""
    with home.session() as session:
        row = session.get(page.model, page.spec.key_from_json(list(record)))
        return "" if row is None else page.spec.title_of(row)
