"""Databases that were made once, copied for each test that begins with the same."""

import shutil
import sqlite3
from collections.abc import Hashable
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url


class Templates:
    """What a session keeps of databases; a copy has their rows, keys, triggers and counters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[Hashable, str] = {}

    def copy(self, name: Hashable, url: str) -> bool:
        """Make the empty database of this URL a copy of what was kept; return if there was any."""
        database = make_url(url)
        kept = self._kept.get((name, database.get_backend_name()))
        if kept is None:
            return False
        if database.get_backend_name() == "sqlite":
            shutil.copyfile(kept, _file(database))
        else:
            _copy_database(database, kept, str(database.database))
        return True

    def keep(self, name: Hashable, url: str) -> None:
        """Keep what the database of this URL holds now; nothing may be connected to it."""
        database = make_url(url)
        kept = f"template_{len(self._kept)}"
        if database.get_backend_name() == "sqlite":
            kept = str(self.folder / kept)
            _keep_file(_file(database), Path(kept))
        else:
            _copy_database(database, str(database.database), kept)
        self._kept[name, database.get_backend_name()] = kept


def _file(database: URL) -> Path:
    return Path(str(database.database))


def _keep_file(source: Path, target: Path) -> None:
    # by SQLite, with what is in its log; the copy is closed, so that its file is all of it
    with sqlite3.connect(source) as read, sqlite3.connect(target) as write:
        read.backup(write)
    read.close()
    write.close()


def _copy_database(database: URL, source: str, target: str) -> None:
    host = str(database.query["host"])
    with psycopg.connect(
        dbname="postgres", user=database.username, host=host, autocommit=True
    ) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{target}"'.encode())
        connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"'.encode())
