"""How envelopes are read that were made before the server was put back to an earlier state.

What is stored and sent is always the envelope as it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fieldpost.home import Submission
from fieldpost.odp.repair.remapped_keys import (
    LostKeys,
    history_of,
    record_key,
    renumbered,
    reopened,
    with_temporary,
)
from fieldpost.wire.envelope import Envelope
from fieldpost_client.outbox.outbox import Entry

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome


def envelope_now(home: "DeviceHome", envelope: Envelope) -> Envelope:
    """Return an envelope as the present replica has it: forgotten rows have temporary keys."""
    return renumbered(home.app, envelope, _lost_in(home, envelope.base))


def submission_now(home: "DeviceHome", submission: Submission) -> Submission:
    """Return what was saved as the present replica has it: its form may have been opened before."""
    lost = _lost_in(home, submission.base)
    if not lost:
        return submission
    operations = with_temporary(home.app, submission.operations, lost)
    layout = home.app.pages[submission.page].layout
    opened = submission.opened and reopened(home.app.models, layout, submission.opened, lost)
    return replace(submission, operations=operations, opened=opened)


def as_read_now(home: "DeviceHome", entry: Entry) -> Entry:
    """Return an entry as the present replica has it."""
    lost = _lost_in(home, entry.envelope.base)
    if not lost:
        return entry
    envelope = renumbered(home.app, entry.envelope, lost)
    page = home.app.present_page(entry.envelope.page)
    if page is None:
        return replace(entry, envelope=envelope, _footprints=[])
    opened = entry.opened and reopened(home.app.models, page.layout, entry.opened, lost)
    record = record_key(page.spec, entry.record, lost)
    return replace(entry, envelope=envelope, record=record, opened=opened, _footprints=[])


def all_read_now(home: "DeviceHome") -> Mapping[int, Entry]:
    """Return the outbox as the present replica has it, by number."""
    if not home.state.lost:
        return home.outbox.entries
    return {n: as_read_now(home, entry) for n, entry in home.outbox.entries.items()}


def _lost_in(home: "DeviceHome", base: str) -> LostKeys:
    """Return the lost keys of the history that a base names, unless the replica is of it."""
    former = history_of(base) if home.state.lost else ""
    if not former or former == history_of(home.state.cursor):
        return {}
    return home.state.lost.get(former, {})
