"""Whose an attachment is: whoever brought it, and whoever may read something that refers to it.

To know a digest proves nothing, to have brought the content does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.odp.lineage.drift import in_present_names
from fieldpost.odp.repair.pending_change import present_operations
from fieldpost.reading.readable import Readable
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field
from fieldpost.schema.models import Model
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, read_envelope
from fieldpost_server.attachments.attachment_rows import brought, found, has
from fieldpost_server.attachments.media_types import media_type
from fieldpost_server.feed.attachment_references import AT_ONCE, envelopes_with, places_of
from fieldpost_server.feed.changes import Key
from fieldpost_server.inbox.dependencies import envelopes_query, is_done, kept_receipt, keys_in
from fieldpost_server.inbox.envelope_access import may_read
from fieldpost_server.storage import tables


class AttachmentAccess:
    """Says what of the store a user may have.

    Args:
        app: whose rows refer to attachments.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def may_have(self, session: Session, user: User, sha256: str) -> bool:
        """Say whether an attachment has arrived whole, and a user may read it and refer to it."""
        return not self.lacking(session, user, [sha256])

    def lacking(
        self, session: Session, user: User, digests: Iterable[str], authors: Iterable[str] = ()
    ) -> list[str]:
        """Return which of the attachments are not there for a user.

        Args:
            session, user, digests: where, for whom, and which.
            authors: whose work she repairs: what they brought is there for that.
        """
        wanted = list(dict.fromkeys(digests))
        if not wanted:
            return []  # most envelopes: nothing is asked of the database
        there = brought(session, {user.name, *authors}, wanted)
        left = [sha256 for sha256 in wanted if sha256 not in there]
        return [sha256 for sha256 in left if not self._is_open_to(session, user, sha256)]

    def faults(
        self, session: Session, user: User, envelope: Envelope, authors: Iterable[str] = ()
    ) -> Iterator[Problem]:
        """Yield where an envelope refers to what is not there for its user, or is otherwise.

        What it introduces it lists, and nothing else: what is listed is waited for.
        """
        named = list(self._references(envelope))
        digests = [entry["sha256"] for _, _, entry, _ in named]
        if set(envelope.attachments) - set(digests):
            reason = "'attachments' must name what the operations set"
            yield problem(Code.MALFORMED, "attachments", reason=reason)
        if not named:
            return
        lacking = set(self.lacking(session, user, digests, authors))
        kept = found(session, digests)
        for at, field, entry, is_new in named:
            sha256, whole = entry["sha256"], kept.get(entry["sha256"])
            is_listed = sha256 in envelope.attachments or not is_new
            is_there = sha256 not in lacking and whole is not None
            if not (is_listed and is_there and _is_told_truly(entry, whole or ())):
                yield problem(Code.NOT_THE_FILE, join_path(at, field.name), label=field.label)

    def _references(
        self, envelope: Envelope
    ) -> Iterator[tuple[str, Field, Mapping[str, Any], bool]]:
        """Yield place, field and entry of each reference, and whether it was not there before."""
        for operation in in_present_names(self.app, envelope).operations:
            model = self.app.models.get(operation.model)
            fields = {} if model is None else model.by_attribute
            for attribute, data in operation.set.items():
                field = fields.get(attribute)
                if field is None or field.kind not in ATTACHMENT_KINDS:
                    continue
                before = {e["sha256"] for e in _entries(operation.was.get(attribute))}
                for entry in _entries(data):
                    yield operation.at, field, entry, entry["sha256"] not in before

    def _is_open_to(self, session: Session, user: User, sha256: str) -> bool:
        if not has(session, sha256):
            return False
        if self._is_in_a_record(session, user, sha256):
            return True
        return user.is_supervisor and self._is_in_an_envelope(session, user, sha256)

    def _is_in_a_record(self, session: Session, user: User, sha256: str) -> bool:
        readable = Readable(self.app, user, patient=True)
        for place in places_of(session, (m.table for m in self.app.models.values()), sha256):
            model = self.app.models[place.table]
            field = _field_of(model, place.column)
            query = None if field is None else _readable(readable, model, field)
            if query is not None and self._is_found(
                session, query.where(_has_key(model, place.keys)), sha256
            ):
                return True
        return False

    def _is_found(self, session: Session, query: sa.Select[Any], sha256: str) -> bool:
        """Say whether one of the rows refers to an attachment: it may have until now."""
        for (value,) in session.execute(query):
            held = value if isinstance(value, list) else [value]
            if any(isinstance(each, Attachment) and each.sha256 == sha256 for each in held):
                return True
        return False

    def _is_in_an_envelope(self, session: Session, user: User, sha256: str) -> bool:
        """Say whether an envelope refers to it that needs a supervisor, and she may read."""
        for ids in _batches(envelopes_with(session, sha256)):
            query = envelopes_query().where(sa.not_(is_done()), tables.envelope.c.id.in_(ids))
            for row in session.execute(query).all():
                envelope = read_envelope(row.content)
                keys = keys_in(session, row.device, [envelope])
                operations = present_operations(
                    self.app, envelope, lambda *k, keys=keys: keys.get(k)
                )
                receipt = kept_receipt(session, row)
                if may_read(session, self.app, user, envelope, tuple(operations), receipt):
                    return True
        return False


def _field_of(model: Model, column: str) -> Field | None:
    return next(
        (
            field
            for field in model.fields.values()
            if field.kind in ATTACHMENT_KINDS and field.column.name == column
        ),
        None,
    )


def _readable(readable: Readable, model: Model, field: Field) -> sa.Select[Any] | None:
    """Return the query for a field of the rows in which she may read it; None where of none."""
    conditions = [g.condition for g in readable.grants(model) if field.attribute in g.columns]
    if not conditions:
        return None
    column = model.column(field.attribute)
    return sa.select(column).where(column.is_not(None), sa.or_(*conditions))


def _has_key(model: Model, keys: Collection[Key]) -> sa.ColumnElement[bool]:
    columns = [model.column(attribute) for attribute in model.key]
    if len(columns) == 1:
        among: sa.ColumnElement[bool] = columns[0].in_([part for (part,) in keys])
        return among
    pairs = (zip(columns, key, strict=True) for key in keys)
    return sa.or_(*(sa.and_(*(column == part for column, part in pair)) for pair in pairs))


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _entries(data: Any) -> list[Mapping[str, Any]]:
    """Return the references in a value; of what is none replay says so."""
    entries = data if isinstance(data, list) else [data]
    return [e for e in entries if isinstance(e, dict) and isinstance(e.get("sha256"), str)]


def _is_told_truly(entry: Mapping[str, Any], whole: Collection[Attachment]) -> bool:
    """Say whether a reference tells size and kind as the store has them.

    Of what is no picture nobody relies on the type: it is handed over as bytes.
    """
    told = media_type(str(entry.get("type", "")))
    kinds = {each.type for each in whole}
    is_plain = not told.startswith("image/") and not any(k.startswith("image/") for k in kinds)
    return entry.get("size") in {each.size for each in whole} and (told in kinds or is_plain)
