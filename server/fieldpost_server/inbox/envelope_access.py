"""Who may read what an envelope holds: whoever saved it, and supervisors whose its record is."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.odp.form.processor import load
from fieldpost.odp.replay.access import is_in_scope, places_of
from fieldpost.pages import Page
from fieldpost.users import User
from fieldpost.web.display.envelope_titles import top_row
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Receipt


def may_read(
    session: Session,
    app: App,
    user: User,
    envelope: Envelope,
    operations: tuple[Operation, ...],
    receipt: Receipt,
) -> bool:
    """Say whether a user may read the content of an envelope.

    A supervisor needs the right to open its page, and its record must be in her scope; of one that
    is not there (any more) nobody can ask that. What was saved on a page that is gone is read by
    whoever saved it.

    Args:
        session, app, user: who asks, and where the record is.
        envelope: as it was kept.
        operations: with present names and keys.
        receipt: says which record it became.
    """
    if envelope.user == user.name:
        return True
    page = app.present_page(envelope.page)
    if page is None or not user.is_supervisor or not page.may_open(user):
        return False
    if page.condition(user) is None:
        return True
    spec = page.spec
    records = _records(session, page, operations, receipt)
    return all(is_in_scope(session, page, user, spec.key_of(row)) for row in records)


def _records(
    session: Session, page: Page, operations: tuple[Operation, ...], receipt: Receipt
) -> Iterator[Any]:
    """Yield the records, as they are now, that an envelope is about."""
    places, found = places_of(page), list[Any]()
    if receipt.record:
        found.append(load(session, page.spec, list(receipt.record)))
    for operation in operations:
        place = places.get(operation.model)
        if place is not None and place.parent is None:
            found.append(load(session, page.spec, list(operation.key)))
        elif place is not None:
            found.append(top_row(session, place, operation))
    yield from {id(row): row for row in found if row is not None}.values()
