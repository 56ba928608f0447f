"""A worker is never stuck: each message that she can meet stands beside a next step (R22, R24)."""

import html
import re
from typing import Any

import pytest

from fates import Fate, fall, said
from fieldpost.errors import Code, Forbidden, InputError, NotFound
from fieldpost.odp.form.processor import Processed
from fieldpost.web.forms import record_pages
from fieldpost.web.lists import list_pages
from fieldpost.wire.receipts import Outcome
from fieldpost_client.sync.contact import refusal
from fieldpost_client.sync_status import (
    BUSY,
    IDENTITY_CHANGED,
    OFFLINE,
    SIGNED_OUT,
    TROUBLE,
    UNVERIFIED,
)

pytestmark = pytest.mark.long

LIST = "/pages/inspection"
EDIT = f"{LIST}/records/1/edit"

IN_A_FORM = frozenset(
    {
        Code.REQUIRED,
        Code.NOT_A_NUMBER,
        Code.NOT_A_WHOLE_NUMBER,
        Code.NOT_A_DATE,
        Code.NOT_A_TIME,
        Code.NOT_A_MOMENT,
        Code.NOT_A_YES_OR_NO,
        Code.NOT_A_CHOICE,
        Code.NOT_TEXT,
        Code.NOT_AN_ID,
        Code.NOT_AN_ATTACHMENT,
        Code.NOT_THE_FILE,
        Code.NOT_A_PICTURE,
        Code.TOO_SMALL,
        Code.TOO_LARGE,
        Code.TOO_SHORT,
        Code.TOO_LONG,
        Code.NOT_A_MULTIPLE,
        Code.TOO_MANY_DIGITS,
        Code.AMBIGUOUS_NUMBER,
        Code.HOUR_TWICE,
        Code.HOUR_SKIPPED,
        Code.CHECK_FAILED,
        Code.CHECK_BROKEN,
        Code.UNREADABLE,
        Code.TAKEN_OVER,
        Code.NOT_ALLOWED,
        Code.NO_SUCH_ROW,
        Code.NOT_UNIQUE,
        Code.RULE,
        Code.RULE_FAILED,
        Code.SAVED_ALREADY,
        Code.STORAGE_FULL,
        Code.STORAGE_FAILED,
        Code.TOO_BIG,
        Code.QUOTA_USED,
        Code.UNEXPECTED,
    }
)
"""Said at a field or above the form, which keeps everything: it is corrected and saved again."""

OF_AN_ENTRY = frozenset(
    {
        *IN_A_FORM,
        Code.STILL_REFERRED_TO,
        Code.MALFORMED,
        Code.TOO_DEEP,
        Code.UNKNOWN_FORMAT,
        Code.WRONG_DIGEST,
        Code.WRONG_DEVICE,
        Code.WRONG_USER,
        Code.WRONG_APP,
        Code.BROKEN_CHAIN,
        Code.NUMBER_TAKEN,
        Code.OTHER_CONTENT,
        Code.ID_TAKEN,
        Code.UNKNOWN_PAGE,
        Code.UNKNOWN_MODEL,
        Code.UNKNOWN_FIELD,
        Code.PAGE_FORBIDDEN,
        Code.OPERATION_FORBIDDEN,
        Code.FIELD_FORBIDDEN,
        Code.ROW_FORBIDDEN,
        Code.CHANGED_BY_OTHERS,
        Code.DELETED_BY_OTHERS,
        Code.ROWS_CHANGED_BY_OTHERS,
        Code.MADE_SINCE,
        Code.CHANGED_AGAIN,
        Code.LOOKS_MISSING,
        Code.RULES_CHANGED,
        Code.MODEL_CHANGED,
        Code.TEMPORARY_TAKEN,
        Code.DEPENDS_ON_DISCARDED,
        Code.ALREADY_APPLIED,
        Code.ALREADY_SETTLED,
        Code.NOT_YOUR_ENVELOPE,
        Code.REPLAY_FAILED,
        Code.FILE_REFUSED,
        Code.FILE_GONE,
    }
)
"""Said of an entry that needs attention: it is repaired, or read and discarded."""

OF_WAITING = frozenset(
    {
        Code.PREDECESSOR_MISSING,
        Code.PREDECESSOR_OPEN,
        Code.ATTACHMENT_MISSING,
        Code.NOT_SENT,
        Code.FILE_NOT_SENT,
        Code.QUOTA_USED,
        Code.REFUSED_FULL,
    }
)
"""Said of an entry that waits: the next sync brings what it waits for, or it is discarded."""

ON_A_PAGE = frozenset(
    {
        Code.FORBIDDEN,
        Code.NOT_FOUND,
        Code.METHOD_NOT_ALLOWED,
        Code.NO_SUCH_ENVELOPE,
        Code.UNKNOWN_PAGE,
        Code.PAGE_FORBIDDEN,
        Code.MALFORMED,
        Code.FOREIGN_ORIGIN,
        Code.FOREIGN_HOST,
        Code.TOO_SLOW,
        Code.SCOPE_FAILED,
        Code.SERVER_TROUBLE,
        Code.UNEXPECTED,
    }
)
"""Said instead of a page: it leads to the list, the entries, or the start."""

OF_A_SYNC = {
    Code.UNREACHABLE: OFFLINE,
    Code.NOT_OURS: OFFLINE,
    Code.SERVER_TROUBLE: OFFLINE,
    Code.OFFICE_BUSY: BUSY,
    Code.QUOTA_USED: TROUBLE,
    Code.SIGNED_OUT: SIGNED_OUT,
    Code.RECEIPT_UNVERIFIED: UNVERIFIED,
    Code.IDENTITY_CHANGED: IDENTITY_CHANGED,
    Code.DEVICE_REVOKED: TROUBLE,
    Code.DEVICE_OF_ANOTHER: TROUBLE,
    Code.UNKNOWN_PROTOCOL: TROUBLE,
    Code.RESTORE_UNCONFIRMED: TROUBLE,
    Code.STORAGE_FULL: TROUBLE,
    Code.STORAGE_FAILED: TROUBLE,
    Code.UNEXPECTED: TROUBLE,
}
"""Said when a sync stops: the button says so and syncs, and the work can be saved as a file."""

BESIDE_A_SYNC = frozenset({Code.TABLE_UNDECIDED, Code.TABLE_UNREAD})
"""Said of a sync that went through, and on the page of entries: the next sync tries again
(`tests/client/sync/test_failed_tables.py`)."""

AT_THE_DOOR = frozenset(
    {
        Code.SIGN_IN_FAILED,
        Code.SIGN_IN_THROTTLED,
        Code.SIGN_IN_BUSY,
        Code.QUOTA_USED,
        Code.ACCOUNT_OFF,
        Code.PASSWORD_DUE,
        Code.PASSWORD_WRONG,
        Code.INVITATION_OVER,
        Code.CODE_WRONG,
        Code.SIGN_IN_OVER,
        Code.FACTOR_DUE,
        Code.FACTOR_NEEDED,
        Code.FACTORS_FULL,
        Code.FACTOR_UNREADABLE,
        Code.PASSKEY_FAILED,
        Code.PASSKEYS_ELSEWHERE,
        Code.CONFIRM_FIRST,
        Code.PROVIDER_FAILED,
        Code.PROVIDER_UNKNOWN,
        Code.PROVIDER_TAKEN,
    }
)
"""Said beside the fields for name and password, or for a new one
(`tests/server/office/test_sign_in.py`, `test_account.py`)."""

TOLD_AFTERWARDS = frozenset(
    {
        Code.OVERWRITTEN,
        Code.ALREADY_DELETED,
        Code.WAS_DISCARDED,
        Code.WAS_SUPERSEDED,
        Code.SYNC_STOPPED,
    }
)
"""Said of an entry that is done: there is nothing to do."""

NOT_FOR_WORKERS = frozenset(
    {
        # devices and servers settle them among themselves
        Code.FORGOTTEN,
        Code.BAD_CURSOR,
        Code.UPLOAD_OFFSET,
        Code.UPLOAD_HASH,
        Code.IMAGE_GONE,
        # for administrators, on the designer's page or the command line
        Code.NO_SEAT_LEFT,
        Code.LAST_ADMIN,
        Code.NO_SUCH_USER,
        Code.NO_SUCH_ROLE,
        Code.NO_SUCH_DEVICE,
        Code.UNKNOWN_DEVICE,
        Code.OWN_ACCOUNT,
        Code.NOT_WAITING,
        Code.USER_EXISTS,
        Code.PASSWORD_TOO_SHORT,
        Code.PASSWORD_COMMON,
        # for authors
        Code.DEFINITION,
        Code.APP_MISSING,
        Code.APP_NOT_IMPORTABLE,
        Code.APP_NOT_FOUND,
        Code.APP_FAILED,
        Code.APP_NOT_ON_DEVICES,
        Code.MODEL_MISFIT,
        Code.NOT_INSTALLED,
        Code.DATABASE_URL,
        Code.DATABASE_UNREACHABLE,
        Code.DATABASE_FAILED,
        Code.FILES_FAILED,
        # for whoever keeps the server
        Code.BACKUP_FAILED,
        Code.BACKUP_BUSY,
        Code.BACKUP_NO_ROOM,
        Code.BACKUP_DAMAGED,
        Code.BACKUP_UNFIT,
        Code.BACKUP_OTHER,
        Code.NO_BACKUP,
        Code.NO_BACKUP_PLACE,
        Code.DATABASE_DAMAGED,
        Code.FILES_MISSING,
        Code.PROGRAM_MISSING,
        Code.RESTORE_TARGET,
        Code.RESTORE_FAILED,
        Code.HALF_RESTORED,
    }
)


def test_every_message_has_its_place() -> None:
    """A new code is met somewhere: here is said where, and that there is a next step."""
    places = (IN_A_FORM, OF_AN_ENTRY, OF_WAITING, ON_A_PAGE, frozenset(OF_A_SYNC), AT_THE_DOOR)
    met = frozenset[Code]().union(*places, BESIDE_A_SYNC, TOLD_AFTERWARDS)

    assert set(Code) == met | NOT_FOR_WORKERS
    assert set() == met & NOT_FOR_WORKERS


def main_of(answer: dict[str, Any]) -> str:
    body: str = answer["body"]
    return html.unescape(body.partition("<main")[2])


@pytest.mark.parametrize("code", sorted(IN_A_FORM))
def test_in_a_form(desk: Any, monkeypatch: pytest.MonkeyPatch, code: Code) -> None:
    """Said with everything that was typed, a link to its field, and the buttons to go on."""
    fault = said(code, "score")
    monkeypatch.setattr(record_pages, "process", lambda *_, **__: Processed((fault,)))
    fields = desk.form(EDIT)
    main = main_of(desk.post(EDIT, {**fields, "remarks": "As typed"}))

    assert fault.message in main
    assert 'href="#f-score"' in main
    assert "As typed" in main
    assert re.search(r'value="save">Save<', main)


@pytest.mark.parametrize("code", sorted(OF_AN_ENTRY))
def test_of_an_entry(desk: Any, code: Code) -> None:
    """Said on the sync page and on its own, with *Repair* that opens, and with *Discard*."""
    desk.save(EDIT, score="17")
    fall(desk, Fate("refused", Outcome.INVALID, (code,)))
    (entry,) = desk.home.outbox.entries.values()
    identity = entry.envelope.id
    for path in ("/sync", f"/entries/{identity}", f"{LIST}/records/1"):
        main = main_of(desk.get(path))
        assert said(code).message in main, path
        assert f'href="/repair/{identity}"' in main, path
    repair = desk.get(f"/repair/{identity}")
    discard = desk.get(f"/repair/{identity}/discard")

    assert (200, 200) == (repair["status"], discard["status"])
    assert f'href="/repair/{identity}/discard"' in main_of(repair)
    assert "Discard for good</button>" in main_of(discard)
    assert 303 == desk.post(f"/repair/{identity}/discard", {})["status"]


@pytest.mark.parametrize("code", sorted(OF_WAITING))
def test_of_an_entry_that_waits(desk: Any, code: Code) -> None:
    """It says what it waits for; a sync can be started, and it can be discarded."""
    desk.save(EDIT, score="17")
    fall(desk, Fate("held up", Outcome.WAITING, (code,)))
    (entry,) = desk.home.outbox.entries.values()
    main = main_of(desk.get("/sync"))
    own = main_of(desk.get(f"/entries/{entry.envelope.id}"))

    assert said(code).message in main
    assert "data-sync>Start a sync</button>" in main
    assert f'href="/repair/{entry.envelope.id}/discard"' in own


@pytest.mark.parametrize("error", [InputError, Forbidden, NotFound])
def test_instead_of_a_page(
    desk: Any, monkeypatch: pytest.MonkeyPatch, error: type[InputError]
) -> None:
    """The page that says it leads to the list and to the start."""
    for code in sorted(ON_A_PAGE):

        def fail(*_: Any, found: Code = code) -> None:
            raise error([said(found)])

        monkeypatch.setattr(list_pages, "run_list", fail)
        main = main_of(desk.get(LIST))

        assert said(code).message in main
        assert f'href="{LIST}">All inspections</a>' in main, code
        assert 'href="/">Back to the start</a>' in main, code


def test_what_nobody_expected_can_be_tried_again(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the app's own code fails, the page offers to try again, and ways on."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(list_pages, "run_list", fail)
    answer = desk.get(LIST)

    assert 500 == answer["status"]
    assert f'href="{LIST}">Try again</a>' in main_of(answer)
    assert 'href="/">Back to the start</a>' in main_of(answer)


@pytest.mark.parametrize("activity", sorted(set(OF_A_SYNC.values())))
def test_of_a_sync(desk: Any, activity: str) -> None:
    """The button says that it did not work, a tap syncs again, and the work is to be had."""
    desk.save(EDIT, score="17")
    desk.home.activity = activity
    status = desk.home.status()
    main = main_of(desk.get("/sync"))

    assert status["state"] in (("waiting",) if activity == BUSY else ("attention", "offline"))
    assert ("", 1) == (status["to"], status["waiting"])
    assert "1 waiting" in status["words"]
    assert "data-sync>Start a sync</button>" in main
    assert "data-export>" in main


@pytest.mark.parametrize(
    ("status", "activity"),
    [(401, SIGNED_OUT), (403, TROUBLE), (400, TROUBLE), (500, TROUBLE), (503, OFFLINE)],
)
def test_a_refused_call_has_words(status: int, activity: str) -> None:
    """Also where the server says nothing of its own."""
    stopped = refusal(status, b"")

    assert activity == stopped.activity
    assert stopped.problem.code in OF_A_SYNC
