"""A PostgreSQL of the tests' own: a temporary cluster that listens on a socket in its folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ROLE = "fieldpost"
START_SECONDS = 60.0
STOP_SECONDS = 60.0


class PostgresFailedError(Exception):
    """PostgreSQL did not start; the message holds what it said."""


class Cluster:
    """A running cluster; databases are made and dropped through it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database in this cluster."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        """Create an empty database and return its URL."""
        self._execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, ending what is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def connect(self) -> psycopg.Connection:
        """Connect to the cluster itself."""
        return psycopg.connect(dbname="postgres", user=ROLE, host=str(self.folder), autocommit=True)

    def _execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())


@contextmanager
def running(programs: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """Start a cluster with the programs of this folder, and stop and remove it at the end.

    Args:
        programs: the folder of PostgreSQL's programs.
        durable: written so that it outlives a power cut, which is what a speed is measured with.
            In tests processes die and the machine does not, and this is most of a database's cost.

    Raises PostgresFailedError with what PostgreSQL said when it does not start.
    """
    user = _user()
    # the socket's path has to stay below 108 bytes: not in pytest's deep folders
    folder = Path(tempfile.mkdtemp(prefix="fieldpost-pg-", dir="/tmp"))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        _make(programs, folder, user)
        with _serving(programs, folder, user, durable=durable) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> pwd.struct_passwd | None:
    """Return whom PostgreSQL has to run as: it refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _start(
    command: list[str], folder: Path, user: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )


def _make(programs: Path, folder: Path, user: pwd.struct_passwd | None) -> None:
    # sorted by language, as on most people's machines: what relies on byte order fails here
    collation = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=und"]
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", ROLE, "-A", "trust"]
    process = _start([*command, "-E", "UTF8", *collation], folder, user)
    if process.wait() != 0:
        raise PostgresFailedError(_said(folder))


@contextmanager
def _serving(
    programs: Path, folder: Path, user: pwd.struct_passwd | None, *, durable: bool
) -> Iterator[Cluster]:
    settings = {
        "listen_addresses": "",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "max_connections": "200",
        "max_prepared_transactions": "20",
        "wal_level": "logical",
    }
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    command += [word for pair in settings.items() for word in ("-c", "=".join(pair))]
    process = _start(command, folder, user)
    try:
        cluster = Cluster(folder)
        _wait_until_it_answers(cluster, process)
        yield cluster
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()


def _wait_until_it_answers(cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            cluster.connect().close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise PostgresFailedError(_said(cluster.folder))


def _said(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")[-4000:]
