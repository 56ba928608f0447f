"""The command `fieldpost envelopes replay`: what a kept envelope would come to now."""

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, NotFound, problem
from fieldpost.users import User
from fieldpost.wire.receipts import APPLIED, Outcome, Receipt
from fieldpost_server.accounts.users import find_user
from fieldpost_server.application import load_app
from fieldpost_server.inbox.inbox import Inbox
from fieldpost_server.settings import Settings
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage import tables
from fieldpost_server.storage.attachments import AttachmentStore
from fieldpost_server.storage.database import Database

Opened = Callable[[Settings], AbstractContextManager[Database]]
Say = Callable[[str], None]

_ENVELOPE = tables.envelope


class _Undone(Exception):
    """Ends the transaction of a rehearsal; carries what it has found."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


class ReplayCommand:
    """See the module.

    Args:
        opened: opens the database of settings.
        say: prints a line.
    """

    def __init__(self, opened: Opened, say: Say) -> None:
        self.opened = opened
        self.say = say

    def add_to(self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the command to the parser's."""
        replay = commands.add_parser("replay", help="say what an envelope would come to now")
        replay.add_argument("id")
        replay.add_argument(
            "--apply",
            action="store_true",
            help="apply one that waits, and keep what it did",
        )
        replay.set_defaults(run=self.replay)

    def replay(self, settings: Settings, options: argparse.Namespace) -> int:
        """Print outcome and problems as JSON; 1 where the envelope is not applied."""
        with self.opened(settings) as database:
            inbox = _inbox(settings, database)
            row, user = _found(database, options.id)
            found = _applied(inbox, row, user) if options.apply else _rehearsed(inbox, row, user)
        self.say(json.dumps(found, indent=2, ensure_ascii=False))
        return int(Outcome(found["outcome"]) not in APPLIED)


def _inbox(settings: Settings, database: Database) -> Inbox:
    app = load_app(settings.app)
    store = AttachmentStore(settings.attachments, database, settings.max_attachment_bytes)
    signer = Signer(database, settings.signing_secret_file)
    return Inbox(app, database, store.has, signer=signer)


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
