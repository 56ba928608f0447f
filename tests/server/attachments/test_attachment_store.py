"""The attachments store: in pieces, verified, sent once (R43, R66)."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from fieldpost.errors import Code, InputError, NotFound
from fieldpost.home import Upload
from fieldpost.users import User
from fieldpost_server.attachments import attachment_rows
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.storage import tables

ANNA, BERT = User("anna"), User("bert")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(fieldpost_database: Any, tmp_path: Path) -> AttachmentStore:
    """A store with room for a thousand bytes each."""
    return AttachmentStore(tmp_path / "attachments", fieldpost_database, 1000)


def has(store: AttachmentStore, digest: str) -> bool:
    with store.database.read_session() as session:
        return attachment_rows.has(session, digest)


def add(store: AttachmentStore, content: bytes, start: int, end: int, **parts: Any) -> int:
    type_ = parts.get("type_", "image/png")
    user, digest = parts.get("user", ANNA), parts.get("digest", sha256(content))
    return store.append(digest, user, start, len(content), type_, content[start:end])


def test_pieces_make_a_whole(store: AttachmentStore) -> None:
    """An attachment counts when its last byte is there, not before (R43)."""
    assert 60 == add(store, PNG, 0, 60)
    assert not has(store, sha256(PNG))
    assert 60 == store.offset(sha256(PNG), ANNA)
    assert len(PNG) == add(store, PNG, 60, len(PNG))
    assert has(store, sha256(PNG))
    assert PNG == store.path(sha256(PNG)).read_bytes()


@pytest.mark.parametrize(("start", "end"), [(0, 10), (70, 80), (60, 60 + 900)])
def test_a_piece_must_continue_the_upload(store: AttachmentStore, start: int, end: int) -> None:
    """A piece twice or out of place is told where to go on (R43)."""
    add(store, PNG, 0, 60)

    with pytest.raises(InputError) as caught:
        store.append(sha256(PNG), ANNA, start, len(PNG), "image/png", bytes(end - start))
    assert Code.UPLOAD_OFFSET is caught.value.problems[0].code
    assert {"offset": 60} == caught.value.problems[0].detail


@pytest.mark.passes("refused-part-undeleted")
def test_a_damaged_file_is_thrown_away(store: AttachmentStore) -> None:
    """What does not have its digest never counts, and can be sent again (R43)."""
    with pytest.raises(InputError) as caught:
        add(store, PNG, 0, len(PNG), digest="a" * 64)

    assert Code.UPLOAD_HASH is caught.value.problems[0].code
    assert not has(store, "a" * 64)
    assert 0 == store.offset("a" * 64, ANNA)


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        (b"<html>", "image/png"),
        (PNG, "image/jpeg"),
        (b"GIF", "image/gif"),
        (b"RIFFxxxxWAVE", "image/webp"),
    ],
)
def test_what_is_no_picture_is_refused(store: AttachmentStore, content: bytes, type_: str) -> None:
    """A claim to be a picture is checked by the bytes; vector pictures run scripts (R65)."""
    with pytest.raises(InputError) as caught:
        add(store, content, 0, len(content), type_=type_)

    assert Code.NOT_A_PICTURE is caught.value.problems[0].code
    assert not has(store, sha256(content))


def test_other_users_neither_continue_nor_spoil_an_upload(store: AttachmentStore) -> None:
    """Each user has an upload of her own for the same file."""
    add(store, PNG, 0, 60)
    store.append(sha256(PNG), BERT, 0, len(PNG), "image/png", b"spoilt")

    assert 60 == store.offset(sha256(PNG), ANNA)
    assert len(PNG) == add(store, PNG, 60, len(PNG))


def test_a_file_that_is_there_is_kept_once(store: AttachmentStore) -> None:
    """Whoever sends it brings all of it, since a digest proves nothing; it is kept once (R43)."""
    add(store, PNG, 0, len(PNG))

    assert len(PNG) == add(store, PNG, 0, 0)
    assert 0 == store.offset(sha256(PNG), BERT)
    with pytest.raises(InputError) as caught:
        add(store, PNG, len(PNG), len(PNG), user=BERT)
    assert Code.UPLOAD_OFFSET is caught.value.problems[0].code
    assert len(PNG) == add(store, PNG, 0, len(PNG), user=BERT)
    kept = store.keep(Upload("again.png", "image/png", PNG), BERT)
    assert sha256(PNG) == kept.sha256
    with store.database.read_session() as session:
        assert 1 == len(session.execute(tables.attachment.select()).all())


def test_too_large_a_file_is_refused_before_it_arrives(store: AttachmentStore) -> None:
    """The announced size is enough to refuse (R66)."""
    with pytest.raises(InputError) as caught:
        store.append("a" * 64, ANNA, 0, 1001, "text/plain", b"x")
    assert Code.TOO_BIG is caught.value.problems[0].code
    with pytest.raises(InputError):
        store.keep(Upload("large", "text/plain", bytes(1001)), ANNA)


@pytest.mark.parametrize("name", ["", "a", "../../etc/passwd", "A" * 64, "a" * 63 + "/"])
def test_only_digests_are_paths(store: AttachmentStore, name: str) -> None:
    """No name of an attachment leads out of the store (R66)."""
    with pytest.raises(NotFound):
        store.path(name)


def test_a_files_own_name_is_never_a_path(store: AttachmentStore) -> None:
    """A browser's file name is words only."""
    kept = store.keep(Upload("../../../x/report.pdf", "application/pdf", b"%PDF"), ANNA)

    assert "report.pdf" == kept.name
