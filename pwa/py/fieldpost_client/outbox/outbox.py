"""The outbox: envelopes that the server has not confirmed, and those that it has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpost.errors import Code, InputError, Problem, problem_from_json
from fieldpost.odp.lineage.dependencies import Footprint, footprint
from fieldpost.odp.lineage.temporary_keys import DeviceKeys
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.receipts import NEEDS_ATTENTION, Receipt, receipt_from_json
from fieldpost_client.platform.base import Operation, Store

PENDING = "pending"
"""To be sent with the next sync."""

CONFIRMED = "confirmed"
"""The server has applied it; the replica may not hold it yet."""

ATTENTION = "attention"
"""The server could not apply it; somebody must decide."""

SETTLED = "settled"
"""It was not applied, and that has found its end: repaired or discarded, here or at the office."""

HISTORY_LENGTH = 200

_LOST_FILES = frozenset({Code.FILE_REFUSED, Code.FILE_GONE})


@dataclass(frozen=True, slots=True)
class Entry:
    """One envelope with what became of it.

    Attributes:
        envelope: the envelope.
        text: its canonical text, as it is sent.
        state: `PENDING`, `CONFIRMED`, `ATTENTION` or `SETTLED`.
        receipt: the server's last answer.
        page: the page's title, for people.
        title: words for the record.
        record: the top record's key as JSON data when it was saved; empty where it was deleted.
        opened: what its form was opened on; None for a new record, and where it is not known.
        discarded: of a void, the entry that it discards, as plain data.
        signed: the canonical text of the receipt as the server signed it, verified on arrival.
        forgotten: each time that the server had forgotten it, the ``signed`` receipt of before,
            and the ``base`` of the data that fitted that.
        forms: where several forms became one envelope, the ids that they carried, with the digest
            of what each said.
        unsent: why the last sync did not get it, or what belongs to it, to the office: by SHA-256
            of an attachment, or by nothing for the envelope itself.
    """

    envelope: Envelope
    text: str
    state: str = PENDING
    receipt: Receipt | None = None
    page: str = ""
    title: str = ""
    record: tuple[Any, ...] = ()
    opened: Mapping[str, Any] | None = None
    discarded: Mapping[str, Any] | None = None
    signed: str = ""
    forgotten: tuple[Mapping[str, str], ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    unsent: Mapping[str, Problem] = field(default_factory=dict)
    _footprints: list[Footprint] = field(default_factory=list, compare=False, repr=False)

    @property
    def footprint(self) -> Footprint:
        """Return what the envelope has to do with; computed once."""
        if not self._footprints:
            self._footprints.append(footprint(self.envelope.operations))
        return self._footprints[0]

    @property
    def number(self) -> int:
        """Return the envelope's number on this device."""
        return self.envelope.number

    def with_receipt(self, receipt: Receipt, signed: str = "") -> "Entry":
        """Return the entry as the server's answer leaves it; `signed` is the answer as it came."""
        state = self.state
        if receipt.settled is not None:
            state = SETTLED
        elif receipt.is_applied:
            state = CONFIRMED
        elif receipt.outcome in NEEDS_ATTENTION:
            state = ATTENTION
        return replace(self, state=state, receipt=receipt, signed=signed)

    @property
    def needs_other_files(self) -> bool:
        """Say whether the office, which has it, will never get a file of it as that is."""
        return self.receipt is not None and any(p.code in _LOST_FILES for p in self.unsent.values())

    @property
    def is_void(self) -> bool:
        """Say whether it discards another, and so has no effect of its own."""
        return self.envelope.voids is not None

    @property
    def is_open(self) -> bool:
        """Say whether nobody knows its end yet."""
        return self.state in (PENDING, ATTENTION)

    def put(self) -> Operation:
        """Return the operation that stores the entry in the outbox."""
        return ("put", "outbox", self.number, self.to_json())

    def add(self) -> Operation:
        """Return the operation that stores the entry under a number that nothing has yet."""
        return ("add", "outbox", self.number, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        return {
            "envelope": self.text,
            "state": self.state,
            "receipt": self.receipt and self.receipt.to_json(),
            "page": self.page,
            "title": self.title,
            "saved_at": self.envelope.saved_at,
            "record": list(self.record),
            "opened": self.opened,
            "discarded": self.discarded,
            # as text: in the browser's store 1.0 and 1 are one number, and the signature would end
            "signed": self.signed,
            "recalled": list(self.forgotten),
            "forms": dict(self.forms),
            "unsent": {of: why.to_json() for of, why in self.unsent.items()},
        }


def entry_from_json(data: Any) -> Entry:
    """Read back what `Entry.to_json` wrote; what is damaged beside the envelope is put right.

    The envelope is what cannot be had again; a receipt is, by sending the envelope once more.

    Raises:
        InputError, KeyError, ValueError, TypeError: its envelope cannot be read or was changed.
    """
    envelope = read_envelope(data["envelope"])
    receipt = _receipt_of(data.get("receipt"), envelope)
    discarded = _discarded_of(data.get("discarded"))
    opened, forms, signed = data.get("opened"), data.get("forms"), data.get("signed")
    record, former = data.get("record"), data.get("recalled")
    return Entry(
        envelope,
        data["envelope"],
        _state_of(data.get("state"), receipt),
        receipt,
        _text(data.get("page")) or envelope.page,
        _text(data.get("title")),
        tuple(record) if isinstance(record, list) else (),
        opened if isinstance(opened, Mapping) and isinstance(opened.get("key"), list) else None,
        discarded,
        _text(signed) if receipt is not None else "",
        tuple(each for each in former if _is_former(each)) if isinstance(former, list) else (),
        forms if isinstance(forms, Mapping) else {},
        _unsent_of(data.get("unsent")),
    )


def _unsent_of(data: Any) -> Mapping[str, Problem]:
    """Read why attachments are not at the office; what is damaged is found out anew."""
    found: dict[str, Problem] = {}
    for sha256, why in data.items() if isinstance(data, Mapping) else ():
        try:
            found[str(sha256)] = problem_from_json(why)
        except (KeyError, ValueError, TypeError, AttributeError):
            continue
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _receipt_of(data: Any, envelope: Envelope) -> Receipt | None:
    try:
        receipt = receipt_from_json(data)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return receipt if receipt.envelope == envelope.id else None


def _state_of(stored: Any, receipt: Receipt | None) -> str:
    """Return a state for which there is proof: damage is never read as success."""
    if stored in (PENDING, ATTENTION):
        return str(stored)
    if receipt is None:
        return PENDING
    if receipt.settled is not None:
        return SETTLED
    if receipt.is_applied:
        return CONFIRMED
    return ATTENTION if receipt.outcome in NEEDS_ATTENTION else PENDING


def _ended(entry: Entry, stored: Any) -> Entry:
    """Return an entry of the history, which holds nothing whose end is open."""
    if stored in (CONFIRMED, SETTLED):
        return replace(entry, state=stored)
    is_settled = entry.receipt is not None and entry.receipt.settled is not None
    return replace(entry, state=SETTLED if is_settled else CONFIRMED)


def _discarded_of(data: Any) -> Mapping[str, Any] | None:
    """Return what a void discards, if it still can be read."""
    if not isinstance(data, Mapping):
        return None
    try:
        entry_from_json(data)
    except (InputError, KeyError, ValueError, TypeError):
        return None
    return data


def _is_former(data: Any) -> bool:
    if not isinstance(data, Mapping):
        return False
    try:
        receipt_of(json.loads(data["signed"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return False
    return isinstance(data.get("base"), str)


class OutboxKeys(DeviceKeys):
    """The working copy's keys: rows get their real key as soon as a receipt has told it."""

    def chosen(self, model: str, temporary: int) -> int | None:
        """Return the real key where it is known, else let the row have its temporary one."""
        return self.known.get((model, temporary), temporary)


class Entries(dict[int, Entry]):
    """Entries by number, which are found by the ids of their envelopes as well."""

    def __init__(self, entries: Mapping[int, Entry] | None = None) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        for number, entry in (entries or {}).items():
            self[number] = entry

    def __setitem__(self, number: int, entry: Entry) -> None:
        self._forget(number)
        super().__setitem__(number, entry)
        self.numbers[entry.envelope.id] = number

    def __delitem__(self, number: int) -> None:
        self._forget(number)
        super().__delitem__(number)

    def _forget(self, number: int) -> None:
        before = self.get(number)
        if before is not None and self.numbers.get(before.envelope.id) == number:
            del self.numbers[before.envelope.id]


class Outbox:
    """The entries in memory, as they are in the store.

    Attributes:
        entries: by number.
        history: confirmed entries that the replica holds, by envelope id, oldest first.
        broken: numbers of stored entries that could not be read; they stay stored.
    """

    def __init__(self) -> None:
        self.entries = Entries()
        self.history: dict[str, Entry] = {}
        self.broken: list[int] = []

    async def load(self, store: Store) -> None:
        """Read everything from the store."""
        for key, data in await store.read_all("outbox"):
            number = int(key) if isinstance(key, int | float) else 0
            try:
                entry = entry_from_json(data)
            except (InputError, KeyError, ValueError, TypeError, AttributeError):
                self.broken.append(number)
                continue
            if entry.number == number:
                self.entries[number] = entry
            else:
                self.broken.append(number)
        found = []
        for _, data in await store.read_all("history"):
            try:
                found.append(_ended(entry_from_json(data), data["state"]))
            except (InputError, KeyError, ValueError, TypeError, AttributeError):
                continue  # recent history is for reading only
        for entry in sorted(found, key=lambda entry: entry.envelope.saved_at):
            self.history[entry.envelope.id] = entry

    @property
    def kept(self) -> list[Entry]:
        """Return every envelope that is here, in the order of their numbers."""
        return sorted((*self.history.values(), *self.entries.values()), key=lambda e: e.number)

    def of_state(self, state: str) -> list[Entry]:
        """Return the entries in a state, in the order of their numbers."""
        return [e for _, e in sorted(self.entries.items()) if e.state == state]

    def by_id(self, identity: str) -> Entry | None:
        """Return the entry of an envelope."""
        number = self.entries.numbers.get(identity)
        return None if number is None else self.entries[number]

    def leaving(self, confirmed: list[Entry]) -> list[Operation]:
        """Return the operations that move entries from the outbox to the history."""
        operations: list[Operation] = []
        for entry in confirmed:
            operations.append(("delete", "outbox", entry.number))
            operations.append(("put", "history", entry.envelope.id, entry.to_json()))
        too_many = len(self.history) + len(confirmed) - HISTORY_LENGTH
        oldest = list(self.history)[: max(too_many, 0)]
        return operations + [("delete", "history", identity) for identity in oldest]

    def leave(self, confirmed: list[Entry]) -> None:
        """Do in memory what `leaving` does in the store."""
        for entry in confirmed:
            if entry.number in self.entries:
                del self.entries[entry.number]
            self.history[entry.envelope.id] = entry
        for identity in list(self.history)[:-HISTORY_LENGTH]:
            del self.history[identity]


def receipt_of(data: Any) -> Receipt:
    """Read a receipt as the server sends it, in which some parts may be left out.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none.
    """
    parts = {
        "device": "",
        "number": 0,
        "digest": "",
        "problems": (),
        "keys": (),
        "received_at": "",
        "record": (),
        **data,
    }
    receipt = receipt_from_json({k: parts[k] if parts[k] is not None else "" for k in parts})
    if not receipt.envelope:
        raise ValueError("a receipt names its envelope")
    return receipt
