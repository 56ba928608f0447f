"""The audit trail of one envelope: all that is known of it, for its worker and supervisors."""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import Story, SyncEntry
from fieldpost.odp.repair.pending_change import present_operations
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost.web.display.envelope_contents import Contents, done_words
from fieldpost.web.display.envelope_titles import envelope_title
from fieldpost.web.display.outcomes import OUTCOMES, settled_words
from fieldpost.web.display.values import record_url
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import APPLIED, Receipt
from fieldpost_server.inbox.dependencies import kept_receipt, keys_in, open_rows, rows_of
from fieldpost_server.inbox.envelope_access import may_read
from fieldpost_server.inbox.refused_contents import LET_GO, kept_envelope
from fieldpost_server.restore.pre_restore_envelopes import in_present_numbers

_GONE = "What was in it is not kept any more."


def state_of(row: Any) -> str:
    """Return where an envelope (a row of `rows_of`) stands: a key of `OUTCOMES`."""
    if row.void:
        return "void"
    return str(row.how or row.outcome)


def is_open(row: Any) -> bool:
    """Say whether somebody may still repair or discard an envelope."""
    return not row.void and row.how is None and row.outcome not in APPLIED


def described(session: Session, app: App, user: User, row: Any) -> tuple[str, str]:
    """Return what an envelope's record is called, and what it does with it in one word.

    Args:
        session, app: where the record is.
        user: who reads.
        row: of `rows_of`.
    """
    page = app.present_page(row.page)
    if page is None:
        return "", ""
    (envelope,) = in_present_numbers(session, app, [kept_envelope(row)])
    receipt = kept_receipt(session, row)
    if not _is_open_to(session, app, user, envelope, receipt):
        return "", ""
    return _described(session, app, user, page, envelope, receipt)


def _is_open_to(
    session: Session, app: App, user: User, envelope: Envelope, receipt: Receipt
) -> bool:
    keys = keys_in(session, envelope.device, [envelope])
    operations = present_operations(app, envelope, lambda *named: keys.get(named))
    return may_read(session, app, user, envelope, tuple(operations), receipt)


def _described(
    session: Session, app: App, user: User, page: Page, envelope: Envelope, receipt: Receipt
) -> tuple[str, str]:
    keys = keys_in(session, envelope.device, [envelope])
    operations = present_operations(app, envelope, lambda *named: keys.get(named))
    contents = Contents(app, session, user, page)
    title = envelope_title(contents, page, operations, receipt.record)
    return title, done_words(operations, page.spec.name)


def story_of(session: Session, app: App, user: User, identity: str) -> Story:
    """Return all that is known of an envelope; raises `NotFound`."""
    row = rows_of(session, [identity]).get(identity)
    if row is None or (row.user != user.name and not user.is_supervisor):
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    (envelope,) = in_present_numbers(session, app, [kept_envelope(row)])
    receipt = kept_receipt(session, row)
    if not (is_shown := _is_open_to(session, app, user, envelope, receipt)):
        envelope = replace(envelope, operations=(), attachments=())
        receipt = replace(receipt, problems=(), notes=(), record=(), keys=())
    page = app.present_page(envelope.page)
    standing = OUTCOMES[state_of(row)]
    title, done = "", ""
    if page and is_shown:
        title, done = _described(session, app, user, page, envelope, receipt)
    entry = SyncEntry(
        envelope=envelope.id,
        page=page.title if page else envelope.page,
        title=title,
        done=done,
        url=record_url(page.name, receipt.record) if page and receipt.record else "",
        saved_at=envelope.saved_at,
        state=standing.state,
        words=f"{standing.words} {_GONE}" if row.content == LET_GO else standing.words,
        problems=tuple(p.message for p in receipt.problems),
        can_repair=is_open(row) and is_shown,
        can_discard=is_open(row) and is_shown,
        waits_for=_waits_for(session, app, row, envelope),
        settled=settled_words(receipt.settled),
    )
    keys = keys_in(session, row.device, [envelope])
    return Story(envelope, entry, receipt, keys, is_shown=is_shown)


def _waits_for(
    session: Session, app: App, row: Any, envelope: Envelope
) -> tuple[tuple[str, str], ...]:
    """Return the open envelopes of its device that it builds on."""
    if not is_open(row) or not envelope.after:
        return ()
    return tuple(
        (other.id, f"number {other.number}, {_title(app, other.page)}")
        for other in open_rows(session, row.device)
        if other.number in envelope.after and not other.void
    )


def _title(app: App, name: str) -> str:
    page = app.present_page(name)
    return page.title if page else name
