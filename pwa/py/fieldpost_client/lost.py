"""How envelopes are read that were made before the server was put back to an earlier state.

What is stored and sent is always the envelope as it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fieldpost.envelope import Envelope
from fieldpost.odp.lost import history_of, record_key, renumbered, reopened
from fieldpost_client.outbox import Entry

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome


def envelope_now(home: "DeviceHome", envelope: Envelope) -> Envelope:
    """Return an envelope as the present replica has it; see `as_read_now`."""
    former = history_of(envelope.base)
    if former == history_of(home.state.cursor):
        return envelope
    return renumbered(home.app, envelope, home.state.lost.get(former, {}))


def as_read_now(home: "DeviceHome", entry: Entry) -> Entry:
    """Return an entry as the present replica has it: forgotten rows have temporary keys again."""
    former = history_of(entry.envelope.base)
    lost = home.state.lost.get(former)
    if not lost or former == history_of(home.state.cursor):
        return entry
    envelope = envelope_now(home, entry.envelope)
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
