"""PostgreSQL's own programs, which copy a database as its server understands it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from fieldpost.errors import Code
from fieldpost_server.backup.faults import fault

_LOCK_WAIT = "60s"
"""How long a dump waits for somebody who alters a table."""


class Programs:
    """`pg_dump` and `pg_restore`.

    Args:
        folder: where they are; empty looks where they usually are, the newest first.
    """

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """Return where a program is; None where it is not found."""
        if self.folder:
            named = Path(self.folder) / name
            return named if os.access(named, os.X_OK) else None
        debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
        for folder in (*debian, Path("/usr/local/pgsql/bin")):
            if os.access(folder / name, os.X_OK):
                return folder / name
        found = shutil.which(name)
        return None if found is None else Path(found)

    def dump(self, url: sa.URL, snapshot: str, target: Path) -> None:
        """Write what a snapshot that was exported sees into a file; raises `BackupError`."""
        options = [
            "--format=custom",
            "--no-password",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={_LOCK_WAIT}",
            f"--file={target}",
        ]
        if words := self._run("pg_dump", options, url):
            raise fault(Code.BACKUP_FAILED, cause=words)

    def load(self, url: sa.URL, source: BinaryIO) -> None:
        """Put a dump into an empty database, all or nothing; raises `BackupError`."""
        options = [
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--no-password",
        ]
        # fault point: dump-half-loaded — one transaction: the rows are all there or none is.
        if words := self._run("pg_restore", options, url, source):
            raise fault(Code.RESTORE_FAILED, cause=words)

    def unreadable(self, source: BinaryIO) -> str:
        """Return why a dump cannot be read; empty where it can, or the program is missing."""
        return self._run("pg_restore", ["--list"], None, source) if self.find("pg_restore") else ""

    def _run(
        self, name: str, options: list[str], url: sa.URL | None, source: BinaryIO | None = None
    ) -> str:
        """Run a program; return its words where it failed."""
        program = self.find(name)
        if program is None:
            where = f" in '{self.folder}'" if self.folder else ""
            raise fault(Code.PROGRAM_MISSING, program=name, where=where)
        environment = dict(os.environ)
        if url is not None:
            info, password = _connection(url)
            options = [*options, f"--dbname={info}"]
            if password:
                # not among the words of the command: everybody on the machine may read those
                environment["PGPASSWORD"] = password
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, without a shell
            [str(program), *options],
            stdin=subprocess.DEVNULL if source is None else source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace").strip()
        return "" if done.returncode == 0 else " ".join(said.split())[:600] or f"{name} failed"


def _connection(url: sa.URL) -> tuple[str, str]:
    """Return libpq's text for a database without the password, and the password."""
    arguments = url.translate_connect_args(username="user", database="dbname")
    for name, value in url.query.items():
        arguments[name] = value if isinstance(value, str) else ",".join(value)
    password = str(arguments.pop("password", "") or "")
    return make_conninfo(**arguments), password


def _version(folder: Path) -> tuple[int, ...]:
    number = folder.parent.name
    return tuple(int(part) for part in number.split(".") if part.isdigit())
