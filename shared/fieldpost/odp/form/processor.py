"""The Offline Data Processor: takes a submitted form and hands its changes to its home."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.errors import Code, Problem
from fieldpost.home import Home, Submission
from fieldpost.odp.form.difference import Differ
from fieldpost.odp.form.preview import preview_problems
from fieldpost.odp.form.read_set import with_read_set
from fieldpost.odp.form.rows import Opened, Row
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Changes, Page
from fieldpost.schema.models import Model
from fieldpost.users import User, acting_as
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Receipt


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of a submitted form.

    Attributes:
        problems: all that is wrong, each at its field; empty when it was saved.
        receipt: the home's answer; None where nothing had changed or something is wrong.
        key: the record's key as JSON data; None for a new record that was not saved.
    """

    problems: tuple[Problem, ...] = ()
    receipt: Receipt | None = None
    key: tuple[Any, ...] | None = None

    @property
    def is_saved(self) -> bool:
        """Say whether the form may be closed."""
        return not self.problems

    @property
    def is_kept_already(self) -> bool:
        """Say whether the form was saved before, with other content; `key` is then its record's."""
        return any(each.code == Code.SAVED_ALREADY for each in self.problems)


def process(
    home: Home,
    user: User,
    page: Page,
    row: Row,
    opened: Opened | None,
    draft: str = "",
    supersedes: Sequence[str] = (),
    identity: str = "",
) -> Processed:
    """Save a filled-in form: one envelope, or none where nothing changed.

    Args:
        home, user, page: where, by whom and on which page.
        row: the form as it is filled in.
        opened: what it was opened on; None for a new record.
        draft: the draft that ends with it.
        supersedes: ids of the envelopes that this repairs.
        identity: id of the envelope, which the form carried; see `once.py`.
    """
    with acting_as(user):
        found = Differ(home.temporary_key, home.new_id).compare(page.layout, row, opened)
        if found.problems:
            with home.session() as session:
                links = Links(session, home.app, user)
                more = preview_problems(links, page.layout, row, opened, found.problems)
            return Processed((*found.problems, *more))
    key = tuple(opened["key"]) if opened else None
    if not found.operations:
        return Processed(key=key)
    submission = Submission(
        page.name,
        _seen(page, opened, found.operations),
        tuple(found.attachments),
        str((opened or {}).get("base") or home.base()),
        draft,
        page.spec.label,
        tuple(supersedes),
        opened,
        identity,
    )
    return _committed(home, user, submission, key)


def delete_records(
    home: Home,
    user: User,
    page: Page,
    opened: Sequence[Opened],
    supersedes: Sequence[str] = (),
    identity: str = "",
    title: str = "",
) -> Processed:
    """Delete records: one envelope for all of them, which may repair others.

    Nobody can ask afterwards what they were called: `title` says it in lists of envelopes.
    """
    operations: list[Operation] = []
    for each in opened:
        delete = Operation("delete", page.spec.name, tuple(each["key"]), {}, dict(each["values"]))
        operations += _seen(page, each, [delete])
    submission = Submission(
        page.name,
        tuple(operations),
        base=home.base(),
        title=title or page.spec.label,
        supersedes=tuple(supersedes),
        identity=identity,
    )
    return _committed(home, user, submission, None)


def _seen(
    page: Page, opened: Opened | None, operations: Sequence[Operation]
) -> tuple[Operation, ...]:
    if page.changes != Changes.STRICT:
        return tuple(operations)
    return tuple(with_read_set(page.layout, opened, operations))


def _committed(
    home: Home, user: User, submission: Submission, key: tuple[Any, ...] | None
) -> Processed:
    receipt = home.commit(user, submission)
    if not receipt.is_applied:
        return Processed(receipt.problems, receipt, receipt.record or key)
    return Processed((), receipt, receipt.record or key)


def load(session: Session, model: Model, key: list[Any]) -> Any:
    """Return the mapped object with a key given as JSON data; None where there is none."""
    try:
        typed = model.key_from_json(key)
    except ValueError:
        return None
    return session.get(model.cls, typed) if model.can_hold(typed) else None
