"""`fieldpost user reset-factors` and `give-back`: for who has lost them, and who was robbed."""

from typing import Any

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.factors import authenticators, recovery_codes
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

WAYS = (tables.authenticator, tables.recovery_code, tables.passkey, tables.half_sign_in)


def equip(office: Any, name: str) -> None:
    """Give somebody an authenticator app, a passkey, recovery codes, a link, a half sign-in."""

    def work(session: Session) -> None:
        identity, text = authenticators.propose(session, name, None)
        code = pyotp.TOTP(text).at(utc_now())
        assert authenticators.confirm(session, name, identity, code, "Phone", None)
        recovery_codes.make_codes(session, name)
        key = {"id": f"k-{name}", "site": "localhost", "handle": name, "credential": name}
        rest = {"name": "Key", "public_key": "", "counter": 0}
        columns = {column.name for column in tables.passkey.c}
        values = {k: v for k, v in {**key, **rest, "user": name}.items() if k in columns}
        session.execute(sa.insert(tables.passkey).values(**values))
        session.execute(sa.insert(tables.identity).values(issuer="x", subject=name, user=name))

    office.write(work)
    office.client().post("/sign-in", data={"name": name, "password": "correct horse"})


def left(office: Any, *ways: sa.Table) -> list[str]:
    """Return what still lets somebody in, as table and user."""
    found = {
        f"{table.name} {row[0]}"
        for table in ways
        for row in office.rows(sa.select(table.c.user).distinct())
    }
    return sorted(each.removeprefix("fieldpost_") for each in found)


def events(office: Any) -> list[tuple[str, str, str]]:
    table = tables.security_event
    query = sa.select(table.c.what, table.c.whom, table.c.address).order_by(table.c.id)
    return [row for row in office.rows(query) if row[2] == "command line"]


def test_second_factors_are_reset_by_command(office: Any, command: Any) -> None:
    """All of hers end and nobody else's, also while she is off; the log says so (R52, R65)."""
    equip(office, "dora")
    equip(office, "bert")
    status, words = command("user", "reset-factors", "DORA")

    assert (0, "Removed 2 second factors of DORA.\n") == (status, words)
    assert [f"{t.name.removeprefix('fieldpost_')} bert" for t in sorted(WAYS, key=str)] == left(
        office, *WAYS
    )
    assert "second factors" not in office.client("dora").get("/sign-in/second").text
    assert 0 == command("user", "off", "bert")[0]
    assert 0 == command("user", "reset-factors", "bert")[0]
    assert [] == left(office, *WAYS)
    assert [
        ("second factors reset", "dora", "command line"),
        ("switched off", "bert", "command line"),
        ("second factors reset", "bert", "command line"),
    ] == events(office)
    assert 1 == command("user", "reset-factors", "nobody")[0]


def test_an_account_is_given_back_by_command(office: Any, command: Any) -> None:
    """One command ends every way in, and prints the one that is left (R46, R65)."""
    equip(office, "dora")
    session = office.client("bert")
    equip(office, "bert")
    status, words = command("user", "give-back", "dora")
    link = words.split("/invitation?code=")[1].split()[0]

    everything = (*WAYS, tables.identity, tables.session)
    assert 0 == status
    assert [] == [each for each in left(office, *everything) if each.endswith(" dora")]
    assert 200 == session.get("/account", headers={"Fieldpost-Shell": "1"}).status_code
    assert 422 == _try(office, "dora", "correct horse").status_code
    form = {"code": link, "password": "four words of mine"}
    assert 303 == office.client().post("/invitation", data=form).status_code
    assert 303 == _try(office, "dora", "four words of mine").status_code

    assert 0 == command("user", "off", "bert")[0]
    status, words = command("user", "give-back", "bert")
    assert (0, True, False) == (status, "gets no invitation" in words, "code=" in words)
    assert ["account given back"] * 2 == [e[0] for e in events(office) if e[0] != "switched off"]


def _try(office: Any, name: str, password: str) -> Any:
    return office.client().post("/sign-in", data={"name": name, "password": password})
