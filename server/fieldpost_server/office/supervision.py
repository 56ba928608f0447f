"""The pages of supervisors: all envelopes, with what became of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.routing import Route

from fieldpost.app import App
from fieldpost.errors import Code, Forbidden, problem
from fieldpost.moments import moment_of
from fieldpost.text.casefolding import folded
from fieldpost.users import User
from fieldpost.web.display.outcomes import OUTCOMES
from fieldpost.web.framework.requests import PageRequest, endpoint
from fieldpost.web.framework.templates import DONE_WORDS
from fieldpost.web.lists.list_pages import search_words
from fieldpost.web.repair.envelope_page import entry_page
from fieldpost.wording.titles import search_parts
from fieldpost_server.accounts.users import display_names
from fieldpost_server.home import ServerHome
from fieldpost_server.inbox.audit_trail import described, is_open, state_of
from fieldpost_server.inbox.dependencies import envelopes_query, is_done
from fieldpost_server.office.pages import server_page
from fieldpost_server.restore.restore_notices import restore_notices
from fieldpost_server.storage import tables

PAGE_ROWS = 50
_ENVELOPE = tables.envelope
_CODES = (_ENVELOPE.c.device, _ENVELOPE.c.id)


@dataclass(frozen=True, slots=True)
class Line:
    """One envelope of the list: the page, what its record is called, what it does, who saved it."""

    row: Any
    page: str
    title: str
    done: str
    who: str
    outcome: str
    state: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is asked for.

    Attributes:
        show: 'attention' or 'all'.
        search: words that must all occur in user, device, id or the title of the page.
        before: the last line of the page before: moment of arrival and id.
    """

    show: str = "attention"
    search: str = ""
    before: tuple[datetime, str] | None = None


def supervision_routes(home: ServerHome) -> list[Route]:
    """Return the routes below ``/envelopes``."""

    def shown_list(asked: PageRequest) -> Response:
        return _list(asked, home)

    return [
        Route("/envelopes", endpoint(home, shown_list)),
        Route("/envelopes/{envelope}", endpoint(home, _entry)),
    ]


def _entry(asked: PageRequest) -> Response:
    _check(asked)
    return entry_page(asked)


def _check(asked: PageRequest) -> None:
    if not asked.user.is_supervisor:
        raise Forbidden([problem(Code.FORBIDDEN)])


def _list(asked: PageRequest, home: ServerHome) -> Response:
    _check(asked)
    wanted = _wanted(asked)
    with home.session() as session:
        rows = listed(session, home.app, wanted, PAGE_ROWS + 1)
        count = open_count(session)
        notices = restore_notices(session) if asked.user.is_admin else []
        lines = list(_lines(home, session, asked.user, rows[:PAGE_ROWS]))
    return server_page(
        home,
        asked.user,
        "envelopes.html",
        lines=lines,
        wanted=wanted,
        count=count,
        notices=notices,
        newest=_address(wanted) if wanted.before else "",
        older=_address(wanted, lines[-1].row) if len(rows) > PAGE_ROWS else "",
        done=DONE_WORDS.get(asked.query.get("done", ""), ""),
    )


def listed(session: Session, app: App, wanted: Wanted, limit: int) -> list[Any]:
    """Return envelopes in the order in which they arrived, the newest first."""
    query = envelopes_query()
    if wanted.show == "attention":
        query = query.where(sa.not_(is_done()))
    if parts := search_parts(wanted.search):
        users = session.scalars(sa.select(_ENVELOPE.c.user).distinct()).all()
        pages = session.scalars(sa.select(_ENVELOPE.c.page).distinct()).all()
        titles = {name: _title(app, name) for name in pages}
        for part in parts:
            found = [
                _ENVELOPE.c.user.in_([user for user in users if part in folded(user)]),
                _ENVELOPE.c.page.in_([n for n in pages if part in folded(titles[n])]),
                *(sa.func.lower(code).contains(part, autoescape=True) for code in _CODES),
            ]
            query = query.where(sa.or_(*found))
    if wanted.before is not None:
        moment, identity = wanted.before
        arrived = _ENVELOPE.c.received_at
        same = sa.and_(arrived == moment, _ENVELOPE.c.id < identity)
        query = query.where(sa.or_(arrived < moment, same))
    query = query.order_by(_ENVELOPE.c.received_at.desc(), _ENVELOPE.c.id.desc())
    return list(session.execute(query.limit(limit)))


def open_count(session: Session) -> int:
    """Return how many envelopes need somebody."""
    query = envelopes_query().where(sa.not_(is_done())).with_only_columns(sa.func.count())
    return session.scalar(query) or 0


def _lines(home: ServerHome, session: Session, user: User, rows: list[Any]) -> Iterator[Line]:
    names = display_names(session, {row.user for row in rows})
    for row in rows:
        standing = OUTCOMES[state_of(row)]
        title, done = described(session, home.app, user, row)
        yield Line(
            row,
            _title(home.app, row.page),
            title,
            done,
            names.get(row.user, row.user),
            standing.name,
            standing.state,
            is_open(row),
        )


def _title(app: App, name: str) -> str:
    """Return what the list shows of a page."""
    page = app.present_page(name)
    return page.title if page else name


def _wanted(asked: PageRequest) -> Wanted:
    show = "all" if asked.query.get("show") == "all" else "attention"
    return Wanted(show, search_words(asked.query.get("q", "")), _before(asked.query))


def _before(query: Any) -> tuple[datetime, str] | None:
    moment, _, identity = query.get("before", "").partition(" ")
    found = moment_of(moment)
    return (found, search_words(identity)) if found is not None and identity else None


def _address(wanted: Wanted, last: Any = None) -> str:
    asked = {"show": wanted.show, "q": wanted.search}
    if last is not None:
        asked["before"] = f"{last.received_at.isoformat()} {last.id}"
    return f"/envelopes?{urlencode({n: v for n, v in asked.items() if v})}"
