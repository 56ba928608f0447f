"""Failed envelopes: what a repair needs to know of those that could not be applied."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, NotFound, problem
from fieldpost.home import SyncEntry, Trouble
from fieldpost.odp.lineage.dependencies import hangs_on, same_record
from fieldpost.odp.repair.pending_change import present_operations
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost.wire.receipts import APPLIED, Receipt
from fieldpost_server.inbox.dependencies import kept_receipt, keys_in, open_rows, rows_of
from fieldpost_server.inbox.envelope_access import may_read
from fieldpost_server.restore.pre_restore_envelopes import in_present_numbers


def trouble_of(session: Session, app: App, user: User, identity: str) -> Trouble:
    """Return what an envelope needs that could not be applied; raises `NotFound`."""
    row = rows_of(session, [identity]).get(identity)
    if row is None or row.void or row.how is not None or row.outcome in APPLIED:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    if row.user != user.name and not user.is_supervisor:
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    others = [each for each in open_rows(session, row.device) if not each.void]
    sealed = (read_envelope(each.content) for each in others)
    envelopes = {each.id: each for each in in_present_numbers(session, app, sealed)}
    # what an open repair was to take the place of ends with that
    replaced = {i for e in envelopes.values() for i in e.supersedes if i in envelopes}
    if identity in replaced:
        identity = next(e.id for e in reversed(envelopes.values()) if identity in e.supersedes)
    chain = same_record(
        envelopes[identity], [e for e in envelopes.values() if e.id not in replaced]
    )
    receipts = {each.id: kept_receipt(session, each) for each in others}
    keys = keys_in(session, row.device, chain)
    if not all(_is_open_to(session, app, user, each, receipts[each.id], keys) for each in chain):
        raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=identity)])
    problems = [p for e in chain for p in receipts[e.id].problems]
    return Trouble(
        tuple(chain),
        receipts[identity],
        tuple(problems),
        None,
        tuple(_hanging(app, chain, envelopes.values(), receipts)),
        tuple(i for e in chain for i in e.supersedes if i in replaced),
        keys,
    )


def _is_open_to(
    session: Session,
    app: App,
    user: User,
    envelope: Envelope,
    receipt: Receipt,
    keys: Mapping[tuple[str, int], int],
) -> bool:
    operations = present_operations(app, envelope, lambda *named: keys.get(named))
    return may_read(session, app, user, envelope, tuple(operations), receipt)


def _hanging(
    app: App, chain: list[Envelope], others: Iterable[Envelope], receipts: dict[str, Receipt]
) -> Iterator[SyncEntry]:
    for envelope in hangs_on(chain, others):
        page = app.pages.get(envelope.page)
        yield SyncEntry(
            envelope=envelope.id,
            page=page.title if page else envelope.page,
            title=page.spec.label if page else "",
            url="",
            saved_at=envelope.saved_at,
            state="waiting",
            words="Waits for this one.",
            problems=tuple(p.message for p in receipts[envelope.id].problems),
        )
