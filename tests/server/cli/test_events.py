"""What commands change is kept as a security event (R34, R61)."""

from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_server.storage import tables

AT_THE_DOOR = {"signed in", "device registered"}


@pytest.mark.passes(
    "designer-change-unmade",
    "device-revoked-sessions-open",
    "key-retired",
    "timeline-begun-by-hand",
)
def test_what_changes_the_app_or_the_server_is_kept(office: Any, command: Any) -> None:
    """Pages in the designer; and by command, which is where it says it was done (R57, R61)."""
    office.client("admin").post("/designer/pages/visit", data={"offline": "false"})
    device = office.device("anna", download=False)
    for words in (
        ("keys", "rotate", "--distrust"),
        ("db", "restored"),
        ("user", "off", "dora"),
        ("device", "revoke", device.id),
    ):
        assert 0 == command(*words)[0], words
    table = tables.security_event
    query = sa.select(table.c.what, table.c.whom, table.c.address, table.c.who)
    found = [row for row in office.rows(query.order_by(table.c.id)) if row[0] not in AT_THE_DOOR]

    assert ("page changed", "", "127.0.0.1", "admin") == found[0]
    assert [
        ("signing key rotated", ""),
        ("database restored", ""),
        ("switched off", "dora"),
        ("device revoked", "anna"),
    ] == [(what, whom) for what, whom, *_ in found[1:]]
    assert {("command line", "")} == {(address, who) for *_, address, who in found[1:]}
