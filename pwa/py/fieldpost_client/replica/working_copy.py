"""The working copy: a replica with the outbox replayed on it."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, problem
from fieldpost.odp.replay.replay import replay
from fieldpost.odp.replay.result import Result
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import APPLIED, Outcome
from fieldpost_client.outbox.outbox import Entry, OutboxKeys
from fieldpost_client.replica.device_state import KeyMap
from fieldpost_client.replica.replica import Replica

_log = logging.getLogger("fieldpost")


@dataclass
class WorkingCopy:
    """What the worker sees.

    Attributes:
        replica: the open database, changed by the replayed envelopes.
        keys: real keys that its rows have already.
        records: key of each replayed envelope's record as JSON data, by envelope id.
        failures: why an envelope could not be replayed here, by envelope id.
    """

    replica: Replica
    keys: KeyMap
    records: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    failures: dict[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def app(self) -> App:
        """Return the app whose rows it has."""
        return self.replica.app

    def session(self) -> Session:
        """Open a session; what it commits is part of the transaction around it, if there is one."""
        return Session(
            self.replica.connection,
            join_transaction_mode="create_savepoint",
            expire_on_commit=False,
        )

    def replay(self, user: User, envelope: Envelope) -> Result:
        """Apply one envelope, whole or not at all."""
        with self.session() as session:
            result = replay(envelope, session, self.app, user, OutboxKeys(self.keys))
            if result.outcome in APPLIED:
                session.commit()
            return result

    def note(self, envelope: Envelope, result: Result) -> None:
        """Remember what a replay came to."""
        if result.outcome in APPLIED:
            self.records[envelope.id] = result.record
        else:
            self.failures[envelope.id] = result.problems


def make_working_copy(
    app: App, replica: Replica, user: User, entries: Iterable[Entry], keys: KeyMap
) -> WorkingCopy:
    """Replay envelopes on a replica; one that cannot be replayed never stops the others."""
    copy = WorkingCopy(replica, dict(keys))
    # one session for all: what it has made of the user's scope, each would make again
    with replica.connection.begin(), Session(replica.connection, expire_on_commit=False) as session:
        for entry in entries:
            copy.note(entry.envelope, _tried(copy, session, app, user, entry.envelope))
    return copy


def _tried(copy: WorkingCopy, session: Session, app: App, user: User, envelope: Envelope) -> Result:
    try:
        with session.begin_nested() as part:
            result = replay(envelope, session, app, user, OutboxKeys(copy.keys))
            if result.outcome not in APPLIED:
                part.rollback()
            return result
    except Exception as error:  # noqa: BLE001 - see below
        # an app that has changed may fail in any way; the envelope itself is safe in the store
        _log.exception("envelope %s could not be replayed on the device", envelope.id)
        fault = problem(Code.REPLAY_FAILED, cause=type(error).__name__)
        return Result(Outcome.RETRY, (fault,))
    finally:
        # the next one reads its rows as they are stored, as it would in a session of its own
        session.expunge_all()
