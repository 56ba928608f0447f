"""One record: view, form, delete."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from fieldpost.errors import Code, Forbidden, NotFound, Problem, problem
from fieldpost.odp.form.once import identity_in
from fieldpost.odp.form.processor import Processed, delete_records, load, process
from fieldpost.odp.form.rows import (
    Row,
    new_row,
    opened_from,
    opened_from_text,
    row_from_opened,
    row_from_post,
)
from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.odp.replay.access import is_in_scope
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Form, Page
from fieldpost.schema.fields import ATTACHMENT_KINDS
from fieldpost.users import acting_as
from fieldpost.web.display.values import key_from_text, record_url
from fieldpost.web.forms.form_controls import FormView, add_row, find_words, with_uploads
from fieldpost.web.forms.record_view import record_view
from fieldpost.web.framework.requests import STATUS, PageRequest
from fieldpost.web.lists.list_pages import open_page


def view_record(asked: PageRequest) -> Response:
    """Show a record."""
    page = open_page(asked)
    if moved := _moved(asked, page):
        return moved
    with asked.home.session() as session:
        record = _record(asked, session, page)
        key = page.spec.key_to_json(page.spec.key_of(record))
        return asked.page(
            "record.html",
            page=page,
            url=record_url(page.name, key),
            title=page.spec.title_of(record),
            view=record_view(asked, page.layout, record, _links(asked, session)),
            entry=asked.home.open_entries(page).get(tuple(key)),
            done=asked.query.get("done", ""),
        )


def new_record(asked: PageRequest) -> Response:
    """Show an empty form, or take a filled-in one."""
    page = open_page(asked)
    if not page.create:
        raise Forbidden([problem(Code.FORBIDDEN)])
    if asked.method == "POST":
        return _submitted(asked, page)
    with acting_as(asked.user):
        row = new_row(page.layout)
    return _form(asked, page, row, None, ())


def edit_record(asked: PageRequest) -> Response:
    """Show a record's form, or take it filled in."""
    page = open_page(asked)
    if not page.edit:
        raise Forbidden([problem(Code.FORBIDDEN)])
    if asked.method == "POST":
        return _submitted(asked, page)
    if moved := _moved(asked, page, "/edit"):
        return moved
    with asked.home.session() as session:
        record, links = _record(asked, session, page), _links(asked, session)
        opened = opened_from(page.layout, record, asked.home.base(), links)
    return _form(asked, page, row_from_opened(page.layout, opened), opened, ())


def delete_record(asked: PageRequest) -> Response:
    """Ask whether a record shall go, or let it go."""
    page = open_page(asked)
    if not page.delete:
        raise Forbidden([problem(Code.FORBIDDEN)])
    if moved := _moved(asked, page, "/delete"):
        return moved
    identity = identity_in(asked.posted)
    if was_applied(asked, identity):
        return RedirectResponse(f"/pages/{page.name}?done=deleted", 303)
    with asked.home.session() as session:
        record = _record(asked, session, page)
        opened = opened_from(page.layout, record, links=_links(asked, session))
        title = page.spec.title_of(record)
    outcome = Processed()
    if asked.method == "POST":
        outcome = delete_records(
            asked.home, asked.user, page, [opened], identity=identity, title=title
        )
        if outcome.is_saved:
            return RedirectResponse(f"/pages/{page.name}?done=deleted", 303)
    status = 422 if outcome.problems else 200
    url = record_url(page.name, opened["key"])
    return asked.page(
        "delete.html",
        status,
        page=page,
        title=title,
        url=url,
        problems=outcome.problems,
        identity=identity or asked.home.new_id(),
    )


def show_again(asked: PageRequest, problems: Sequence[Problem]) -> Response:
    """Show a posted form again, with everything in it, where its home could not keep it."""
    page = open_page(asked)
    row = row_from_post(page.layout, asked.posted)
    opened = opened_from_text(page.layout, dict(asked.posted).get("_opened"))
    return _form(asked, page, row, opened, problems)


def _submitted(asked: PageRequest, page: Page) -> Response:
    posted = with_uploads(asked, page.layout)
    fields = dict(posted)
    row = row_from_post(page.layout, posted)
    opened = opened_from_text(page.layout, fields.get("_opened"))
    action = fields.get("_action", "save")
    if action.startswith("add:"):
        with acting_as(asked.user):
            place = add_row(page.layout, row, action.removeprefix("add:"))
        return _form(asked, page, row, opened, (), focus=place)
    if action != "save":
        return _form(asked, page, row, opened, (), finds=find_words(posted))
    draft = asked.draft or asked.path
    identity = identity_in(posted)
    outcome = process(asked.home, asked.user, page, row, opened, draft, identity=identity)
    if not outcome.is_saved:
        kept = outcome.key if outcome.is_kept_already else None
        return _form(asked, page, row, opened, outcome.problems, kept=kept)
    done = "saved" if outcome.receipt else "unchanged"
    return RedirectResponse(f"{record_url(page.name, outcome.key)}?done={done}", 303)


def _form(
    asked: PageRequest,
    page: Page,
    row: Row,
    opened: dict[str, Any] | None,
    problems: Sequence[Problem],
    *,
    focus: str = "",
    finds: dict[str, str] | None = None,
    kept: Sequence[Any] | None = None,
) -> Response:
    back = record_url(page.name, opened["key"]) if opened else f"/pages/{page.name}"
    with asked.home.session() as session:
        view = FormView(asked, session, page.layout, row, problems, finds or {})
        return asked.page(
            "form.html",
            STATUS.get(problems[0].code, 422) if problems else 200,
            page=page,
            view=view,
            opened=json.dumps(opened, ensure_ascii=False) if opened else "",
            is_new=opened is None,
            identity=identity_in(asked.posted) or asked.home.new_id(),
            kept=record_url(page.name, kept) if kept else "",
            back=back,
            focus=focus,
            multipart=has_attachments(page.layout),
        )


def was_applied(asked: PageRequest, identity: str) -> bool:
    """Say whether the envelope of a form has been applied already: it was sent twice."""
    if asked.method != "POST" or not identity:
        return False
    return asked.home.first_receipt(asked.user, identity) is not None


def has_attachments(form: Form) -> bool:
    """Say whether a form takes files."""
    return any(f.kind in ATTACHMENT_KINDS for each in form.forms() for f in each.fields.values())


def _links(asked: PageRequest, session: Session) -> Links:
    return Links(session, asked.home.app, asked.user)


def _record(asked: PageRequest, session: Session, page: Page) -> Any:
    """Return the record of the address; raises `NotFound`, also where it is out of scope."""
    key = key_from_text(page.spec, asked.at["key"])
    record = None if key is None else load(session, page.spec, key)
    if record is None or not is_in_scope(session, page, asked.user, page.spec.key_of(record)):
        raise NotFound([problem(Code.NOT_FOUND)])
    return record


def _moved(asked: PageRequest, page: Page, below: str = "") -> Response | None:
    """Lead from an address with a temporary key to the record's real one."""
    key = key_from_text(page.spec, asked.at["key"])
    if key is None or len(key) != 1 or not is_temporary(key[0]):
        return None
    real = asked.home.real_key(page.spec.name, key[0])
    if real is None or real == key[0]:
        return None
    done = f"?done={asked.query['done']}" if "done" in asked.query else ""
    return RedirectResponse(record_url(page.name, [real]) + below + done, 303)
