"""The command `fieldpost envelopes replay`: what a kept envelope would come to now."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, NotFound, problem
from fieldpost.users import User
from fieldpost.wire.receipts import APPLIED, Outcome, Receipt
from fieldpost_server.accounts.users import find_user
from fieldpost_server.cli.command import Command, declare
from fieldpost_server.inbox.inbox import Inbox
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

_ENVELOPE = tables.envelope


class _Undone(Exception):
    """Ends the transaction of a rehearsal; carries what it has found."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


def declare_replay(commands: Any) -> None:
    """Declare the command."""
    replay = declare(commands, "replay", _replay, "say what an envelope would come to now")
    replay.add_argument("id")
    replay.add_argument(
        "--apply",
        action="store_true",
        help="apply one that waits, and keep what it did",
    )


def _replay(command: Command) -> int:
    """Print outcome and problems as JSON; 1 where the envelope is not applied."""
    with command.database() as database:
        inbox = _inbox(command, database)
        row, user = _found(database, command.options.id)
        applies = command.options.apply
        found = _applied(inbox, row, user) if applies else _rehearsed(inbox, row, user)
    command.show(found)
    return int(Outcome(found["outcome"]) not in APPLIED)


def _inbox(command: Command, database: Database) -> Inbox:
    signer = Signer(database, command.settings.signing_secret_file)
    return Inbox(command.app, database, signer=signer)


def _found(database: Database, identity: str) -> tuple[Any, User]:
    with database.read_session() as session:
        row = session.execute(sa.select(_ENVELOPE).where(_ENVELOPE.c.id == identity)).first()
        if row is None:
            raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
        user = find_user(session, row.user)
    if user is None:
        raise NotFound([problem(Code.NO_SUCH_USER, user=row.user)])
    return row, user


def _rehearsed(inbox: Inbox, row: Any, user: User) -> dict[str, Any]:
    def work(session: Session) -> Receipt:
        # the exception, and not the end of the block, is what makes sure that nothing is kept
        raise _Undone(inbox.applier.rehearse(session, row.content, user))

    try:
        # fault point: rehearsal-undone — it never commits: a death takes it back, as its end does.
        inbox.database.write(work)
    except _Undone as undone:
        return _described(undone.receipt, applied=False)
    raise AssertionError("a rehearsal always ends by being undone")


def _applied(inbox: Inbox, row: Any, user: User) -> dict[str, Any]:
    if row.outcome != str(Outcome.WAITING):
        fault = problem(Code.NOT_WAITING, envelope=row.id, outcome=row.outcome)
        raise InputError([fault])
    receipt = inbox.receive(row.content, user, row.device)
    if receipt.is_applied:
        # as after a push: others may have waited for this one
        inbox.retry_waiting(user, row.device)
    return _described(receipt, applied=receipt.is_applied)


def _described(receipt: Receipt, *, applied: bool) -> dict[str, Any]:
    return {
        "envelope": receipt.envelope,
        "applied": applied,
        "outcome": str(receipt.outcome),
        "problems": [p.to_json() for p in receipt.problems],
        "record": list(receipt.record),
    }
