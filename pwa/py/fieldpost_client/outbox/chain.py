"""The chain: a device's envelopes are numbered without a gap, and each names the one before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from fieldpost.home import Submission
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.base import Operation


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the device's sequence stands; stored together with every envelope.

    Attributes:
        next_number: of the next envelope.
        last_digest: of the envelope before; empty before the first.
        next_temporary: the next temporary key, counting down from -1, never used twice.
    """

    next_number: int = 1
    last_digest: str = ""
    next_temporary: int = -1

    def operations(self) -> list[Operation]:
        """Return the operations that store the counters."""
        names = ("next_number", "last_digest", "next_temporary")
        return [("put", "session", name, getattr(self, name)) for name in names]

    def temporary_key(self) -> tuple[int, "Counters"]:
        """Return the next temporary key, and the counters without it."""
        key = self.next_temporary
        return key, replace(self, next_temporary=key - 1)

    def after(self, envelope: Envelope) -> "Counters":
        """Return the counters after this envelope."""
        return replace(self, next_number=envelope.number + 1, last_digest=envelope.digest)


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the next envelope of a device goes.

    Attributes:
        device, app, app_version: what all its envelopes have in common.
        counters: of the next one.
        entries: those that are still in the outbox, by number.
        sent_to: number of the newest envelope that may have been sent.
    """

    device: str
    app: str
    app_version: str
    counters: Counters
    entries: Mapping[int, Entry]
    sent_to: int = 0

    def next(
        self,
        submission: Submission,
        user: User,
        identity: str,
        moment: datetime,
        after: tuple[int, ...] = (),
    ) -> Envelope:
        """Make the next envelope; `moment` carries the local offset."""
        return Envelope(
            id=identity,
            device=self.device,
            number=self.counters.next_number,
            previous=self.counters.last_digest,
            app=self.app,
            app_version=self.app_version,
            page=submission.page,
            user=user.name,
            saved_at=moment.isoformat(timespec="milliseconds"),
            base=submission.base,
            operations=submission.operations,
            attachments=submission.attachments,
            after=after,
            supersedes=submission.supersedes,
        ).sealed()

    def unsent_before(self, envelope: Envelope) -> Entry | None:
        """Return the entry right before an envelope, unless it may have been sent."""
        before = self.entries.get(envelope.number - 1)
        return before if before is not None and before.number > self.sent_to else None
