"""Every answer to an envelope is signed, with a key that all processes share (R32, R33)."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from ed25519 import verified
from fieldpost.errors import DefinitionError
from fieldpost.home import Submission
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost.wire.signatures import endorsed_bytes, signed_bytes
from fieldpost_server.delivery import wheels
from fieldpost_server.operations.housekeeping import tidy
from fieldpost_server.settings import Settings
from fieldpost_server.signing.keyring import public_keys, read_secret, rotate
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

NewVisit = Callable[..., Operation]
SECRET = b"a secret of more than 32 characters"


def keys_of(office: Any) -> dict[str, str]:
    with office.database.read_session() as session:
        return {key.id: key.public for key in public_keys(session)}


def is_signed(office: Any, receipt: dict[str, Any]) -> bool:
    public = base64.b64decode(keys_of(office)[receipt["key"]])
    return verified(public, signed_bytes(receipt), base64.b64decode(receipt["signature"]))


def test_every_outcome_is_signed(
    office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applied or not, kept or not, readable or not: the device can verify it (R33)."""
    device = office.device("anna", download=False)
    first, refused = device.envelope(visit()), device.envelope(visit(-2, nurse="bert"))
    photo = device.envelope(visit(-3), attachments=("0" * 64,))
    other = device.envelope(visit(-4), id=first.id, number=1, previous="")
    foreign = device.envelope(visit(-5), user="bert")
    lines = [first, first, refused, photo, other, foreign, "{", b"\xff"]
    receipts = device.push(*lines)
    monkeypatch.setattr(office.home.inbox, "_received", lambda *_: 1 / 0)
    receipts += device.push(first)

    expected = ["accepted", "duplicate", "forbidden", "waiting", "mismatch", "forbidden"]
    assert [*expected, "invalid", "invalid", "retry"] == [r["outcome"] for r in receipts]
    assert [True] * 9 == [is_signed(office, receipt) for receipt in receipts]
    assert [(None, 7), (None, 8)] == [(r["envelope"], r["line"]) for r in receipts[6:8]]


def test_a_refusal_that_quotes_half_a_character_is_signed(office: Any) -> None:
    """What is signed is what is sent, whatever was in the line (R33)."""
    device = office.device("anna", download=False)
    (receipt,) = device.push('{"format": 2, "\\ud800": 1}')
    assert is_signed(office, receipt)
    signer = office.home.inbox.signer
    quoted = Receipt("e\ud83d", "d", 1, "x\udc00y", Outcome.FORBIDDEN)
    answer = json.loads(signer.answer(quoted))
    assert ("e\ufffd", "x\ufffdy") == (answer["envelope"], answer["digest"])
    assert is_signed(office, answer)


def test_the_ledger_keeps_the_signed_receipt(office: Any, visit: NewVisit) -> None:
    """What the device was told is what the office can show (R32, R33)."""
    device = office.device("anna", download=False)
    made = [device.envelope(visit()), device.envelope(visit(-2, nurse="bert"))]
    told = device.push(*made)
    table = tables.envelope
    query = sa.select(table.c.receipt).where(table.c.device == device.id).order_by(table.c.number)
    kept = [json.loads(text) for (text,) in office.rows(query)]

    assert told == kept


@pytest.mark.passes("device-locked", "repair-applied-rest-waits")
def test_work_online_is_signed_too(office: Any, visit: NewVisit) -> None:
    """The ledger holds no receipt without a signature, whoever saved (R33)."""
    user = User("anna", "", frozenset({"Offline"}))
    receipt = office.home.commit(user, Submission("visit", (visit(),)))
    ((text,),) = office.rows(sa.select(tables.envelope.c.receipt))

    assert receipt.is_applied, receipt
    assert is_signed(office, json.loads(text))


@pytest.mark.passes("checksum-looked-up", "checksum-remembered")
def test_devices_get_the_keys(office: Any) -> None:
    """At registering, with a pull, and when they ask: all the same, the oldest first (R33)."""
    device = office.device("anna")
    first = next(iter(keys_of(office)))
    second = office.database.write(lambda session: rotate(session, None))
    registered = device.register()["signing_keys"]

    assert [first, second] == [key["id"] for key in registered]
    assert registered == device.pull()["signing_keys"]
    answer = device.client.get("/sync/keys", headers=device.headers)
    assert {"signing_keys": registered} == answer.json()
    assert "private" not in answer.text.lower()
    assert 401 == office.client().get("/sync/keys").status_code


def test_the_old_key_vouches_for_the_new_one(office: Any) -> None:
    """It signs the new one, and then its private half is thrown away (R33)."""
    office.home.inbox.signer.ready()
    office.database.write(lambda session: rotate(session, None))
    with office.database.read_session() as session:
        old, new = public_keys(session)
    kept = office.rows(sa.select(tables.signing_key.c.private).order_by("number"))

    assert old.id == new.endorsed_by
    assert old.verifies(endorsed_bytes(new.id, new.public), str(new.endorsement))
    assert (None, None, False) == (old.endorsed_by, old.endorsement, old.distrusted)
    assert old.retired_at is not None
    assert [True, False] == [text == "" for (text,) in kept]


def test_a_running_process_notices_a_new_key(
    office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may rotate while this one serves (R33)."""
    device = office.device("anna", download=False)
    (before,) = device.push(device.envelope(visit()))
    made = office.database.write(lambda session: rotate(session, None))
    monkeypatch.setattr("fieldpost_server.signing.signer.FRESH_S", 0.0)
    (after,) = device.push(device.envelope(visit(-2)))

    assert before["key"] != made == after["key"]
    assert is_signed(office, before)
    assert is_signed(office, after)


def test_a_first_receipt_is_signed_anew_when_it_is_asked_for_again(
    office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that nobody trusts any more would make it worthless (R32, R33)."""
    monkeypatch.setattr("fieldpost_server.signing.signer.FRESH_S", 0.0)
    device = office.device("anna", download=False)
    refused = device.envelope(visit(nurse="bert"))
    (first,) = device.push(refused)
    made = office.database.write(lambda session: rotate(session, None, distrust=True))
    (again,) = device.push(refused)

    assert {**first, "key": made, "signature": again["signature"]} == again
    assert is_signed(office, again)


def test_processes_that_start_at_once_make_one_key(database_url: str) -> None:
    """The first need of several processes leads to one key for all of them (R33)."""
    url = Settings(database=database_url).database_url
    opened = [Database(url) for _ in range(6)]
    tables.metadata.create_all(opened[0].engine)
    signers = [Signer(database) for database in opened]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(Signer.ready, signers))
    receipt = Receipt("e", "d", 1, "x", Outcome.RETRY)

    assert 1 == len({json.loads(signer.answer(receipt))["key"] for signer in signers})
    with opened[0].read_session() as session:
        assert 1 == len(public_keys(session))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda database: database.write(lambda s: rotate(s, None)), opened[:4]))
    with opened[0].read_session() as session:
        found = public_keys(session)
        assert [None, *(key.id for key in found[:-1])] == [key.endorsed_by for key in found]
        assert 5 == len(found)
    for database in opened:
        database.close()


def test_a_secret_keeps_the_key_from_whoever_reads_a_backup(
    fieldpost_database: Database, tmp_path: Path
) -> None:
    """With the setting the database holds the private key encrypted only (R33, R61)."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    Signer(fieldpost_database, str(file)).ready()
    with fieldpost_database.read_session() as session:
        (private,) = session.scalars(sa.select(tables.signing_key.c.private))

    assert "ENCRYPTED" in private
    Signer(fieldpost_database, str(file)).ready()
    fieldpost_database.write(lambda session: rotate(session, read_secret(str(file))))
    for wrong in ("", str(tmp_path / "other")):
        (tmp_path / "other").write_bytes(b"another secret of 32 characters!")
        with pytest.raises(DefinitionError, match="encrypted with another secret"):
            Signer(fieldpost_database, wrong).ready()


def test_a_secret_may_be_set_later(fieldpost_database: Database) -> None:
    """The key goes on as it is, and the next one is encrypted (R33)."""
    fieldpost_database.write(lambda session: rotate(session, None))
    fieldpost_database.write(lambda session: rotate(session, SECRET))
    with fieldpost_database.read_session() as session:
        texts = session.scalars(
            sa.select(tables.signing_key.c.private).order_by(tables.signing_key.c.number)
        ).all()
        first, second = public_keys(session)

    assert ("", True) == (texts[0], "ENCRYPTED" in texts[1])
    assert first.id == second.endorsed_by


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"short", "has 5 characters; it needs 32")]
)
def test_a_bad_secret_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing file or a short secret stops the command in words (R61)."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DefinitionError, match=words):
        read_secret(str(file))


def test_what_cannot_be_signed_is_not_applied(office: Any, visit: NewVisit) -> None:
    """Health says why, and the device sends it again (R26, R33)."""
    device = office.device("anna", download=False)
    before = office.rows(sa.select(sa.func.count()).select_from(Visit))
    office.home.inbox.signer._key = None
    office.run(sa.update(tables.signing_key).values(private="gone"))
    text = device.envelope(visit()).to_text()
    answer = device.client.post("/sync/push", content=text, headers=device.headers)

    assert 500 == answer.status_code
    assert before == office.rows(sa.select(sa.func.count()).select_from(Visit))
    assert "signs receipts" in office.health()["checks"]["signing"]
    office.database.write(lambda session: rotate(session, None, distrust=True))
    assert "ok" == office.health()["checks"]["signing"]


@pytest.mark.passes("contact-unnoted")
def test_housekeeping_never_deletes_receipts(office: Any, visit: NewVisit) -> None:
    """Receipts and keys are kept for good, however old: a device may ask again (R32)."""
    device = office.device("anna", download=False)
    made = [device.envelope(visit()), device.envelope(visit(-2, nurse="bert"))]
    device.push(*made)
    long_ago = tables.utc_now().replace(year=2001)
    office.run(sa.update(tables.envelope).values(received_at=long_ago))
    office.run(sa.update(tables.signing_key).values(created_at=long_ago))
    ledger = (tables.envelope, tables.key, tables.device, tables.signing_key)
    before = [office.rows(sa.select(table)) for table in ledger]
    tidy(office.home, Settings(keep_changes_days=0, session_hours=0))

    assert before == [office.rows(sa.select(table)) for table in ledger]
    again = office.device("anna", download=False).client
    body = "\n".join(envelope.to_text() for envelope in made)
    answer = again.post("/sync/push", content=body, headers=device.headers)
    assert ["duplicate", "forbidden"] == [
        json.loads(line)["outcome"] for line in answer.text.splitlines()
    ]


def test_devices_get_no_signing_code() -> None:
    """The library that signs has machine code and stays on the server (R67)."""
    names = [wheel.file_name for wheel in wheels.device_wheels("inspections")]

    assert not [name for name in names if "cryptography" in name or "cffi" in name]
