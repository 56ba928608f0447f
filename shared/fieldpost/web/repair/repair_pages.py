"""Repair: what could not be applied is put right in its ordinary form, or discarded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from fieldpost.errors import Code, InputError, NotFound, Problem, problem
from fieldpost.home import Trouble
from fieldpost.odp.form.difference import Differ
from fieldpost.odp.form.once import identity_in
from fieldpost.odp.form.processor import Processed, delete_records, process
from fieldpost.odp.form.rows import Opened, Row, opened_from_text, row_from_post
from fieldpost.odp.repair.fold import places_of_rows, row_of
from fieldpost.odp.repair.pending_change import PendingChange
from fieldpost.odp.repair.reconcile import Reconciled
from fieldpost.pages import Page
from fieldpost.text import jsontext
from fieldpost.users import acting_as
from fieldpost.web.display.conflict_sides import put_version
from fieldpost.web.display.envelope_contents import Contents, counted_words
from fieldpost.web.display.values import record_url
from fieldpost.web.forms.form_controls import FormView, add_row, find_words, with_uploads
from fieldpost.web.forms.record_pages import has_attachments, was_applied
from fieldpost.web.framework.requests import STATUS, PageRequest
from fieldpost.web.repair.repair_cases import Case, Way, case_of, changed_since, marks_of
from fieldpost.wire.receipts import DISCARDED

Posted = Sequence[tuple[str, str]]


@dataclass
class _Filled:
    """The form as it is filled in: its rows, what it was opened on, and what belongs beside it."""

    row: Row
    opened: Opened | None
    found: Reconciled
    focus: str = ""
    finds: Mapping[str, str] = field(default_factory=dict)


def repair(asked: PageRequest) -> Response:
    """Show the form in which a trouble is repaired, or take it filled in."""
    trouble = _trouble(asked)
    if trouble is None:
        return _repaired_before(asked) or _settled(asked)
    with asked.home.session() as session:
        case = case_of(asked, session, trouble)
        if asked.method == "GET" or case.way is Way.NONE:
            return _shown(asked, session, case)
    if case.way is Way.DELETE:
        return _deleted(asked, case)
    return _submitted(asked, case)


def discard(asked: PageRequest) -> Response:
    """Say what will be lost, or discard it."""
    trouble = _trouble(asked)
    if trouble is None:
        return _discarded_before(asked) or _settled(asked)
    problems: Sequence[Problem] = ()
    if asked.method == "POST":
        problems = asked.home.discard(asked.user, trouble)
        if not problems:
            return RedirectResponse(f"{_overview(asked)}?done=discarded", 303)
    with asked.home.session() as session:
        case = case_of(asked, session, trouble)
        return _lines(asked, session, case, "discard.html", problems)


def show_again(asked: PageRequest, problems: Sequence[Problem]) -> Response:
    """Show a posted repair again, with everything in it, where its home could not keep it."""
    trouble = _trouble(asked)
    if trouble is None:
        return _settled(asked)
    status = STATUS.get(problems[0].code, 422)
    with asked.home.session() as session:
        case = case_of(asked, session, trouble)
        if case.page is None or case.way in (Way.NONE, Way.DELETE):
            return _shown(asked, session, case, problems, status)
        filled = _posted(asked, case, case.page, asked.posted)
        return _form(asked, session, case, filled, problems, status)


def _trouble(asked: PageRequest) -> Trouble | None:
    try:
        return asked.home.trouble(asked.user, asked.at["envelope"])
    except NotFound:
        return None


def _settled(asked: PageRequest) -> Response:
    return asked.page("settled.html", 404, overview=_overview(asked))


def _repaired_before(asked: PageRequest) -> Response | None:
    """Answer a repair that is sent a second time as the first was answered."""
    identity = identity_in(asked.posted)
    if not was_applied(asked, identity):
        return None
    page = asked.home.app.present_page(asked.home.story(asked.user, identity).envelope.page)
    receipt = asked.home.first_receipt(asked.user, identity)
    to = record_url(page.name, receipt.record) if page and receipt and receipt.record else ""
    return RedirectResponse(f"{to or _overview(asked)}?done=repaired", 303)


def _discarded_before(asked: PageRequest) -> Response | None:
    """Answer a discard that is sent a second time as the first was answered."""
    if asked.method != "POST":
        return None
    try:
        receipt = asked.home.story(asked.user, asked.at["envelope"]).receipt
    except NotFound:
        return None
    if receipt is None or receipt.settled is None or receipt.settled.how != DISCARDED:
        return None
    return RedirectResponse(f"{_overview(asked)}?done=discarded", 303)


def _overview(asked: PageRequest) -> str:
    is_desk = asked.home.kind == "server" and asked.user.is_supervisor
    return "/envelopes" if is_desk else "/sync"


def _posted(asked: PageRequest, case: Case, page: Page, posted: Posted) -> "_Filled":
    row = row_from_post(page.layout, posted, case.pending.new_keys(page.layout))
    opened = opened_from_text(page.layout, dict(posted).get("_opened"))
    with acting_as(asked.user):
        return _Filled(row, opened, case.reconciled(opened))


def _submitted(asked: PageRequest, case: Case) -> Response:
    page = case.page
    assert page is not None
    posted = with_uploads(asked, page.layout)
    filled = _posted(asked, case, page, posted)
    action = dict(posted).get("_action", "save")
    if action == "save":
        return _saved(asked, case, page, filled)
    filled.finds = find_words(posted)
    if action.startswith("add:"):
        with acting_as(asked.user):
            filled.focus = add_row(page.layout, filled.row, action.removeprefix("add:"))
    elif action.startswith("put:"):
        filled.focus = put_version(filled.row, filled.found.marks, action)
    with asked.home.session() as session:
        return _form(asked, session, case, filled, case.problems(filled.found))


def _saved(asked: PageRequest, case: Case, page: Page, filled: "_Filled") -> Response:
    ids, draft = case.trouble.ids, asked.draft or asked.path
    identity = identity_in(asked.posted)
    outcome = process(asked.home, asked.user, page, filled.row, filled.opened, draft, ids, identity)
    if outcome.is_saved and outcome.receipt is None:
        return _nothing_left(asked, case, page, filled.opened)
    if outcome.is_saved:
        return RedirectResponse(f"{record_url(page.name, outcome.key)}?done=repaired", 303)
    with asked.home.session() as session:
        if any(p.code in _MOVED for p in outcome.problems) and filled.opened is not None:
            return _moved_on(asked, session, case, filled.row, filled.opened)
        return _form(asked, session, case, filled, outcome.problems, 422)


_MOVED = frozenset({Code.CHANGED_BY_OTHERS, Code.DELETED_BY_OTHERS, Code.ROWS_CHANGED_BY_OTHERS})


def _nothing_left(asked: PageRequest, case: Case, page: Page, opened: Opened | None) -> Response:
    """Discard what was to be repaired: as it was filled in, everything stays as it is."""
    problems = asked.home.discard(asked.user, case.trouble)
    if problems:
        raise InputError(problems)
    where = record_url(page.name, opened["key"]) if opened else f"/pages/{page.name}"
    return RedirectResponse(f"{where}?done=kept", 303)


def _moved_on(
    asked: PageRequest, session: Session, case: Case, row: Row, opened: Opened
) -> Response:
    """Compare what was filled in with the record anew: others have changed it again."""
    now = case_of(asked, session, case.trouble)
    if now.page is None or now.way not in (Way.FORM, Way.RESTORE):
        return _shown(asked, session, now)
    form = now.page.layout
    with acting_as(asked.user):
        made = Differ(asked.home.temporary_key, asked.home.new_id).compare(form, row, opened)
        rows_at = {at: name for name, at in places_of_rows(form, opened)}
        rows_at |= {o.at: row_of(o) for o in made.operations}
        again = replace(now, pending=PendingChange(tuple(made.operations), opened, rows_at=rows_at))
        found = again.reconciled(now.theirs)
    again.trouble = replace(case.trouble, problems=(problem(Code.CHANGED_AGAIN),))
    filled = _Filled(found.row, now.theirs, found)
    return _form(asked, session, again, filled, again.trouble.problems, 422)


def _deleted(asked: PageRequest, case: Case) -> Response:
    """Delete the records anyway: as they were shown, or not at all."""
    page = case.page
    assert page is not None
    outcome = Processed()
    if dict(asked.posted).get("_action") == "delete":
        shown = _shown_records(page, dict(asked.posted).get("_opened", ""))
        outcome = delete_records(
            asked.home,
            asked.user,
            page,
            shown,
            case.trouble.ids,
            identity_in(asked.posted),
            case.title,
        )
        if outcome.is_saved:
            return RedirectResponse(f"/pages/{page.name}?done=deleted", 303)
    with asked.home.session() as session:
        now = case_of(asked, session, case.trouble)
        return _shown(asked, session, now, outcome.problems, 422)


def _shown_records(page: Page, text: str) -> list[Opened]:
    try:
        entries = jsontext.parse(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not entries:
        reason = "what the page showed cannot be read"
        raise InputError([problem(Code.MALFORMED, reason=reason)])
    texts = (json.dumps(entry) for entry in entries)
    return [found for text in texts if (found := opened_from_text(page.layout, text))]


# what is shown


def _shown(
    asked: PageRequest,
    session: Session,
    case: Case,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> Response:
    if case.way is Way.NONE:
        return _lines(asked, session, case, "repair_none.html", problems)
    if case.way is Way.DELETE:
        changes = changed_since(case, _contents(asked, session, case))
        return asked.page(
            "repair_delete.html",
            status,
            case=case,
            changes=changes,
            problems=problems or case.problems(None),
            opened=json.dumps(list(case.deleted), ensure_ascii=False),
            identity=identity_in(asked.posted) or asked.home.new_id(),
            overview=_overview(asked),
        )
    with acting_as(asked.user):
        found = case.reconciled(case.theirs)
    filled = _Filled(found.row, case.theirs, found)
    return _form(asked, session, case, filled, [*problems, *case.problems(found)], status)


def _lines(
    asked: PageRequest,
    session: Session,
    case: Case,
    template: str,
    problems: Sequence[Problem],
) -> Response:
    contents = _contents(asked, session, case)
    lists = case.page.layout.forms() if case.page else ()
    labels = {child.form.model.name: child.label for form in lists for child in form.lists.values()}
    return asked.page(
        template,
        422 if problems else 200,
        case=case,
        page_title=case.page.title if case.page else case.trouble.envelopes[0].page,
        rows=contents.rows(case.pending.operations),
        counted=counted_words(case.pending.operations, labels),
        problems=problems,
        said=case.problems(None),
        overview=_overview(asked),
    )


def _form(
    asked: PageRequest,
    session: Session,
    case: Case,
    filled: "_Filled",
    problems: Sequence[Problem],
    status: int = 200,
) -> Response:
    page, found, opened = case.page, filled.found, filled.opened
    assert page is not None
    contents = _contents(asked, session, case)
    marks = marks_of(case, found, contents, asked.user.name)
    view = FormView(asked, session, page.layout, filled.row, problems, filled.finds, marks)
    questions = found.open_paths
    return asked.page(
        "repair.html",
        status,
        case=case,
        page=page,
        view=view,
        opened=json.dumps(opened, ensure_ascii=False) if opened else "",
        questions=[(path, found.marks[path].field.label) for path in questions],
        left=contents.rows(found.left),
        focus=filled.focus or next(iter(questions), ""),
        multipart=has_attachments(page.layout),
        identity=identity_in(asked.posted) or asked.home.new_id(),
        overview=_overview(asked),
    )


def _contents(asked: PageRequest, session: Session, case: Case) -> Contents:
    return Contents(asked.home.app, session, asked.user, case.page)
