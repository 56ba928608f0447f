"""What a user may not read holds a mark: nothing that is answered to her has one (R8, R34, R67)."""

import hashlib
import itertools
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import tenants
from fieldpost.types import Attachment
from fieldpost.wire.envelope import Operation
from fieldpost_server.accounts.users import add_user

pytestmark = pytest.mark.long

PASSWORD = "correct horse"
SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}
WORKERS, OTHERS = ("anna", "bert"), ("dora", "lead", "admin", "boss")
MORE = {"lead": ["Supervisor"], "boss": ["Boss"]}
MARK = re.compile(rb"mk\.(\w+)\.(\w+)\.(\w+)\.")
NUMBERS = {730_000_001: ("salary", "1", "amount"), 730_000_002: ("salary", "2", "amount")}
NUMBERS |= {510_000_001: ("client", "1", "rating"), 510_000_002: ("client", "2", "rating")}

OF_ANNA = {"client": {"1"}, "job": {"1", "3"}, "part": {"1"}, "check": {"1"}}
OF_BERT = {"client": {"2"}, "job": {"2"}, "part": {"2"}, "check": {"2"}}
OWN = {
    "anna": {**OF_ANNA, "incident": {"1"}, "line": {"1"}},
    "bert": {**OF_BERT, "incident": {"2"}, "line": {"2"}},
}
"""Which rows a worker may read, by table and key."""

SHOWN = {
    "client": {"name", "rating"},
    "job": {"title"},
    "part": {"text"},
    "check": {"result"},
    "incident": {"what"},
    "line": {"text"},
}
"""Which columns pages show of them. Of a salary everybody who pays by it has key and title."""

TITLES = {"salary": {"person", "season"}}

SAVED = {"bert": {"bert", "lead", "admin"}, "boss": {"boss"}, "anna": {"anna", "lead", "admin"}}
"""Who may read what each of them has saved and could not be applied."""

FILES = {"anna": {"anna", *OTHERS}, "bert": {"bert", *OTHERS}, "loose": {"bert"}}
"""Who may read the file of each job, and one that no record refers to."""


def may_read(user: str, table: str, key: str, column: str) -> bool:
    if table == "saved":
        return user in SAVED[key]
    if table == "file":
        return user in FILES[key]
    if table in TITLES and (column in TITLES[table] or user == "boss"):
        return True
    if column not in SHOWN.get(table, ()):
        return False
    return user in OTHERS or key in OWN[user][table]


def mark(table: str, key: object, column: str) -> str:
    return f"mk.{table}.{key}.{column}."


def content(name: str) -> bytes:
    return mark("file", name, "content").encode()


def digest(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()


def fill(session: Session) -> None:
    """Add rows of both workers; every text that is not a name is a mark."""
    for n, owner in enumerate(WORKERS, start=1):
        values = {name: mark("client", n, name) for name in ("name", "iban", "note")}
        session.add(tenants.Client(id=n, owner=owner, rating=510_000_000 + n, **values))
        paid = {name: mark("salary", n, name) for name in ("person", "season")}
        session.add(tenants.Salary(id=n, amount=730_000_000 + n, **paid))
    session.flush()
    for n, owner, client in ((1, "anna", 1), (2, "bert", 2), (3, "anna", 2)):
        texts = {name: mark("job", n, name) for name in ("title", "hidden_flag")}
        has = {"client_id": client, "paid_by_id": client, "worker": owner}
        session.add(tenants.Job(id=n, **texts, **has))
    session.flush()
    for n, owner in enumerate(WORKERS, start=1):
        texts = {name: mark("part", n, name) for name in ("text", "cost")}
        check = tenants.Check(id=n, result=mark("check", n, "result"))
        session.add(tenants.Part(id=n, job_id=n, **texts, checks=[check]))
        line = tenants.Line(id=n, text=mark("line", n, "text"))
        what = mark("incident", n, "what")
        session.add(tenants.Incident(id=n, what=what, reporter=owner, lines=[line]))
    session.add(tenants.Ledger(id=1, entry=mark("ledger", 1, "entry")))


@dataclass
class Watch:
    """Looks for marks in all that one user is answered."""

    office: Any
    user: str
    found: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)

    def look(self, where: str, data: bytes) -> None:
        found = [tuple(part.decode() for part in each) for each in MARK.findall(data)]
        found += [each for number, each in NUMBERS.items() if str(number).encode() in data]
        self.seen |= set(MARK.findall(data))
        for table, key, column in found:
            if not may_read(self.user, table, key, column):
                self.found.append(f"{self.user} reads {table} {key} {column} at {where}")

    def ask(self, client: Any, method: str, address: str, **how: Any) -> Any:
        answer = client.request(method, address, headers=SHELL, **how)
        assert answer.status_code < 500, (address, answer.text)
        self.look(f"{method} {address}", answer.content + str(answer.headers).encode())
        return answer


@pytest.fixture
def office(open_office: Any) -> Any:
    """A server of tenants, with envelopes and files of several people."""
    made = open_office(
        tenants.app, fill, ("client", "salary", "job", "part", '"check"', "incident", "line")
    )
    for name, roles in MORE.items():
        made.write(
            lambda session, name=name, roles=roles: add_user(
                session, name, PASSWORD, roles=roles, known_roles=tenants.app.roles, seats=100
            )
        )
    return made


@dataclass(frozen=True)
class Saved:
    """What was saved before anybody looks."""

    envelopes: list[str]
    files: list[str]


@pytest.fixture
def saved(office: Any) -> Saved:
    """Files of both workers' jobs, one of nobody's, and an envelope of each that is refused."""
    ids = []
    for n, name in enumerate(WORKERS, start=1):
        device = office.device(name, download=False)
        assert 204 == device.upload(content(name), "text/plain").status_code
        told = Attachment(digest(name), len(content(name)), "text/plain", "notes.txt").to_json()
        update = Operation("update", "job", (n,), {"files": told}, {"files": None})
        receipts = device.push(
            device.envelope(update, page="job", attachments=(digest(name),)),
            refused := device.envelope(
                Operation(
                    "insert",
                    "job",
                    (-1,),
                    {"title": mark("saved", name, "title"), "client_id": 99},
                ),
                page="job",
            ),
        )
        assert ["accepted", "invalid"] == [each["outcome"] for each in receipts], receipts
        ids.append(refused.id)
    device.upload(content("loose"), "text/plain")
    boss = office.device("boss", download=False)
    pay = {"person": mark("saved", "boss", "person"), "amount": "x"}
    refused = boss.envelope(Operation("insert", "salary", (-1,), pay), page="salary")
    (receipt,) = boss.push(refused)
    assert "invalid" == receipt["outcome"], receipt
    return Saved([*ids, refused.id], [digest(name) for name in FILES])


def addresses(office: Any, saved: Saved) -> list[tuple[str, str]]:
    """Return method and address of every route, with all that its parameters can be here.

    What changes something comes last.
    """
    values = {
        "page": list(tenants.app.pages),
        "key": ["1", "2", "3", "99"],
        "envelope": saved.envelopes,
        "sha256": saved.files,
        "user": ["anna", "dora"],
    }
    found = []
    for route in office.application.routes:
        names = re.findall(r"{(\w+)}", route.path)
        # a parameter that nobody has thought of here fails: say above what it can be
        for chosen in itertools.product(*(values[name] for name in names)):
            address = route.path.format(**dict(zip(names, chosen, strict=True)))
            found += [(method, address) for method in route.methods - {"PUT", "PATCH"}]
    found = [(method, address) for method, address in found if address != "/sign-out"]
    return sorted(found)


@pytest.mark.parametrize("user", [*WORKERS, *OTHERS])
def test_no_route_tells_what_its_user_may_not_read(
    office: Any, saved: Saved, caplog: pytest.LogCaptureFixture, user: str
) -> None:
    """All routes, with every page, record, entry and file in their addresses; and the log."""
    watch, client = Watch(office, user), office.client(user)
    for method, address in addresses(office, saved):
        watch.ask(client, method, address)
    for page, key in itertools.product(tenants.app.pages, ("1", "2", "3")):
        for sort in ("iban", "-amount", "hidden_flag", "note", "client", "-paid_by"):
            watch.ask(client, "GET", f"/pages/{page}?sort={sort}&show=all")
        chosen = {"client": key, "paid_by": key, "title": "x", "parts[0]._key": f"[{key}]"}
        opened = f'{{"key": [{key}], "values": {{}}, "children": {{}}, "base": ""}}'
        for action in ("show", "save"):
            form = {**chosen, "_action": action}
            watch.ask(client, "POST", f"/pages/{page}/new", data=form)
            forged = {**form, "_opened": opened}
            watch.ask(client, "POST", f"/pages/{page}/records/{key}/edit", data=forged)

    assert "" == "\n".join(watch.found)
    assert watch.seen, "nothing was looked at"
    assert MARK.search(caplog.text.encode()) is None


@pytest.mark.parametrize("user", [*WORKERS, *OTHERS])
def test_no_device_has_what_its_user_may_not_read(office: Any, saved: Saved, user: str) -> None:
    """Image, pull and receipts, in the bytes and in every value of every table."""
    watch, device = Watch(office, user), office.device(user)
    image = device.replica.image()
    watch.look("the image's bytes", image)
    kept = sqlite3.connect(":memory:")
    kept.deserialize(image[:18] + b"\1\1" + image[20:])
    for (table,) in kept.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in kept.execute(f'SELECT * FROM "{table}"'):
            watch.look(f"the image's table {table}", repr(row).encode())
    kept.close()
    watch.look("a pull", device.ask(replace=list(tenants.app.tables)).content)
    for operation, page in attempts():
        (receipt,) = device.push(device.envelope(operation, page=page))
        if user in WORKERS or operation.model == "client":
            watch.look(f"the receipt of {operation.do} {operation.model}", repr(receipt).encode())

    assert "" == "\n".join(watch.found)
    assert saved


def attempts() -> Iterator[tuple[Operation, str]]:
    """Yield what somebody might try with rows whose keys she guesses."""
    for page in tenants.app.pages.values():
        model = page.spec
        for key, name in itertools.product((1, 2, 3), ("title", "name", "person", "what", "text")):
            if name in model.by_attribute:
                was = {name: "?"}
                yield Operation("update", model.name, (key,), {name: "x"}, was), page.name
                yield Operation("delete", model.name, (key,), {}, was), page.name


@pytest.mark.parametrize("user", WORKERS)
def test_lookups_take_what_their_user_may_see_and_no_other(office: Any, user: str) -> None:
    """A row out of scope is refused with the words of one that is not there (R34)."""
    device, own = office.device(user, download=False), WORKERS.index(user) + 1
    told = {}
    for key in (own, 3 - own, 99):
        values = {"title": "x", "client_id": key}
        (told[key],) = device.push(
            device.envelope(Operation("insert", "job", (-key,), values), page="job")
        )
    problems = [[{**p, "detail": {}} for p in told[key]["problems"]] for key in (3 - own, 99)]

    assert "accepted" == told[own]["outcome"]
    assert ["invalid"] * 2 == [told[key]["outcome"] for key in (3 - own, 99)]
    assert problems[0] == problems[1]
    assert ["no_such_row"] == [p["code"] for p in problems[0]]


@pytest.mark.parametrize("page", ["client", "job", "incident"])
def test_no_order_tells_what_a_page_does_not_show(office: Any, page: str) -> None:
    """Sorted by a column that is not on the page, a list stands as it always does (R10, R67)."""
    client, columns = office.client("dora"), tenants.app.pages[page]
    shown = {f.name for f in (*columns.columns, *columns.layout.fields.values())}

    def order(sort: str) -> list[str]:
        text = client.get(f"/pages/{page}?sort={sort}", headers=SHELL).text
        return re.findall(r'href="(/pages/\w+/records/\d+)"', text)

    usual = order("")
    assert usual
    for name in columns.spec.fields.keys() - shown:
        assert usual == order(f"-{name}") == order(name)


def test_no_search_finds_what_its_user_may_not_see(office: Any) -> None:
    """A title out of scope is no word of the list that points to it (R10, R67)."""
    anna, dora = office.client("anna"), office.client("dora")
    address = f"/pages/job?q={mark('client', 2, 'name')}"

    assert "/pages/job/records/3" not in anna.get(address, headers=SHELL).text
    assert "/pages/job/records/3" in dora.get(address, headers=SHELL).text


def test_a_page_of_another_role_shows_its_own_columns(office: Any) -> None:
    """Where several pages open rows of a model, each opens its own columns of its own rows."""
    office.write(
        lambda session: add_user(
            session,
            "both",
            PASSWORD,
            roles=["Boss", "Offline"],
            known_roles=tenants.app.roles,
            seats=100,
        )
    )
    device = office.device("both")
    columns = (tenants.Client.id, tenants.Client.name, tenants.Client.rating, tenants.Client.owner)
    rows = device.read(sa.select(*columns).order_by(tenants.Client.id))

    assert [(n, mark("client", n, "name"), 510_000_000 + n, None) for n in (1, 2)] == rows
