"""Taking a backup: the database's point first, then the files that it refers to, then its name."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fieldpost import __version__
from fieldpost.app import App
from fieldpost.errors import Code
from fieldpost_server.attachments.attachment_store import AttachmentStore
from fieldpost_server.backup.faults import fault
from fieldpost_server.backup.files import (
    Part,
    UnreadableError,
    copied,
    part_of,
    size_of,
    written,
)
from fieldpost_server.backup.manifest import (
    ATTACHMENTS,
    DATABASES,
    LIST,
    MANIFEST,
    Manifest,
    attachment_path,
    list_text,
)
from fieldpost_server.backup.place import Found, Place
from fieldpost_server.backup.point import Facts, copy_database, read_facts
from fieldpost_server.backup.programs import Programs
from fieldpost_server.storage.durable import synced
from fieldpost_server.storage.tables import utc_now

_SPARE_BYTES = 16 << 20
"""Left free on the disk of backups, beside what is known to be needed."""


@dataclass(slots=True)
class Taken:
    """A backup that was taken.

    Attributes:
        path, manifest: where it is, and what it says of itself.
        copied, reused: how many attachments are new, and how many were in the one before.
        missing: digests of attachments that the office has rows of, and not the right bytes.
        mended: of those, the ones that the backup before still had.
        deleted: older backups that went.
    """

    path: Path
    manifest: Manifest
    copied: int
    reused: int
    missing: list[str]
    mended: list[str]
    deleted: list[Path] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what a program wants to know."""
        manifest = self.manifest
        return {
            "backup": str(self.path),
            "digest": manifest.digest,
            "moment": manifest.moment.isoformat(),
            "timeline": manifest.timeline,
            "database_bytes": manifest.database.size,
            "rows": sum(manifest.rows.values()),
            "attachments": manifest.attachment_count,
            "attachment_bytes": manifest.attachment_bytes,
            "copied": self.copied,
            "reused": self.reused,
            "missing": self.missing,
            "mended": self.mended,
            "deleted": [str(path) for path in self.deleted],
        }

    def words(self) -> list[str]:
        """Return what a person wants to know."""
        manifest = self.manifest
        told = [
            f"Backup: {self.path}",
            f"Digest: {manifest.digest}",
            (
                f"{sum(manifest.rows.values())} rows, {manifest.attachment_count} attachments "
                f"({self.copied} copied, {self.reused} as in the backup before)."
            ),
        ]
        if self.mended:
            told.append(
                f"Mind: {len(self.mended)} attachments are not at the office any more, and were "
                f"taken from the backup before: {', '.join(self.mended[:3])}"
            )
        if manifest.needs_secret:
            told.append(
                "The file that FIELDPOST_SIGNING_SECRET_FILE names is not in it: keep a copy of "
                "that somewhere else."
            )
        return [*told, *(f"Deleted: {path}" for path in self.deleted)]


@dataclass(slots=True)
class _Files:
    """The attachments of a backup that is being made.

    Attributes:
        store: of the office.
        before: the backup before; None where there is none.
        folder: of the new one.
        sizes: by digest; None is missing.
    """

    store: AttachmentStore
    before: Path | None
    folder: Path
    sizes: dict[str, int | None] = field(default_factory=dict)
    copied: int = 0
    reused: int = 0
    mended: list[str] = field(default_factory=list)

    def add_all(self, digests: Iterable[str]) -> None:
        top = self.folder / ATTACHMENTS
        top.mkdir(mode=0o700)
        for sha256 in digests:
            self._add(sha256)
        # fault point: attachments-copied — all bytes are on the disk, their names may not be yet;
        # the folder is no backup before they are.
        for folder in top.iterdir():
            synced(folder)
        synced(top)

    def _add(self, sha256: str) -> None:
        target = attachment_path(self.folder, sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        original = self.store.path(sha256)
        part = self._linked(sha256, target)
        if part is not None:
            self.reused += 1
            # only a look: what is wrong inside of it, reading all of them would show
            if size_of(original) != part.size:
                self.mended.append(sha256)
        else:
            part = _copied(original, sha256, target)
            self.copied += part is not None
        self.sizes[sha256] = None if part is None else part.size

    def _linked(self, sha256: str, target: Path) -> Part | None:
        """Take a file of the backup before, where it is still what its name says."""
        if self.before is None:
            return None
        former = attachment_path(self.before, sha256)
        try:
            # somebody else's file is somebody else's to change
            if former.lstat().st_uid != os.geteuid():
                return None
            os.link(former, target, follow_symlinks=False)
            part = part_of(target)
        except OSError:
            # not there, or a file system without links
            part = None
        if part is None or part.sha256 != sha256:
            # fault point: wrong-link-left — it lies in a folder that is no backup yet.
            target.unlink(missing_ok=True)
            return None
        return part


def take_backup(
    app: App, store: AttachmentStore, place: Place, programs: Programs, *, keep: int = 0
) -> Taken:
    """Take a backup while the server runs.

    Args:
        app: whose tables are counted.
        store: the attachments, and the database beside them.
        place: where it is put.
        programs: PostgreSQL's.
        keep: how many of this timeline are kept, this one included; 0 keeps all.

    Raises:
        BackupError: it cannot be taken; what was there before is untouched.
        OSError: as above.
    """
    with place.turn(), store.undisturbed():
        place.clear()
        before = next(iter(place.backups()), None)
        moment = utc_now()
        folder = place.begin(moment)
        try:
            taken = _fill(folder, app, store, before, programs, moment)
            taken.path = place.finish(folder)
        except BaseException:
            # fault point: failed-backup-left — it has no name that anybody takes for a backup's:
            # the next one deletes it.
            with suppress(OSError):
                shutil.rmtree(folder)
            raise
        if keep:
            taken.deleted = place.rotate(keep, Found(taken.path, taken.manifest))
        return taken


def _fill(
    folder: Path,
    app: App,
    store: AttachmentStore,
    before: Found | None,
    programs: Programs,
    moment: datetime,
) -> Taken:
    database = store.database
    with database.read_session() as session:
        facts = read_facts(session, app)
        _need_room(folder, facts, store, before)
        part = copy_database(session, database, folder / DATABASES[database.dialect], programs)
    # fault point: point-without-files — rows name files that are not copied yet: files come into
    # the store before their rows and are never changed, so those of the point are all there.
    files = _Files(store, None if before is None else before.path, folder)
    files.add_all(facts.attachments)
    listed = written(folder / LIST, list_text(files.sizes))
    known = [size for size in files.sizes.values() if size is not None]
    manifest = Manifest(
        app=app.name,
        fieldpost=__version__,
        kind=database.dialect,
        office=facts.office,
        timeline=facts.timeline,
        moment=moment,
        rows=facts.rows,
        signing_key=facts.signing_key,
        needs_secret=facts.needs_secret,
        database=part,
        attachments=listed,
        attachment_count=len(known),
        attachment_bytes=sum(known),
        missing=len(files.sizes) - len(known),
    )
    # fault point: parts-without-manifest — without a manifest nobody takes it for a backup.
    written(folder / MANIFEST, manifest.to_bytes())
    synced(folder)
    missing = [sha256 for sha256, size in files.sizes.items() if size is None]
    return Taken(folder, manifest, files.copied, files.reused, missing, files.mended)


def _need_room(folder: Path, facts: Facts, store: AttachmentStore, before: Found | None) -> None:
    """Refuse what the disk has no room for, before the disk is full for everybody."""
    new = [
        size
        for sha256 in facts.attachments
        if before is None or size_of(attachment_path(before.path, sha256)) is None
        if (size := size_of(store.path(sha256))) is not None
    ]
    # the database is about as large as it was the last time
    needed = sum(new) + (before.manifest.database.size if before else 0) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        megabytes = {"needed": needed // 10**6, "free": free // 10**6}
        raise fault(Code.BACKUP_NO_ROOM, place=folder.parent, **megabytes)


def _copied(original: Path, sha256: str, target: Path) -> Part | None:
    """Copy a file of the office; None where it cannot be read, or is not what its name says."""
    try:
        part = copied(original, target)
        if part.sha256 == sha256:
            return part
    except UnreadableError:
        pass
    # fault point: damaged-copy-undeleted — it lies in a folder that is no backup yet.
    target.unlink(missing_ok=True)
    return None
