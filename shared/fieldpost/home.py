"""Homes: what differs between the device and the server, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Problem
from fieldpost.pages import Page
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.limits import Limits
from fieldpost.wire.receipts import Receipt

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Submission:
    """What a saved form changes, before its home makes an envelope of it.

    Attributes:
        page: the page's name.
        operations: in the order in which they are to be applied.
        attachments: SHA-256 of everything that the operations refer to.
        base: the cursor that the form was opened on.
        draft: the draft that this replaces: the form's address.
        title: words for the record, for lists of envelopes.
        supersedes: ids of the envelopes that this repairs.
        opened: what the form was opened on, as `form.rows.Opened`; None for a new record.
        identity: id of the envelope that it becomes, which the form carried; empty: a new one.
    """

    page: str
    operations: tuple[Operation, ...]
    attachments: tuple[str, ...] = ()
    base: str = ""
    draft: str = ""
    title: str = ""
    supersedes: tuple[str, ...] = ()
    opened: Mapping[str, Any] | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a browser without JavaScript sent within a form."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SyncEntry:
    """One envelope as the sync page lists it.

    Attributes:
        envelope: its id.
        page: the page's title.
        title: words for the record.
        url: where the record is, or empty.
        saved_at: ISO 8601 moment.
        state: 'waiting', 'attention' or 'done'.
        words: what happened, or what it waits for.
        problems: messages of its problems.
        receipt: the server's signed receipt, as text; empty before it came.
        can_repair: somebody has to repair or discard it.
        can_discard: it may be discarded: nobody knows its end yet.
        waits_for: id and words of each envelope that has to be settled before.
        settled: who repaired or discarded it and when, in words; empty where nobody did.
        done: what it does with its record, in one word: 'Added', 'Changed', 'Deleted'.
        is_shown: the data of this home holds what it does.
    """

    envelope: str
    page: str
    title: str
    url: str
    saved_at: str
    state: str
    words: str
    problems: Sequence[str] = field(default_factory=tuple)
    receipt: str = ""
    can_repair: bool = False
    can_discard: bool = False
    waits_for: Sequence[tuple[str, str]] = ()
    settled: str = ""
    done: str = ""
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class SyncOverview:
    """What the sync page shows: the envelopes, and facts on the last sync as label and words."""

    entries: Sequence[SyncEntry]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be applied of one record, to be repaired or discarded.

    Attributes:
        envelopes: those that are open, in the order in which they were saved: the one that was
            asked for, and those of the same record before and after it. What repairs them
            supersedes all of them, and so does what discards them.
        receipt: what the server said of the one that was asked for; None where it was not sent.
        problems: all that stands in the way of any of them.
        before: what the form of the first was opened on, with its child rows; None for a new
            record, or where nobody kept it (only the device does).
        hanging: envelopes of other records that build on them.
        replaced: ids of envelopes that these were to repair: they end with them.
        keys: real keys by model and temporary key, as far as they are known and the home does not
            tell them anyway: on the server those of the envelopes' device.
    """

    envelopes: tuple[Envelope, ...]
    receipt: Receipt | None
    problems: tuple[Problem, ...]
    before: Mapping[str, Any] | None
    hanging: Sequence[SyncEntry]
    replaced: tuple[str, ...] = ()
    keys: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of all that a repair supersedes."""
        return (*(envelope.id for envelope in self.envelopes), *self.replaced)


@dataclass(frozen=True, slots=True)
class Story:
    """One envelope with all that is known of it.

    Attributes:
        envelope: it.
        entry: what the sync page says of it.
        receipt: the newest; None before the first.
        keys: as in `Trouble`.
        is_shown: who asks may read what it holds; else that is left out of all of these.
    """

    envelope: Envelope
    entry: SyncEntry
    receipt: Receipt | None
    keys: Mapping[tuple[str, int], int] = field(default_factory=dict)
    is_shown: bool = True


class Home(Protocol):
    """Where the web layer runs.

    Guarantees: `commit` applies a submission whole or not at all. On the server its effect is
    committed when it returns; on the device when the `run` around it has returned, which raises
    `InputError` and undoes everything where the device could not store it.
    """

    kind: str
    app: App

    @property
    def limits(self) -> Limits:
        """What the server takes."""

    def session(self) -> AbstractContextManager[Session]:
        """Open a session to read with."""

    def commit(self, user: User, submission: Submission) -> Receipt:
        """Make the envelope, replay it, keep it; of one that was kept before the first receipt."""

    def first_receipt(self, user: User, envelope: str) -> Receipt | None:
        """Return what a form was answered when it was saved; None where it has not been."""

    def temporary_key(self) -> int:
        """Return the next temporary key: negative, never used before by this device."""

    def new_id(self) -> str:
        """Return a new UUID as text."""

    def base(self) -> str:
        """Return the cursor of the data that is shown."""

    def is_here(self, page: Page, user: User) -> bool:
        """Say whether this home can show the page."""

    def is_offline(self, page: Page) -> bool:
        """Say whether the page is marked offline."""

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:
        """Return by key (as JSON data) the envelopes of the page that are not yet synchronised.

        Of several about one record the one that needs attention, else the first. A record that one
        of them deletes has a key, too, although it is in no list.
        """

    def real_key(self, model: str, temporary: int) -> int | None:
        """Return the real key that a temporary one became."""

    def keep_upload(self, upload: Upload, user: User, *, is_picture: bool) -> Attachment:
        """Keep a file that came within a form; raises `InputError`.

        Args:
            upload, user: what came, and from whom.
            is_picture: it is kept as a picture only, without position and camera data.
        """

    def sync_overview(self, user: User) -> SyncOverview:
        """Return what the sync page shows."""

    def story(self, user: User, envelope: str) -> Story:
        """Return all that is known of an envelope.

        Raises:
            NotFound: there is none with this id, or the user may not see it.
        """

    def trouble(self, user: User, envelope: str) -> Trouble:
        """Return what an envelope that could not be applied needs.

        Raises:
            NotFound: there is none with this id, it is settled, or the user may not repair it.
        """

    def discard(self, user: User, trouble: Trouble) -> tuple[Problem, ...]:
        """Discard the envelopes of a trouble; return why that was not possible, if it was not.

        What hangs on them is not discarded with them: the server tells what becomes of it.
        """

    def asset(self, name: str) -> str:
        """Return the address of a static file of the shell."""

    def context(self, user: User) -> Mapping[str, Any]:
        """Return more for the templates: ``demo``, ``sync`` (the button's state and words)."""

    async def run(self, call: Callable[[], T]) -> T:
        """Run a handler: in a thread on the server, directly on the device."""
