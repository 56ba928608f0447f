"""Whatever is uploaded, in any order and by anybody: what counts is whole and sound (R43, R66)."""

import asyncio
import fcntl
import hashlib
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import garbage
from apps.offices import office_like
from fieldpost.errors import InputError
from fieldpost.users import User
from fieldpost_server.attachments.upload_parts import locked
from fieldpost_server.storage import tables
from traces import everything, files, is_refused

pytestmark = pytest.mark.long

MOST = 400
"""The largest attachment, in bytes."""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
CONTENTS = (PNG, b"<svg/>", b"plain", b"", b"x" * (MOST + 1))
TYPES = ("image/png", "IMAGE/PNG; q=1", "image/jpeg", "text/plain", "", "\xff", "a/b/c", "x" * 300)
USERS = ("anna", "bert", "anna")
"""Whose devices there are."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


NOWHERE = ("x", "A" * 64, "0" * 63, "%2e%2e%2f%2e%2e", "0" * 65, "%00" * 64)


@dataclass(frozen=True)
class Call:
    """One call of one device; `content` is what it is about."""

    device: int
    method: str
    content: bytes
    place: str
    start: str
    end: int
    size: str
    type_: str
    name: str
    span: str


calls = st.builds(
    Call,
    st.integers(0, 2),
    st.sampled_from(["PATCH"] * 6 + ["PUT", "PUT", "HEAD", "GET"]),
    st.sampled_from(CONTENTS[:1] * 5 + CONTENTS),
    st.sampled_from(["own"] * 12 + ["other", *NOWHERE]),
    st.sampled_from(["right"] * 12 + ["0", "60"]) | garbage.headers,
    st.sampled_from([0, 60, 208, 208, 208, 500]),
    st.sampled_from(["right"] * 12 + ["0", "100", "401"]) | garbage.headers,
    st.sampled_from(TYPES[:1] * 8 + TYPES),
    st.sampled_from(["a.png", "", "..", "\x00", "a/\x00b", "\u2028", "n" * 300]) | st.text(),
    st.sampled_from(["", "bytes=0-4", "bytes=-5", "bytes=9-1", "bytes=999-", "bytes=0-1,3-4"])
    | st.text("0123456789-=, bytes", max_size=20),
)


@dataclass
class Model:
    """What the store must hold."""

    wholes: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    brought: set[tuple[str, str]] = field(default_factory=set)

    def there(self, user: str, sha256: str) -> int:
        if (user, sha256) in self.brought:
            return len(self.wholes[sha256])
        return len(self.parts.get((user, sha256), b""))

    def files(self) -> dict[str, bytes]:
        found = {f"{sha256[:2]}/{sha256}": content for sha256, content in self.wholes.items()}
        for (user, sha256), content in self.parts.items():
            if content:
                found[f"uploads/{sha256}-{digest(user.encode())[:16]}"] = content
        return found

    def patch(self, user: str, sha256: str, start: str, size: str, type_: str, piece: bytes) -> int:
        """Do what a PATCH does, and return its status."""
        if not all(
            text.isascii() and text.isdecimal() and len(text) < 16 for text in (start, size)
        ):
            return 400
        begin, whole = int(start), int(size)
        if max(begin + len(piece), whole) > MOST:
            return 413
        if (user, sha256) in self.brought:
            return 204
        held = self.parts.get((user, sha256), b"")
        if begin != len(held) or begin + len(piece) > whole:
            return 409
        held += piece
        self.parts[user, sha256] = held
        if len(held) < whole:
            return 204
        del self.parts[user, sha256]
        return self.keep(user, sha256, type_, held) or 204

    def put(self, user: str, sha256: str, type_: str, content: bytes) -> int:
        """Do what a PUT does, and return its status."""
        if len(content) > MOST:
            return 413
        if (user, sha256) in self.brought and digest(content) == sha256:
            return 201
        return self.keep(user, sha256, type_, content) or 201

    def keep(self, user: str, sha256: str, type_: str, content: bytes) -> int:
        if digest(content) != sha256:
            return 422
        kind = type_.partition(";")[0].lower()
        if kind.startswith("image/") and not (kind == "image/png" and content[:4] == PNG[:4]):
            return 415
        self.wholes[sha256] = content
        self.brought.add((user, sha256))
        return 0


class Uploader:
    """Makes calls, and compares each answer and what it left with the model."""

    def __init__(self, office: Any) -> None:
        self.office = office
        self.devices = [office.device(user, download=False) for user in USERS]
        self.model = Model()

    def start_again(self) -> None:
        self.model = Model()
        self.office.run(sa.delete(tables.attachment), sa.delete(tables.attachment_bringer))
        for path in self.office.settings.attachments.rglob("*"):
            if path.is_file():
                path.unlink()

    def make(self, call: Call) -> None:
        device, sha256 = self.devices[call.device], digest(call.content)
        if call.place == "other":
            sha256 = "0" * 64
        address = sha256 if call.place in ("own", "other") else call.place
        before = everything(self.office)
        answer = self._ask(device, call, sha256, address)
        refused = is_refused(answer)

        if address is not sha256:
            # too large a body is refused before anybody looks where it was to go
            wanted = 413 if answer.status_code == 413 and len(self.piece) > MOST else 404
        elif call.method == "HEAD":
            wanted = 200
            assert str(self.model.there(device.user, sha256)) == answer.headers["Upload-Offset"]
        elif call.method == "GET":
            wanted = self._shown(answer, device.user, sha256)
        else:
            wanted = self._written(answer, device, call, sha256)
        assert wanted == answer.status_code, (call, answer.text)
        if refused and wanted not in (415, 422):
            assert before == everything(self.office)
        self._compare()

    def _ask(self, device: Any, call: Call, sha256: str, address: str) -> Any:
        self.start, self.size = call.start, call.size
        if call.start == "right":
            self.start = str(self.model.there(device.user, sha256))
        if call.size == "right":
            self.size = str(len(call.content))
        begin = int(self.start) if self.start.isascii() and self.start.isdecimal() else 0
        self.piece = call.content if call.method == "PUT" else call.content[begin : call.end]
        headers = {
            **device.headers,
            "Upload-Offset": self.start.encode(),
            "Upload-Length": self.size.encode(),
            "Upload-Type": call.type_.encode("latin-1"),
            "Content-Type": call.type_.encode("latin-1"),
        }
        if call.method == "GET" and call.span:
            headers["Range"] = call.span.encode()
        folder = "attachments" if call.method == "PUT" else "sync/attachments"
        return device.client.request(
            call.method,
            f"/{folder}/{address}",
            params={"name": call.name} if call.method == "PUT" else {},
            content=self.piece if call.method in ("PUT", "PATCH") else b"",
            headers=headers,
        )

    def _written(self, answer: Any, device: Any, call: Call, sha256: str) -> int:
        if call.method == "PUT":
            return self.model.put(device.user, sha256, call.type_, call.content)
        there = self.model.there(device.user, sha256)
        wanted = self.model.patch(
            device.user, sha256, self.start, self.size, call.type_, self.piece
        )
        if wanted == 204:
            now = self.model.there(device.user, sha256)
            assert str(now) == answer.headers["Upload-Offset"]
        elif wanted == 409:
            assert {"offset": there} == answer.json()["error"]["detail"]
        return wanted

    def _shown(self, answer: Any, user: str, sha256: str) -> int:
        if (user, sha256) not in self.model.brought:
            return 404
        content = self.model.wholes[sha256]
        assert answer.content == content or (
            answer.status_code == 206 and answer.content in content
        )
        assert "nosniff" == answer.headers["x-content-type-options"]
        return 206 if answer.status_code == 206 else 200

    def _compare(self) -> None:
        assert self.model.files() == files(self.office.settings.attachments)
        kept = {row[0] for row in self.office.rows(sa.select(tables.attachment.c.sha256))}
        assert set(self.model.wholes) == kept


def test_uploads_of_any_kind_leave_what_they_should(office: Any) -> None:
    """Each answer and each file are those of a simple model, refusals leave nothing (R43, R66)."""
    is_sqlite = office.database.engine.dialect.name == "sqlite"
    with office_like(office, max_attachment_bytes=MOST) as small:
        uploader = Uploader(small)

        @settings(
            max_examples=120 if is_sqlite else 20,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(calls, min_size=1, max_size=8))
        def send(made: list[Call]) -> None:
            uploader.start_again()
            for call in made:
                uploader.make(call)

        send()


@pytest.mark.parametrize("seed", range(4))
def test_devices_that_upload_the_same_at_once(office: Any, seed: int) -> None:
    """Two users with two devices each, some pieces damaged: no failure, one sound file (R43)."""
    content = PNG + random.Random(seed).randbytes(2_000)
    devices = [office.device(user, download=False) for user in ("anna", "anna", "bert", "bert")]

    async def send(device: Any, chance: random.Random) -> None:
        address = f"/sync/attachments/{digest(content)}"
        for _ in range(400):
            answer = await device.client.asking.head(address, headers=device.headers)
            assert not is_refused(answer)
            begin = int(answer.headers["Upload-Offset"])
            if begin == len(content):
                return
            begin = chance.choice([begin, begin, begin, 0])
            piece = content[begin : begin + chance.choice([100, 1_000, 5_000])]
            if chance.random() < 0.2:
                piece = piece[::-1]
            headers = {"Upload-Offset": str(begin), "Upload-Length": str(len(content))}
            headers |= {"Upload-Type": "image/png", **device.headers}
            answer = await device.client.asking.patch(address, content=piece, headers=headers)
            assert not is_refused(answer) or answer.status_code in (409, 422)
        raise AssertionError("an upload never came to its end")

    async def everybody() -> None:
        chances = (random.Random(seed * 10 + number) for number in range(4))
        await asyncio.gather(*map(send, devices, chances))

    asyncio.run(everybody())

    shown = devices[0].client.get(f"/attachments/{digest(content)}")
    assert content == shown.content
    assert 1 == len(office.rows(sa.select(tables.attachment)))


def test_who_waited_for_a_part_that_was_thrown_away_begins_anew(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece is never written into a file that is not the upload any more (R43)."""
    store, user, waits = office.home.store, User("anna"), threading.Event()
    lock = fcntl.flock
    answers: list[Any] = []

    def noted(file: Any, how: int) -> None:
        if threading.current_thread() is waiter:
            waits.set()
        lock(file, how)

    def send() -> None:
        try:
            answers.append(store.append(digest(PNG), user, 0, len(PNG), "image/png", PNG))
        except InputError as error:
            answers.append(error)

    waiter = threading.Thread(target=send)
    monkeypatch.setattr(fcntl, "flock", noted)
    part = store._part(digest(PNG), user)
    with locked(part) as file:
        file.write(b"damaged")
        waiter.start()
        assert waits.wait(30)
        part.unlink()
    waiter.join(30)

    assert [len(PNG)] == answers
    assert PNG == store.path(digest(PNG)).read_bytes()


def test_a_wrong_address_keeps_no_file(office: Any) -> None:
    """A whole file under another digest than its own is refused and not kept (R66)."""
    client = office.client("dora")
    before = everything(office)
    for place in ("0" * 64, "x", "A" * 64):
        assert is_refused(client.request("PUT", f"/attachments/{place}", content=PNG))

    assert before == everything(office)
