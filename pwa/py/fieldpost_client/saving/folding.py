"""Folding: a form that is saved again before anything of it was sent becomes one envelope."""

from dataclasses import replace
from typing import TYPE_CHECKING

from fieldpost.home import Submission
from fieldpost.odp.repair.fold import folded, places_of_rows
from fieldpost.wire.protocol import MAX_AFTER, MAX_ENVELOPE_BYTES, MAX_OPERATIONS
from fieldpost_client.outbox.outbox import PENDING, Entry

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome


def folded_into(home: "DeviceHome", submission: Submission, entry: Entry) -> Entry | None:
    """Return the last entry with an envelope of the same record folded into it.

    Nothing else changes by that: the last entry was never sent, nothing was saved after it, and
    both forms were opened on the same data of the office. None where that is not so.

    Args:
        home: the device.
        submission: what was saved now.
        entry: made of it, and replayed on the working copy.
    """
    envelope = entry.envelope
    last = home.outbox.entries.get(envelope.number - 1)
    if last is None or not _is_foldable(home, last, submission):
        return None
    assert submission.opened is not None
    form = home.app.pages[submission.page].layout
    places = dict(places_of_rows(form, submission.opened))
    operations = folded(last.envelope.operations, envelope.operations, places)
    if not any(o.do != "look" for o in operations) or len(operations) > MAX_OPERATIONS:
        return None
    first = last.envelope
    after = tuple(sorted({*first.after, *envelope.after} - {first.number}))
    made = replace(
        first,
        id=envelope.id,
        saved_at=envelope.saved_at,
        operations=tuple(operations),
        attachments=tuple(dict.fromkeys((*first.attachments, *envelope.attachments))),
        after=after,
        digest="",
    ).sealed()
    text = made.to_text()
    if len(text.encode()) > MAX_ENVELOPE_BYTES or len(after) > MAX_AFTER:
        return None
    if not all(sha256 in text.partition('"operations"')[2] for sha256 in made.attachments):
        return None  # a picture that was taken and replaced: its file has come with the first
    return replace(last, envelope=made, text=text, title=entry.title, _footprints=[])


def _is_foldable(home: "DeviceHome", last: Entry, submission: Submission) -> bool:
    first = last.envelope
    return (
        last.state == PENDING
        and not last.is_void
        and last.receipt is None
        and last.number > home.state.sent_to
        and submission.opened is not None
        and not (submission.supersedes or first.supersedes)
        and (first.page, first.user, first.base, first.app_version, first.source)
        == (submission.page, home.user.name, submission.base, home.app_version, "")
        and bool(last.record)
        and home.record_of(last)[1] == tuple(submission.opened["key"])
    )
