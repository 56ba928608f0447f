"""Folding: a form that is saved again before anything of it was sent becomes one envelope."""

from dataclasses import replace

from fieldpost.home import Submission
from fieldpost.odp.form.once import content_digest
from fieldpost.odp.repair.fold import folded, places_of_rows
from fieldpost.pages import Form
from fieldpost.wire.protocol import MAX_AFTER, MAX_ENVELOPE_BYTES, MAX_OPERATIONS
from fieldpost_client.outbox.outbox import PENDING, Entry
from fieldpost_client.saving.record_keys import RecordKeys


def folded_into(
    last: Entry, entry: Entry, submission: Submission, form: Form, records: RecordKeys
) -> Entry | None:
    """Return the last entry with an envelope of the same record folded into it.

    Nothing else changes by that: nothing was saved after the last entry, and both forms were
    opened on the same data of the office. None where that is not so.

    Args:
        last: the entry right before, which was never sent.
        entry: made of what was saved now, and replayed on the working copy.
        submission: what was saved now.
        form: of the page.
        records: of the envelopes.
    """
    if submission.opened is None or not _is_foldable(last, entry):
        return None
    if records.of(last)[1] != tuple(submission.opened["key"]):
        return None
    first, envelope = last.envelope, entry.envelope
    places = dict(places_of_rows(form, submission.opened))
    operations = folded(first.operations, envelope.operations, places)
    if not any(o.do != "look" for o in operations) or len(operations) > MAX_OPERATIONS:
        return None
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
    models = records.remapped.app.models
    forms = {first.id: content_digest(models, first.operations), **last.forms}
    forms[envelope.id] = content_digest(models, envelope.operations)
    return replace(last, envelope=made, text=text, title=entry.title, forms=forms, _footprints=[])


def _is_foldable(last: Entry, entry: Entry) -> bool:
    first, envelope = last.envelope, entry.envelope
    return (
        last.state == PENDING
        and not last.is_void
        and last.receipt is None
        and not (envelope.supersedes or first.supersedes)
        and (first.page, first.user, first.base, first.app_version, first.source)
        == (envelope.page, envelope.user, envelope.base, envelope.app_version, "")
        and bool(last.record)
    )
