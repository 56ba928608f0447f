"""The last administrator stays, also where two go at the same moment (R53)."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError
from fieldpost.users import ADMIN
from fieldpost_server.accounts.users import give_role, list_accounts, switch_off, take_role
from fieldpost_server.storage.database import Database

LIMIT_S = 20
_WAITING = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
GOING: dict[str, Callable[[Session, str], None]] = {
    "switched off": switch_off,
    "role taken": lambda session, name: take_role(session, name, ADMIN),
}


def _until_it_waits(database: Database) -> None:
    """Return when somebody waits for a lock; on SQLite only one writes, whoever comes first."""
    end = time.monotonic() + LIMIT_S
    while database.dialect == "postgresql":
        with database.read_session() as session:
            if session.scalar(_WAITING):
                return
        assert time.monotonic() < end, "nobody waits"


@pytest.mark.parametrize("second", GOING)
@pytest.mark.parametrize("first", GOING)
def test_two_administrators_who_go_at_once_do_not_both_go(
    office: Any, first: str, second: str
) -> None:
    """Whoever comes second is told that nobody else would be left (R53)."""
    database, faults = office.database, list[Code]()
    database.write(lambda s: give_role(s, "dora", ADMIN, known_roles=(ADMIN,), seats=100))

    def go() -> None:
        try:
            database.write(lambda session: GOING[second](session, "admin"))
        except InputError as error:
            faults.extend(each.code for each in error.problems)

    going = threading.Thread(target=go)
    with database.write_session() as session:
        GOING[first](session, "dora")
        going.start()
        _until_it_waits(database)
    going.join(LIMIT_S)

    with database.read_session() as session:
        left = [a.user.name for a in list_accounts(session) if a.active and a.user.is_admin]
    assert [Code.LAST_ADMIN] == faults
    assert ["admin"] == left
