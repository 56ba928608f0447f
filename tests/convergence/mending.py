"""What people do about what could not be applied, without drawing the forms."""

from collections.abc import Callable, Mapping
from typing import Any

from fieldpost.errors import NotFound
from fieldpost.home import Home, Trouble
from fieldpost.odp.form.processor import Processed, delete_records, process
from fieldpost.odp.form.rows import Row
from fieldpost.pages import Page
from fieldpost.users import User, acting_as
from fieldpost.web.display.conflict_sides import put_version
from fieldpost.web.framework.requests import PageRequest
from fieldpost.web.repair.repair_cases import Case, Way, case_of

Word = Callable[[], str]


def mend(home: Home, user: User, envelope: str, how: str, word: Word) -> Processed:
    """Repair an envelope keeping 'mine' or 'theirs', or 'discard' it; as `repairing` does it.

    What was settled already is left alone, and what no form can repair is discarded.
    """
    asked = PageRequest(home, user, "POST", f"/repair/{envelope}", {"envelope": envelope}, {})
    try:
        trouble = home.trouble(user, envelope)
    except NotFound:
        return Processed()
    with home.session() as session:
        case = case_of(asked, session, trouble)
    if how == "discard" or case.way is Way.NONE or case.page is None:
        return _discarded(home, user, trouble)
    if case.way is Way.DELETE:
        return delete_records(home, user, case.page, case.deleted, trouble.ids)
    return _filled_in(home, user, case, case.page, how, word)


def _filled_in(home: Home, user: User, case: Case, page: Page, how: str, word: Word) -> Processed:
    with acting_as(user):
        found = case.reconciled(case.theirs)
    if how == "theirs":
        for path in found.marks:
            put_version(found.row, found.marks, f"put:theirs:{path}")
    _corrected(page, found.row, word)
    theirs: Mapping[str, Any] | None = case.theirs
    done = process(home, user, page, found.row, theirs, "", case.trouble.ids)
    if done.is_saved and done.receipt is None:
        return _discarded(home, user, case.trouble)
    return done


def _corrected(page: Page, row: Row, word: Word) -> None:
    """Put right what the rules and the unique columns of the app may have refused.

    Rows that come back although others deleted them are other rows: they get new marks.
    """
    if row.key is None and row.new_key is None:
        row.texts["mark"] = word()
    for item in row.lists.get("items", ()):
        if item.key is None and (item.new_key is None or row.new_key is None):
            item.texts["mark"] = f"{row.texts['mark']}.{word()}"
    if page.name == "errand":
        row.texts["badge"] = ""
        if row.texts.get("closed") == "on":
            row.texts["note"] = row.texts.get("note") or word()
    if page.name == "place" and row.key is None:
        row.texts["code"] = word()


def _discarded(home: Home, user: User, trouble: Trouble) -> Processed:
    return Processed(tuple(home.discard(user, trouble)))
