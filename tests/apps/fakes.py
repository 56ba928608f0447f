"""A home without a device or a server: the web layer and replay over SQLite in memory."""

import itertools
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from apps.clinic import Kind, Order, Patient, Visit, Ward, app
from fieldpost.app import App
from fieldpost.errors import Code, NotFound, Problem, problem
from fieldpost.home import Story, Submission, SyncEntry, SyncOverview, Trouble, Upload
from fieldpost.odp.replay.replay import replay
from fieldpost.odp.replay.result import Result
from fieldpost.pages import Page
from fieldpost.schema.models import Model
from fieldpost.types import Attachment
from fieldpost.users import User, acting_as
from fieldpost.web.application import web_app
from fieldpost.web.framework.requests import USER
from fieldpost.wire.envelope import Envelope, Operation, read_envelope
from fieldpost.wire.limits import Limits
from fieldpost.wire.receipts import APPLIED, NewKey, Receipt

T = TypeVar("T")

ANNA = User("anna", "Anna", frozenset({"Offline"}))
BERT = User("bert", "Bert", frozenset({"Offline"}))
DOCTOR = User("dora", "Dora", frozenset({"Doctor"}))

ADA = uuid.UUID(int=1)
ERIC = uuid.UUID(int=2)
BERTS = uuid.UUID(int=9)


def rows() -> Iterator[Any]:
    """Yield the rows that a test begins with."""
    yield Ward(code="A 1/2", name="Heart")
    yield Ward(code="B", name="Ärzte")
    yield Patient(id=ADA, name="Ada Ärmel", number="A-1", carer="anna", secret="never tell")
    yield Patient(id=ERIC, name="Eric Özil", number="E-1", carer="anna")
    yield Patient(id=BERTS, name="Berts Own", number="B-1", carer="bert")
    yield Visit(
        id=1,
        patient_id=ADA,
        visited_on=date(2026, 11, 1),
        nurse="anna",
        kind=Kind.first,
        weight=Decimal("70.50"),
        score=50,
        orders=[Order(id=1, group="blood", share=10), Order(id=2, group="urine", share=20)],
    )
    yield Visit(id=2, patient_id=BERTS, visited_on=date(2026, 11, 2), nurse="bert")


def envelope(*operations: Operation, **parts: Any) -> Envelope:
    """Return a sealed envelope of Anna's with these operations."""
    standard: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "device": "d-anna",
        "number": 1,
        "previous": "",
        "app": "clinic",
        "app_version": "",
        "page": "visit",
        "user": "anna",
        "saved_at": "2026-11-23T08:15:04.112+01:00",
        "base": "",
        "attachments": (),
    }
    return Envelope(**{**standard, **parts}, operations=operations).sealed()


class Book:
    """A key book in memory, as the server keeps one in its database."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int], int] = {}

    def real(self, model: str, temporary: int) -> int | None:
        return self.known.get((model, temporary))

    def expect(self, new: Mapping[Model, Sequence[int]]) -> None:
        pass

    def chosen(self, model: str, temporary: int) -> int | None:  # noqa: ARG002 - the protocol's
        return None

    def remember(self, key: NewKey) -> None:
        self.known[key.model, key.temporary] = key.real


class FakeHome:
    """See `fieldpost.home.Home`; everything is kept in memory and nothing waits."""

    kind = "device"

    def __init__(self, described: App = app) -> None:
        self.app = described
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        # newer Pythons warn of a connection that nobody closes
        weakref.finalize(self, self.engine.dispose)
        described.base.metadata.create_all(self.engine)
        self.keys = Book()
        self.envelopes: list[Envelope] = []
        self.uploads: list[Upload] = []
        self.troubles: dict[tuple[str, str], Trouble] = {}
        self.discarded: list[str] = []
        self._numbers = itertools.count(1)

    def add(self, *found: Any) -> None:
        with Session(self.engine) as session, acting_as(ANNA):
            session.add_all(found)
            session.commit()

    def run_sql(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    def session(self) -> AbstractContextManager[Session]:
        return Session(self.engine, expire_on_commit=False)

    def get(self, cls: type[T], *key: Any) -> T | None:
        with self.session() as session:
            return session.get(cls, key)

    def replay(self, sealed: Envelope, user: User = ANNA) -> Result:
        """Apply an envelope as a home does: what is refused leaves nothing behind."""
        with Session(self.engine) as session:
            result = replay(read_envelope(sealed.to_text()), session, self.app, user, self.keys)
            if result.outcome in APPLIED:
                session.commit()
            return result

    def do(self, *operations: Operation, user: User = ANNA, page: str = "visit") -> Result:
        return self.replay(envelope(*operations, page=page, user=user.name), user)

    def commit(self, user: User, submission: Submission) -> Receipt:
        sealed = envelope(
            *submission.operations,
            page=submission.page,
            user=user.name,
            number=next(self._numbers),
            attachments=submission.attachments,
            supersedes=submission.supersedes,
        )
        found = self.replay(sealed, user)
        if found.outcome in APPLIED:
            self.envelopes.append(sealed)
        return Receipt(
            sealed.id,
            sealed.device,
            sealed.number,
            sealed.digest,
            found.outcome,
            found.problems,
            found.keys,
            "",
            found.record,
            found.notes,
        )

    def trouble(self, user: User, envelope: str) -> Trouble:
        """Know of none, unless a test puts one there."""
        try:
            return self.troubles[user.name, envelope]
        except KeyError:
            raise NotFound([problem(Code.NO_SUCH_ENVELOPE, envelope=envelope)]) from None

    def discard(self, user: User, trouble: Trouble) -> tuple[Problem, ...]:
        """Forget it."""
        del self.troubles[user.name, trouble.ids[0]]
        self.discarded += trouble.ids
        return ()

    def story(self, user: User, envelope: str) -> Story:
        """Tell of what could not be applied."""
        trouble = self.trouble(user, envelope)
        first = trouble.envelopes[0]
        entry = SyncEntry(first.id, "Visits", "Visit", "", first.saved_at, "attention", "Kept.")
        return Story(first, entry, trouble.receipt)

    def in_trouble(
        self, *envelopes: Envelope, user: User = ANNA, **parts: Any
    ) -> tuple[str, Trouble]:
        """Try envelopes as an office does, and keep them where they could not be applied."""
        results = [self.replay(each, user) for each in envelopes]
        assert not any(r.outcome in APPLIED for r in results)
        problems = tuple(p for r in results for p in r.problems)
        first = envelopes[0]
        receipt = Receipt(
            first.id, first.device, 1, first.digest, results[0].outcome, results[0].problems
        )
        made = Trouble(
            envelopes,
            receipt,
            problems,
            parts.pop("before", None),
            parts.pop("hanging", ()),
            **parts,
        )
        self.troubles[user.name, first.id] = made
        return f"/repair/{first.id}", made

    @property
    def limits(self) -> Limits:
        return Limits()

    def first_receipt(self, user: User, envelope: str) -> Receipt | None:  # noqa: ARG002
        return None

    def temporary_key(self) -> int:
        return -next(self._numbers) - 100

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def base(self) -> str:
        return "cursor"

    def is_here(self, page: Page, user: User) -> bool:  # noqa: ARG002 - the protocol's
        return True

    def is_offline(self, page: Page) -> bool:
        return page.offline

    def open_entries(self, page: Page) -> Mapping[tuple[Any, ...], SyncEntry]:  # noqa: ARG002
        return {}

    def real_key(self, model: str, temporary: int) -> int | None:
        return self.keys.real(model, temporary)

    def keep_upload(self, upload: Upload, user: User, *, is_picture: bool) -> Attachment:  # noqa: ARG002 - protocol
        self.uploads.append(upload)
        return Attachment("0" * 64, len(upload.content), upload.type, upload.name)

    def sync_overview(self, user: User) -> SyncOverview:  # noqa: ARG002 - the protocol's
        return SyncOverview((), ())

    def asset(self, name: str) -> str:
        return f"/assets/{name}"

    def context(self, user: User) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        return {}

    async def run(self, call: Callable[[], T]) -> T:
        return call()


@dataclass(frozen=True)
class Answer:
    """What the web layer answered."""

    status: int
    headers: Mapping[str, str]
    text: str


class FakeBrowser:
    """Asks the web layer without an event loop: a call that waits for anything fails."""

    def __init__(self, home: FakeHome, user: User = ANNA) -> None:
        self.home = home
        self.user = user
        self.app = web_app(home)

    def get(self, address: str) -> Answer:
        return self._ask("GET", address, b"")

    def post(self, address: str, fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> Answer:
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        return self._ask("POST", address, urlencode(pairs).encode())

    def _ask(self, method: str, address: str, body: bytes) -> Answer:
        path, _, query = address.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("device", 80),
            "http_version": "1.1",
            "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
            USER: self.user,
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        call = self.app(scope, receive, send)
        try:
            call.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("the web layer waited for something that a device does not have")
        start = next(m for m in sent if m["type"] == "http.response.start")
        content = b"".join(m.get("body", b"") for m in sent)
        headers = {k.decode().lower(): v.decode() for k, v in start["headers"]}
        return Answer(start["status"], headers, content.decode())
