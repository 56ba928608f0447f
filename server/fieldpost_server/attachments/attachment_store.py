"""The attachments store: files by SHA-256, uploaded in pieces, verified before they count."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from fieldpost.errors import Code, InputError, NotFound, problem
from fieldpost.home import Upload
from fieldpost.text.filenames import plain_name
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.wire.limits import Limits
from fieldpost_server.attachments.arriving_files import ArrivingFile
from fieldpost_server.attachments.attachment_rows import brought, note
from fieldpost_server.attachments.media_types import HEAD_BYTES, PICTURES, fault_of, media_type
from fieldpost_server.attachments.upload_parts import locked, locked_if_there, size_of
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database
from fieldpost_server.storage.durable import synced

_HEX = frozenset("0123456789abcdef")
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
        return Limits(self.max_bytes, PICTURES)

    def path(self, sha256: str) -> Path:
        """Return where an attachment lies; raises `NotFound` for what is no digest."""
        _check_digest(sha256)
        return self.folder / sha256[:2] / sha256

    def offset(self, sha256: str, user: User, *, has_it: bool = False) -> int:
        """Return how many bytes of an upload of this user have arrived.

        Args:
            sha256, user: which, and whose.
            has_it: she may refer to the attachment as it is; to anybody else it is not there.
        """
        # in this order: the part may become the whole meanwhile
        part, whole = size_of(self._part(sha256, user)), size_of(self.path(sha256))
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
        with locked(part) as file:
            is_hers = whole.exists() and (has_it or self._has_brought(sha256, user))
            if is_hers and self._keep_longer(sha256):
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
                self._finish(part, Attachment(sha256, size, type_, ""), user)
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
        attachment = Attachment(sha256, file.size, type_, name)
        file.close()
        if not (self._has_brought(sha256, user) and self._keep_longer(sha256)):
            if fault := fault_of(file.head, type_):
                raise InputError([problem(fault, type=type_)])
            # fault point: whole-part-unplaced — the part has a name of its own that nobody looks
            # for: the file is sent again, and housekeeping deletes the part.
            self._place(file.path, attachment, user)
        return attachment

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

    def _finish(self, part: Path, attachment: Attachment, user: User) -> None:
        fault = _fault(part, attachment)
        if fault is not None:
            # fault point: refused-part-undeleted — the part is no file that anybody may have: it is
            # refused again with the next piece, or goes with what is old.
            part.unlink()
            raise InputError([problem(fault, type=attachment.type)])
        self._place(part, attachment, user)

    def _place(self, part: Path, attachment: Attachment, user: User) -> None:
        whole = self.path(attachment.sha256)
        synced(part)
        with self.held(attachment.sha256):
            # fault point: file-unplaced — the part holds every byte, and the place of the file is
            # empty: the next piece, which may be empty, puts it there.
            part.replace(whole)
            # a rename is durable only when its folder is
            synced(whole.parent)
            # fault point: file-unregistered — the file is in its place, no row tells of it:
            # envelopes that need it wait; who sends it again puts the same bytes there, and adds
            # the row.
            self.database.write(lambda session: note(session, attachment, user.name))

    @contextmanager
    def held(self, sha256: str) -> Iterator[None]:
        """Hold an attachment: file and row come together, and go together."""
        folder = self.path(sha256).parent
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            # fault point: attachment-held — the lock is the open folder's, for all processes, and
            # ends with the process; a database is asked behind it, never the other way round.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Have nothing deleted until the block ends: somebody copies what there is."""
        with self._folder_lock(fcntl.LOCK_SH):
            yield

    @contextmanager
    def deleting(self) -> Iterator[bool]:
        """Say whether files may be deleted until the block ends: nobody copies them just now."""
        try:
            with self._folder_lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield True
        except BlockingIOError:
            yield False

    @contextmanager
    def _folder_lock(self, how: int) -> Iterator[None]:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            # fault point: store-locked — the lock is the open folder's, for all processes, and ends
            # with the process.
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def delete(self, sha256: str) -> None:
        """Delete the file of an attachment, which is held."""
        # fault point: file-undeleted — a file without a row: it goes in a later collection.
        self.path(sha256).unlink(missing_ok=True)

    def _has_brought(self, sha256: str, user: User) -> bool:
        with self.database.read_session() as session:
            return bool(brought(session, [user.name], [sha256]))

    def _keep_longer(self, sha256: str) -> bool:
        """Begin the time anew after which an attachment goes that nothing refers to.

        Returns:
            whether it is still there.
        """
        unused = tables.unused_attachment
        where = unused.c.sha256 == sha256
        with self.held(sha256):
            if not self.path(sha256).exists():
                return False
            with self.database.read_session() as session:
                is_noted = session.scalar(sa.select(unused.c.sha256).where(where)) is not None
            if is_noted:
                # fault point: still-unused — the note stays, and the attachment may go sooner: what
                # refers to it then waits, and it is sent again.
                self.database.write(lambda session: session.execute(sa.delete(unused).where(where)))
        return True

    def delete_abandoned(self, older_than: datetime) -> int:
        """Delete uploads that nobody has continued since; returns how many."""
        count = 0
        for part in (self.folder / "uploads").iterdir():
            with suppress(FileNotFoundError), locked_if_there(part):  # finished meanwhile
                if part.stat().st_mtime < older_than.timestamp():
                    # fault point: abandoned-upload-left — parts go one by one and belong to nobody:
                    # the next round deletes the rest.
                    part.unlink()
                    count += 1
        return count


def _check_digest(sha256: str) -> None:
    """Refuse what is no digest before it becomes a path; raises `NotFound`."""
    if len(sha256) != 64 or set(sha256) - _HEX:
        raise NotFound([problem(Code.NOT_FOUND, "sha256")])


def _fault(part: Path, attachment: Attachment) -> Code | None:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        head = file.read(HEAD_BYTES)
        digest.update(head)
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    if digest.hexdigest() != attachment.sha256:
        return Code.UPLOAD_HASH
    return fault_of(head, attachment.type)
