"""A trouble as a case: what can be done about it, and what the form of its repair shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.errors import Code, Problem
from fieldpost.home import Trouble
from fieldpost.odp.form.processor import load
from fieldpost.odp.form.rows import Opened, opened_from
from fieldpost.odp.repair.conflict_marks import changes_of
from fieldpost.odp.repair.pending_change import PendingChange, pending_change_of
from fieldpost.odp.repair.reconcile import Reconciled, reconciled
from fieldpost.odp.replay.access import is_in_scope, places_of
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Changes, Page
from fieldpost.users import acting_as
from fieldpost.web.display.conflict_sides import Marks, RowRemark
from fieldpost.web.display.envelope_contents import Change, Contents
from fieldpost.web.display.envelope_titles import top_row
from fieldpost.web.framework.requests import PageRequest
from fieldpost.wire.envelope import Operation


class Way(StrEnum):
    """How a case can be repaired.

    Attributes:
        FORM: in the record's form.
        NEW: in the form of a new record.
        RESTORE: others deleted the record; it may come back as a new one.
        DELETE: the worker deletes records that others changed.
        NONE: it can only be read, copied and discarded.
    """

    FORM = "form"
    NEW = "new"
    RESTORE = "restore"
    DELETE = "delete"
    NONE = "none"


_STALE = frozenset(
    {
        # the form itself shows what is so now
        Code.CHANGED_BY_OTHERS,
        Code.DELETED_BY_OTHERS,
        Code.PREDECESSOR_OPEN,
        Code.PREDECESSOR_MISSING,
        Code.RULES_CHANGED,
    }
)

NO_PAGE = "The page on which this was saved is not in the app any more."
NO_RIGHT = "You may not open the page on which this was saved any more."
NO_CHANGE = "This page takes no such changes any more."
NOT_YOURS = "This record is not one of yours any more, so you cannot change it."
IS_GONE = "The record was deleted by somebody else, and it cannot be brought back from here."


@dataclass
class Case:
    """See the module.

    Attributes:
        trouble: what could not be applied.
        page: its page by its present name; None where that is gone.
        pending: what the worker wants.
        way: how it can be repaired.
        why_not: why it cannot.
        theirs: the record as it is now; None where there is none.
        deleted: for `Way.DELETE`, the records as they are now.
        title: words for the record.
    """

    trouble: Trouble
    page: Page | None
    pending: PendingChange
    way: Way = Way.NONE
    why_not: str = ""
    theirs: Opened | None = None
    deleted: Sequence[Opened] = ()
    title: str = ""

    @property
    def is_conflict(self) -> bool:
        """Say whether others changed the record."""
        return any(p.code in _CONFLICTS for p in self.trouble.problems)

    @property
    def others(self) -> str:
        """Return who changed or deleted the record, in words; empty where nobody knows."""
        named = (str(p.detail["who"]) for p in self.trouble.problems if p.detail.get("who"))
        return " and ".join(dict.fromkeys(named))

    @property
    def rules_changed(self) -> bool:
        """Say whether the app changed since it was saved."""
        codes = {p.code for p in self.trouble.problems}
        return bool(codes & {Code.RULES_CHANGED, Code.MODEL_CHANGED})

    def reconciled(self, theirs: Opened | None) -> Reconciled:
        """Return the form over the record as it was read."""
        assert self.page is not None
        strict = self.page.changes == Changes.STRICT
        return reconciled(self.page.layout, self.pending, theirs, strict=strict)

    def problems(self, found: Reconciled | None) -> list[Problem]:
        """Return what the server said, at the places of the present form, each once."""
        kept: dict[tuple[str, str], Problem] = {}
        for each in self.trouble.problems:
            if each.code not in _STALE:
                at = replace(each, path="") if found is None else self._placed(each, found)
                kept.setdefault((at.path, at.message), at)
        return list(kept.values())

    def _placed(self, each: Problem, found: Reconciled) -> Problem:
        at = self.pending.relocated(each, found.places)
        assert self.page is not None
        names = {f.name for form in self.page.layout.forms() for f in form.fields.values()}
        last = at.path.rpartition(".")[2].partition("[")[0]
        lists = {name for form in self.page.layout.forms() for name in form.lists}
        return at if last in names | lists else replace(at, path="")


_CONFLICTS = frozenset(
    {Code.CHANGED_BY_OTHERS, Code.DELETED_BY_OTHERS, Code.ROWS_CHANGED_BY_OTHERS}
)


def case_of(asked: PageRequest, session: Session, trouble: Trouble) -> Case:
    """Say what can be done about a trouble."""
    home = asked.home
    page = home.app.present_page(trouble.envelopes[0].page)

    def real(model: str, temporary: int) -> int | None:
        return trouble.keys.get((model, temporary)) or home.real_key(model, temporary)

    case = Case(trouble, page, pending_change_of(home.app, page, trouble, real))
    if page is None:
        case.why_not = NO_PAGE
    elif not page.may_open(asked.user):
        case.why_not = NO_RIGHT
    else:
        with acting_as(asked.user):
            _look(asked, session, case, page)
    return case


def _look(asked: PageRequest, session: Session, case: Case, page: Page) -> None:
    operations, name = case.pending.operations, page.spec.name
    deletes = [o for o in operations if o.do == "delete" and o.model == name and not o.at]
    if deletes:
        _look_at_deleted(asked, session, case, page, deletes)
        return
    if any(o.do == "insert" and o.model == name and not o.at for o in operations):
        _may(case, Way.NEW, allowed=page.create)
        return
    record = _record(session, page, case.pending)
    if record is None:
        _look_for_lost(case, page)
        return
    if not is_in_scope(session, page, asked.user, page.spec.key_of(record)):
        case.why_not = NOT_YOURS
        return
    links = Links(session, asked.home.app, asked.user)
    case.theirs = opened_from(page.layout, record, asked.home.base(), links)
    case.title = page.spec.title_of(record)
    _may(case, Way.FORM, allowed=page.edit)


def _may(case: Case, way: Way, *, allowed: bool) -> None:
    if allowed:
        case.way = way
    else:
        case.why_not = NO_CHANGE


def _look_for_lost(case: Case, page: Page) -> None:
    if any(p.code is Code.ROW_FORBIDDEN for p in case.trouble.problems):
        case.why_not = NOT_YOURS
        return
    name = page.spec.name
    is_known = any(o.model == name and not o.at and o.was for o in case.pending.operations)
    if page.create and (is_known or case.pending.before is not None):
        case.way = Way.RESTORE
    else:
        case.why_not = IS_GONE


def _look_at_deleted(
    asked: PageRequest, session: Session, case: Case, page: Page, deletes: Sequence[Operation]
) -> None:
    links, found, titles = Links(session, asked.home.app, asked.user), [], []
    for operation in deletes:
        record = load(session, page.spec, list(operation.key))
        if record is None:
            continue
        if not is_in_scope(session, page, asked.user, page.spec.key_of(record)):
            case.why_not = NOT_YOURS
            return
        found.append(opened_from(page.layout, record, links=links))
        titles.append(page.spec.title_of(record))
    case.deleted, case.title = found, ", ".join(titles)
    if found:
        _may(case, Way.DELETE, allowed=page.delete)
    else:
        case.why_not = "The record is deleted already: there is nothing left to do."


def _record(session: Session, page: Page, pending: PendingChange) -> Any:
    """Return the record that the operations belong to; None where it is not there (any more)."""
    spec, places = page.spec, places_of(page)
    for operation in pending.operations:
        if operation.model == spec.name and not operation.at:
            return load(session, spec, list(operation.key))
    if pending.before is not None:
        return load(session, spec, list(pending.before["key"]))
    for operation in pending.operations:
        place = places.get(operation.model)
        top = None if place is None else top_row(session, place, operation)
        if top is not None:
            return top
    return None


def marks_of(case: Case, found: Reconciled, contents: Contents, user_name: str) -> Marks:
    """Return what stands beside the fields."""
    remarks = {
        at: RowRemark(words, _changes(found, at, contents)) for at, words in found.remarks.items()
    }
    owner = case.trouble.envelopes[0].user
    if owner == user_name:
        return Marks(found.marks, remarks, contents)
    labels = {"mine": owner, "theirs": "Now"}
    return Marks(found.marks, remarks, contents, labels, owner)


def _changes(found: Reconciled, at: str, contents: Contents) -> tuple[Change, ...]:
    return tuple(
        Change(m.field.label, contents.value(m.field, m.before), contents.value(m.field, m.theirs))
        for m in found.changed.get(at, ())
    )


def changed_since(case: Case, contents: Contents) -> list[Change]:
    """Return what others changed of the records that the worker deletes."""
    assert case.page is not None
    form, changes = case.page.layout, list[Change]()
    for opened in case.deleted:
        operation = case.pending.of(form.model.name, opened["key"])
        was = operation.was if operation is not None else {}
        for mark in changes_of(form, opened, was):
            old, new = (
                contents.value(mark.field, mark.before),
                contents.value(mark.field, mark.theirs),
            )
            changes.append(Change(mark.field.label, old, new))
    return changes
