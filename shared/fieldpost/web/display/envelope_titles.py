"""What the record of an envelope is called, also where it is not there any more."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.odp.form.processor import load
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.odp.replay.access import Place, is_in_scope, places_of, top_of
from fieldpost.pages import Page
from fieldpost.schema.fields import ATTACHMENT_KINDS
from fieldpost.web.display.envelope_contents import Contents
from fieldpost.wire.envelope import Operation

_MOST_VALUES = 2


def envelope_title(
    contents: Contents, page: Page, operations: Sequence[Operation], record: Sequence[Any] = ()
) -> str:
    """Return the title of the record that operations belong to.

    Args:
        contents: puts values into words.
        page: of the envelope.
        operations: with present keys.
        record: the record's key, where a receipt tells it.

    Returns:
        Its title as it is now; where it has none, what the envelope says of it; or empty.
    """
    spec, session = page.spec, contents.session
    done = [each for each in operations if each.do != "look"]
    whole = [each for each in done if each.model == spec.name and not each.at]
    key = list(record or (whole[0].key if whole else ()))
    if key and not any(is_temporary(part) for part in key):
        row = load(session, spec, key)
        if row is not None and _is_hers(contents, page, row) and (title := spec.title_of(row)):
            return title
    if whole:
        return _told(contents, page, whole[0])
    places = places_of(page)
    tops = (top_row(session, places[o.model], o) for o in done if o.model in places)
    hers = (top for top in tops if top is not None and _is_hers(contents, page, top))
    return next(map(spec.title_of, hers), "")


def _is_hers(contents: Contents, page: Page, record: Any) -> bool:
    """Say whether who reads may see a record: an envelope may name any."""
    user = contents.links.user
    if not page.may_open(user):
        return False
    return is_in_scope(contents.session, page, user, page.spec.key_of(record))


def _told(contents: Contents, page: Page, operation: Operation) -> str:
    values = {**operation.was, **operation.set}
    shown = (
        contents.value(each, values[each.attribute]).text
        for each in page.columns
        if each.attribute in values and each.kind not in ATTACHMENT_KINDS
    )
    return ", ".join([text for text in shown if text][:_MOST_VALUES])


def top_row(session: Session, place: Place, operation: Operation) -> Any:
    """Return the top row above a row that an operation is about; None where it is not there."""
    if operation.do != "insert":
        row = load(session, place.form.model, list(operation.key))
        return None if row is None else top_of(session, place, row)
    above = place.parent
    if above is None:
        return None
    by_parent = {ours: operation.set.get(theirs) for theirs, ours in place.pairs}
    row = load(session, above.form.model, [by_parent.get(a) for a in above.form.model.key])
    return None if row is None else top_of(session, above, row)
