"""Envelopes of this device that could not be applied: what they need, and what discards them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime

from fieldpost.errors import Code, NotFound, Problem, problem
from fieldpost.home import SyncEntry, Trouble
from fieldpost.odp.lineage.dependencies import hangs_on, same_record
from fieldpost.users import User
from fieldpost.wire.envelope import Void
from fieldpost.wire.protocol import FORMAT
from fieldpost_client.outbox.dependencies import open_entries
from fieldpost_client.outbox.outbox import PENDING, Entry, Outbox
from fieldpost_client.saving.remapped_keys import RemappedKeys

Failures = Mapping[str, tuple[Problem, ...]]
"""Why envelopes could not be replayed here, by id."""

_repaired: ContextVar[str] = ContextVar("fieldpost_repaired", default="")


@contextmanager
def repairing(envelope: str) -> Iterator[None]:
    """Let handlers see the data without an envelope, which they are to repair or discard."""
    token = _repaired.set(envelope)
    try:
        yield
    finally:
        _repaired.reset(token)


def repaired_here() -> str:
    """Return the id of the envelope that is being repaired in this request, or empty."""
    return _repaired.get()


def failed_envelopes(
    identity: str,
    outbox: Outbox,
    remapped: RemappedKeys,
    failures: Failures,
    in_words: Callable[[Entry], SyncEntry],
) -> Trouble:
    """Return the failed envelopes of the record that one of them is about.

    Args:
        identity: of that one.
        outbox: of the device.
        remapped: reads envelopes of before.
        failures: of the replay on this device.
        in_words: says what people read of an entry.

    Raises:
        NotFound: there is no such envelope, or it is not open.
    """
    entries = {e.envelope.id: e for e in open_entries(remapped.entries(outbox.entries))}
    asked = entries.get(identity)
    if asked is None:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    envelopes = [e.envelope for e in entries.values()]
    chain = same_record(asked.envelope, envelopes)
    problems = (p for e in chain for p in problems_of(entries[e.id], failures))
    return Trouble(
        tuple(chain),
        asked.receipt,
        tuple(problems),
        entries[chain[0].id].opened,
        tuple(in_words(outbox.entries[e.number]) for e in hangs_on(chain, envelopes)),
        tuple(i for e in chain for i in e.supersedes if _may_be_open(outbox, i)),
    )


def problems_of(entry: Entry, failures: Failures) -> tuple[Problem, ...]:
    """Return what kept an envelope back, and what the server found wrong, or the replay here."""
    unsent = tuple(entry.unsent.values())
    if entry.receipt is not None and entry.receipt.problems:
        return (*unsent, *entry.receipt.problems)
    return (*unsent, *failures.get(entry.envelope.id, ()))


def _may_be_open(outbox: Outbox, identity: str) -> bool:
    """Say whether an envelope that is being repaired has not found its end, as far as known here.

    One that this device sent under an id that it had before is not here at all.
    """
    entry = outbox.by_id(identity)
    if entry is None:
        return identity not in outbox.history
    return entry.is_open and not entry.is_void


def void_of(entry: Entry, user: User, app_version: str, identity: str, moment: datetime) -> Entry:
    """Return the void that takes the number of an entry; `identity` is its own id."""
    void = replace(
        entry.envelope,
        id=identity,
        user=user.name,
        app_version=app_version,
        saved_at=moment.isoformat(timespec="milliseconds"),
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
