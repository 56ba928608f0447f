"""How envelopes are read that were made before the server was put back to an earlier state.

What is stored and sent is always the envelope as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fieldpost.app import App
from fieldpost.home import Submission
from fieldpost.odp.repair.remapped_keys import (
    LostKeys,
    record_key,
    renumbered,
    reopened,
    timeline_of,
    with_temporary,
)
from fieldpost.wire.envelope import Envelope
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.replica.device_state import LostByHistory


@dataclass(frozen=True, slots=True)
class RemappedKeys:
    """Reads envelopes as the present replica has them: forgotten rows have temporary keys.

    Attributes:
        app: the app.
        lost_keys: the keys that the server has forgotten, see `DeviceState`.
        cursor: of the present replica.
    """

    app: App
    lost_keys: LostByHistory
    cursor: str

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return an envelope as the present replica has it."""
        return renumbered(self.app, envelope, self._lost_in(envelope.base))

    def submission(self, submission: Submission) -> Submission:
        """Return what was saved in the same way: its form may have been opened before."""
        lost = self._lost_in(submission.base)
        if not lost:
            return submission
        operations = with_temporary(self.app, submission.operations, lost)
        layout = self.app.pages[submission.page].layout
        opened = submission.opened and reopened(self.app.models, layout, submission.opened, lost)
        return replace(submission, operations=operations, opened=opened)

    def entry(self, entry: Entry) -> Entry:
        """Return an entry as the present replica has it."""
        lost = self._lost_in(entry.envelope.base)
        if not lost:
            return entry
        envelope = renumbered(self.app, entry.envelope, lost)
        page = self.app.present_page(entry.envelope.page)
        if page is None:
            return replace(entry, envelope=envelope, _footprints=[])
        opened = entry.opened and reopened(self.app.models, page.layout, entry.opened, lost)
        record = record_key(page.spec, entry.record, lost)
        return replace(entry, envelope=envelope, record=record, opened=opened, _footprints=[])

    def entries(self, entries: Mapping[int, Entry]) -> Mapping[int, Entry]:
        """Return entries by number as the present replica has them."""
        if not self.lost_keys:
            return entries
        return {n: self.entry(entry) for n, entry in entries.items()}

    def _lost_in(self, base: str) -> LostKeys:
        """Return the lost keys of the history that a base names, unless the replica is of it."""
        former = timeline_of(base) if self.lost_keys else ""
        if not former or former == timeline_of(self.cursor):
            return {}
        return self.lost_keys.get(former, {})
