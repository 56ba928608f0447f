"""Envelopes of this device that could not be applied: what they need, and what discards them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fieldpost.errors import Code, NotFound, Problem, problem
from fieldpost.home import SyncEntry, Trouble
from fieldpost.odp.lineage.dependencies import hangs_on, same_record
from fieldpost.users import User
from fieldpost.wire.envelope import Void
from fieldpost.wire.protocol import FORMAT
from fieldpost_client.outbox.dependencies import open_entries
from fieldpost_client.outbox.outbox import PENDING, Entry
from fieldpost_client.saving.remapped_keys import all_read_now

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome


def trouble_of(home: "DeviceHome", identity: str) -> Trouble:
    """Return what an envelope needs; raises `NotFound`."""
    entries = {e.envelope.id: e for e in open_entries(all_read_now(home))}
    asked = entries.get(identity)
    if asked is None:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    envelopes = [e.envelope for e in entries.values()]
    chain = same_record(asked.envelope, envelopes)
    problems = (p for e in chain for p in _problems(home, entries[e.id]))
    return Trouble(
        tuple(chain),
        asked.receipt,
        tuple(problems),
        entries[chain[0].id].opened,
        tuple(_listed(home, [entries[e.id] for e in hangs_on(chain, envelopes)])),
        tuple(i for e in chain for i in e.supersedes if _may_be_open(home, i)),
    )


def _may_be_open(home: "DeviceHome", identity: str) -> bool:
    """Say whether an envelope that is being repaired has not found its end, as far as known here.

    One that this device sent under an id that it had before is not here at all.
    """
    entry = home.outbox.by_id(identity)
    if entry is None:
        return identity not in home.outbox.history
    return entry.is_open and not entry.is_void


def _problems(home: "DeviceHome", entry: Entry) -> tuple[Problem, ...]:
    if entry.receipt is not None and entry.receipt.problems:
        return entry.receipt.problems
    return home.copy.troubles.get(entry.envelope.id, ())


def _listed(home: "DeviceHome", entries: list[Entry]) -> Iterator[SyncEntry]:
    listed = {e.envelope: e for e in home.sync_overview(home.user).entries}
    return (listed[e.envelope.id] for e in entries)


def void_of(home: "DeviceHome", user: User, entry: Entry) -> Entry:
    """Return the void that takes the number of an entry."""
    void = replace(
        entry.envelope,
        id=home.new_id(),
        user=user.name,
        app_version=home.app_version,
        saved_at=home.platform.now().isoformat(timespec="milliseconds"),
        base="",
        operations=(),
        attachments=(),
        after=(),
        supersedes=(),
        voids=Void(entry.envelope.id, entry.envelope.digest),
        format=FORMAT,
        source="",
    ).sealed()
    return Entry(
        void,
        void.to_text(),
        PENDING,
        None,
        entry.page,
        entry.title,
        (),
        None,
        entry.to_json(),
    )
