"""The attachments store: files by SHA-256, uploaded in pieces, verified before they count."""

import fcntl
import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.errors import Code, InputError, NotFound, problem
from fieldpost.home import Upload
from fieldpost.odp.replay.statements import insert_links
from fieldpost.text.filenames import plain_name
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.limits import Limits
from fieldpost_server.storage import tables
from fieldpost_server.storage.arriving_files import HEAD_BYTES, ArrivingFile
from fieldpost_server.storage.database import Database

_PICTURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/heic": re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "image/heif": re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "image/avif": re.compile(rb"....ftyp(avi|mif1)", re.DOTALL),
}
"""How files of each type begin."""

_HEX = frozenset("0123456789abcdef")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,120}/[a-z0-9!#$&^_.+-]{1,120}")
_READ_BYTES = 1 << 20


class AttachmentStore:
    """Attachments in a folder.

    Whole files lie at ``ab/abcdef…``; a file appears there by one rename, so that it is never seen
    in part. Uploads under way lie in ``uploads/``.
    """

    def __init__(self, folder: Path, database: Database, max_bytes: int) -> None:
        self.folder = folder
        self.database = database
        self.max_bytes = max_bytes
        (folder / "uploads").mkdir(parents=True, exist_ok=True)

    @property
    def limits(self) -> Limits:
        """What is taken."""
        return Limits(self.max_bytes, tuple(_PICTURES))

    def path(self, sha256: str) -> Path:
        """Return where an attachment lies; raises `NotFound` for what is no digest."""
        _check_digest(sha256)
        return self.folder / sha256[:2] / sha256

    def find(self, session: Session, sha256: str) -> Attachment | None:
        """Return what is known of an attachment that has arrived whole."""
        table = tables.attachment
        query = sa.select(table).where(table.c.sha256 == sha256, table.c.complete)
        row = session.execute(query).first()
        return None if row is None else Attachment(row.sha256, row.size, row.type, row.name)

    def has(self, session: Session, sha256: str) -> bool:
        """Say whether an attachment has arrived whole."""
        return self.find(session, sha256) is not None

    def brought(
        self, session: Session, users: Collection[str], digests: Collection[str]
    ) -> set[str]:
        """Return those of the attachments whose content one of these users has brought."""
        whole, bringer = tables.attachment, tables.attachment_bringer
        # before bringers were noted, the first one was
        first = sa.select(whole.c.sha256).where(
            whole.c.sha256.in_(digests), whole.c.created_by.in_(users), whole.c.complete
        )
        later = (
            sa.select(bringer.c.sha256)
            .join(whole, whole.c.sha256 == bringer.c.sha256)
            .where(bringer.c.sha256.in_(digests), bringer.c.user.in_(users), whole.c.complete)
        )
        return set(session.scalars(first)) | set(session.scalars(later))

    def hand_on(
        self, session: Session, from_user: str, to_user: str, digests: Collection[str]
    ) -> None:
        """Let a user count as having brought what another one has brought, as that one has."""
        whole, bringer = tables.attachment, tables.attachment_bringer
        brought = self.brought(session, [from_user], digests)
        query = (
            sa.select(whole.c.sha256, whole.c.type, bringer.c.type.label("brought_as"))
            .outerjoin(
                bringer,
                sa.and_(bringer.c.sha256 == whole.c.sha256, bringer.c.user == from_user),
            )
            .where(whole.c.sha256.in_(brought))
        )
        dialect = session.connection().dialect.name
        for row in session.execute(query).all():
            type_ = row.brought_as or row.type
            # fault point: attachment-half-handed-on — whose it counts as is one transaction with
            # that of the others: all of them, or none.
            values = {"sha256": row.sha256, "user": to_user, "type": type_}
            session.execute(insert_links(bringer, dialect).values(values))

    def found(self, session: Session, digests: Collection[str]) -> dict[str, list[Attachment]]:
        """Return what is known of attachments that have arrived whole, as each user brought it."""
        whole, bringer = tables.attachment, tables.attachment_bringer
        query = (
            sa.select(whole, bringer.c.type.label("brought_as"))
            .select_from(whole.outerjoin(bringer, bringer.c.sha256 == whole.c.sha256))
            .where(whole.c.sha256.in_(digests), whole.c.complete)
        )
        known: dict[str, list[Attachment]] = {}
        for row in session.execute(query):
            for type_ in {row.type, row.brought_as or row.type}:
                told = Attachment(row.sha256, row.size, type_, row.name)
                known.setdefault(row.sha256, []).append(told)
        return known

    def offset(self, sha256: str, user: User, *, has_it: bool = False) -> int:
        """Return how many bytes of an upload of this user have arrived.

        Args:
            sha256, user: which, and whose.
            has_it: she may refer to the attachment as it is; to anybody else it is not there.
        """
        # in this order: the part may become the whole meanwhile
        part, whole = _size(self._part(sha256, user)), _size(self.path(sha256))
        return whole if has_it and whole is not None else part or 0

    def append(
        self,
        sha256: str,
        user: User,
        offset: int,
        size: int,
        type_: str,
        piece: bytes,
        *,
        has_it: bool = False,
    ) -> int:
        """Add a piece and return the new offset; the last piece makes the attachment whole.

        Who does not have it brings all of its bytes, also where others have brought it before.

        Raises:
            InputError: the piece does not continue the upload, it is too large, the whole does
                not have its digest, or is no picture of the type that it claims.
        """
        whole, part = self.path(sha256), self._part(sha256, user)
        self.check_size(max(size, offset + len(piece)))
        type_ = media_type(type_)
        with _locked(part) as file:
            if whole.exists() and (has_it or self._has_brought(sha256, user)):
                return whole.stat().st_size
            there = self.offset(sha256, user)
            if offset != there or offset + len(piece) > size:
                detail = {"offset": there}
                raise InputError([problem(Code.UPLOAD_OFFSET, offset=there, detail=detail)])
            file.write(piece)
            # fault point: piece-written — a power cut may leave any part of the piece: the upload
            # goes on from what is there, and a torn one shows in the digest of the whole.
            file.flush()
            os.fsync(file.fileno())
            # fault point: piece-on-disk — the bytes are kept and nobody was told: the device asks
            # how far the upload is; after the last piece it sends an empty one, which makes the
            # file whole.
            if offset + len(piece) == size:
                self._finish(part, sha256, size, type_, "", user)
        return offset + len(piece)

    def keep(self, upload: Upload, user: User, expected: str | None = None) -> Attachment:
        """Keep a whole file; raises `InputError`, also where its digest is not the expected."""
        self.check_size(len(upload.content))
        arriving = self.arriving()
        try:
            arriving.write(upload.content)
            return self.keep_arrived(arriving, upload.name, upload.type, user, expected)
        finally:
            arriving.drop()

    def arriving(self) -> ArrivingFile:
        """Return a file to write to; it is dropped by whoever asks, kept or not."""
        return ArrivingFile(self.folder / "uploads")

    def keep_arrived(
        self, file: ArrivingFile, name: str, type_: str, user: User, expected: str | None = None
    ) -> Attachment:
        """Keep a file that has arrived whole; raises `InputError` as `keep` does."""
        self.check_size(file.size)
        sha256, type_, name = file.sha256, media_type(type_), plain_name(name)
        if expected not in (None, sha256):
            raise InputError([problem(Code.UPLOAD_HASH)])
        file.close()
        if not (self._has_brought(sha256, user) and self.path(sha256).exists()):
            if fault := _fault_of(file.head, type_):
                raise InputError([problem(fault, type=type_)])
            # fault point: whole-part-unplaced — the part has a name of its own that nobody looks
            # for: the file is sent again, and housekeeping deletes the part.
            self._place(file.path, sha256, file.size, type_, name, user)
        return Attachment(sha256, file.size, type_, name)

    def check_size(self, size: int) -> None:
        """Refuse what is larger than an attachment may be; raises `InputError`."""
        if size > self.max_bytes:
            limit = f"{self.max_bytes >> 20} MB"
            raise InputError([problem(Code.TOO_BIG, what="The file", limit=limit)])

    def _part(self, sha256: str, user: User) -> Path:
        # one upload for each user: nobody can continue, or spoil, another's
        _check_digest(sha256)
        owner = hashlib.sha256(user.name.encode()).hexdigest()[:16]
        return self.folder / "uploads" / f"{sha256}-{owner}"

    def _finish(
        self, part: Path, sha256: str, size: int, type_: str, name: str, user: User
    ) -> None:
        fault = _fault(part, sha256, type_)
        if fault is not None:
            # fault point: refused-part-undeleted — the part is no file that anybody may have: it is
            # refused again with the next piece, or goes with what is old.
            part.unlink()
            raise InputError([problem(fault, type=type_)])
        self._place(part, sha256, size, type_, name, user)

    def _place(self, part: Path, sha256: str, size: int, type_: str, name: str, user: User) -> None:
        whole = self.path(sha256)
        whole.parent.mkdir(exist_ok=True)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        # fault point: file-unplaced — the part holds every byte, and the place of the file is
        # empty: the next piece, which may be empty, puts it there.
        part.replace(whole)
        _sync_folder(whole.parent)
        # fault point: file-unregistered — the file is in its place, no row tells of it: envelopes
        # that need it wait; who sends it again puts the same bytes there, and adds the row.
        self._register(sha256, size, type_, name, user)

    def _has_brought(self, sha256: str, user: User) -> bool:
        with self.database.read_session() as session:
            return bool(self.brought(session, [user.name], [sha256]))

    def delete_abandoned(self, older_than: datetime) -> int:
        """Delete uploads that nobody has continued since; returns how many."""
        count = 0
        for part in (self.folder / "uploads").iterdir():
            with suppress(FileNotFoundError):  # finished meanwhile
                if part.stat().st_mtime < older_than.timestamp():
                    # fault point: abandoned-upload-left — parts go one by one and belong to nobody:
                    # the next round deletes the rest.
                    part.unlink()
                    count += 1
        return count

    def _register(self, sha256: str, size: int, type_: str, name: str, user: User) -> None:
        table = tables.attachment

        def work(session: Session) -> None:
            if not self.has(session, sha256):
                session.execute(
                    sa.insert(table).values(
                        sha256=sha256,
                        size=size,
                        type=type_,
                        name=name,
                        complete=True,
                        created_by=user.name,
                    )
                )
            dialect = session.connection().dialect.name
            brought = {"sha256": sha256, "user": user.name, "type": type_}
            session.execute(insert_links(tables.attachment_bringer, dialect).values(brought))

        # fault point: attachment-row-unwritten — there is the whole row or none, and the file in
        # both cases: who sends it again adds the row.
        self.database.write(work)


def _check_digest(sha256: str) -> None:
    """Refuse what is no digest before it becomes a path; raises `NotFound`."""
    if len(sha256) != 64 or set(sha256) - _HEX:
        raise NotFound([problem(Code.NOT_FOUND, "sha256")])


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """Open an upload to append to; the same piece sent twice at once is written once."""
    # the folder of the parts may be shared by many processes: the lock is the file's
    while True:
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # who had the lock before may have finished the upload, or thrown it away
            # fault point: upload-locked — the lock is the open file's and ends with the process;
            # what was appended stays, an empty part is as good as none.
            if not _is_at(file, part):
                continue
            try:
                yield file
            finally:
                if _is_at(file, part) and not _size(part):
                    part.unlink()
            return


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def media_type(text: str) -> str:
    """Return a media type without parameters; what is none says nothing about the bytes."""
    type_ = text.partition(";")[0].strip().lower()
    return type_ if _MEDIA_TYPE.fullmatch(type_) else "application/octet-stream"


def _fault(part: Path, sha256: str, type_: str) -> Code | None:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        head = file.read(HEAD_BYTES)
        digest.update(head)
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    if digest.hexdigest() != sha256:
        return Code.UPLOAD_HASH
    return _fault_of(head, type_)


def _fault_of(head: bytes, type_: str) -> Code | None:
    """Say what is wrong with a file that begins so and claims to be of a type."""
    known = _PICTURES.get(type_)
    if known is None:
        return Code.NOT_A_PICTURE if type_.startswith("image/") else None
    return None if known.match(head) else Code.NOT_A_PICTURE


def _sync_folder(folder: Path) -> None:
    # a rename is durable only when its folder is
    handle = os.open(folder, os.O_RDONLY)
    try:
        # fault point: rename-unsynced — a power cut may take the rename back: then the part is
        # under its old name with every byte, and no row tells of the file yet.
        os.fsync(handle)
    finally:
        os.close(handle)
