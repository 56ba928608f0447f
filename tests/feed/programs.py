"""Other programs: open connections that write through their drivers and know of no feed."""

import random
import sqlite3
from typing import Any

import psycopg
import sqlalchemy as sa

REFUSED = (psycopg.Error, sqlite3.Error)
"""A statement that the database refuses: a key that is taken, a lock of another program."""

_BEGIN = {
    "postgresql": (
        "BEGIN",
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
    ),
    "sqlite": ("BEGIN", "BEGIN IMMEDIATE"),
}


class Program:
    """One connection of another program, with at most one transaction.

    Nobody else acts while a statement waits, so that a lock of another is refused at once.

    Attributes:
        truncates: whether the open transaction has emptied a table with TRUNCATE.
    """

    def __init__(self, url: str, name: str) -> None:
        parsed = sa.make_url(url)
        self.dialect = parsed.get_backend_name()
        self.name = name
        self.is_open = False
        self.savepoints = 0
        self.truncates = False
        self.prepared: list[bool] = []
        self._connection: Any
        if self.dialect == "postgresql":
            plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            self._connection = psycopg.connect(plain, autocommit=True)
            self._connection.execute("SET lock_timeout = '1ms'")
        else:
            assert parsed.database is not None
            self._connection = sqlite3.connect(parsed.database, timeout=0, isolation_level=None)

    def run(self, sql: str) -> None:
        """Run one statement as it stands; raises one of `REFUSED`."""
        if not sql.startswith("COPY"):
            self._connection.execute(sql)
            return
        command, _, rows = sql.partition("\n")
        with self._connection.cursor() as cursor, cursor.copy(command) as copy:
            copy.write(rows)

    def begin(self, chance: random.Random) -> None:
        """Begin a transaction; SQLite's one writer may be another."""
        try:
            self.run(chance.choice(_BEGIN[self.dialect]))
        except REFUSED:
            return
        self.is_open, self.savepoints, self.truncates = True, 0, False

    def write(self, sql: str, chance: random.Random) -> bool:
        """Write something; what is refused takes its savepoint or the transaction along."""
        try:
            self.run(sql)
        except REFUSED:
            if self.savepoints and chance.random() < 0.8:
                self.back_to_savepoint()
            elif self.is_open:
                self.end("ROLLBACK")
            return False
        self.truncates |= sql.startswith("TRUNCATE")
        return True

    def savepoint(self) -> None:
        self.savepoints += 1
        self.run(f"SAVEPOINT s{self.savepoints}")

    def back_to_savepoint(self) -> None:
        """Undo what came since the newest savepoint, or the one before it."""
        try:
            self.run(f"ROLLBACK TO s{self.savepoints}")
        except REFUSED:  # the statement has ended the whole transaction
            self.end("ROLLBACK")

    def release(self) -> None:
        self.run(f"RELEASE s{self.savepoints}")
        self.savepoints -= 1

    def end(self, how: str) -> bool:
        """COMMIT or ROLLBACK; says whether it was committed."""
        try:
            self.run(how)
        except REFUSED:
            # serialization that failed at the end, or what `OR ROLLBACK` has ended already
            how = "ROLLBACK"
            if self.dialect == "sqlite" and self._connection.in_transaction:
                self.run(how)
        self.is_open = False
        return how == "COMMIT"

    def prepare(self) -> bool:
        """Leave the transaction to nobody's connection; says whether that went well."""
        try:
            self.run(f"PREPARE TRANSACTION '{self.name}'")
        except REFUSED:
            self.end("ROLLBACK")
            return False
        self.is_open = False
        self.prepared.append(self.truncates)
        return True

    def end_prepared(self, how: str) -> bool:
        """COMMIT or ROLLBACK what was prepared; says whether it had emptied a table."""
        self.run(f"{how} PREPARED '{self.name}'")
        return self.prepared.pop() and how == "COMMIT"

    def close(self) -> None:
        self._connection.close()
