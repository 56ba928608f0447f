"""The replica: the rows that this user may see, as they were at one cursor of the server.

It is one SQLite database in memory, stored in IndexedDB as pieces by content hash.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fieldpost.app import App
from fieldpost.replication.checksum import row_digest, table_digest
from fieldpost.replication.list_indexes import drop_list_indexes, fit_list_indexes
from fieldpost.replication.replica_tables import (
    empty_image,
    load_image,
    read_image,
    replica_engine,
    replica_metadata,
)
from fieldpost.replication.rows import public_columns, row_from_wire, row_to_wire
from fieldpost.schema.associations import LinkTable
from fieldpost.schema.fields import ATTACHMENT_KINDS
from fieldpost.schema.models import Model
from fieldpost.schema.unreadable import is_readable
from fieldpost.types import Attachment
from fieldpost_client.platform.base import Operation, Platform

PIECE_BYTES = 64 << 10
_BREATH_ROWS = 500
_MAGIC = b"SQLite format 3\0"
_COLUMNS = (
    "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c "
    "WHERE t.type = 'table'"
)


class Unreadable(ValueError):
    """Bytes that are no image of a database."""


class Replica:
    """One image, opened.

    Args:
        app: whose tables it holds.
        image: the bytes of a SQLite database; empty makes a database without rows.

    Raises:
        Unreadable: the bytes are no database.
    """

    def __init__(self, app: App, image: bytes = b"") -> None:
        if image and not image.startswith(_MAGIC):
            raise Unreadable("it does not begin as a database does")
        self.app = app
        self._referred: tuple[int, dict[str, int]] | None = None
        self.connection = replica_engine().connect()
        try:
            load_image(self.connection, image or empty_image(app))
            with self.connection.begin():
                self.is_outdated = _fit_schema(self.connection, app)
                self.is_refitted = fit_list_indexes(self.connection, app)
        except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
            self.close()
            raise Unreadable(str(error)) from error

    def close(self) -> None:
        """Give the memory back."""
        self.connection.close()

    def image(self) -> bytes:
        """Return the bytes of the database."""
        return read_image(self.connection)

    def apply(self, answer: Mapping[str, Any]) -> None:
        """Put, remove and replace the rows of a pull's answer, in one transaction.

        Raises:
            ValueError, KeyError: the answer does not fit the app's tables.
        """
        tables = {name: known.table for name, known in self.app.tables.items()}
        replaced = answer.get("replace", ())
        with self.connection.begin():
            drop_list_indexes(self.connection, replaced)
            for name in replaced:
                self.connection.execute(sa.delete(tables[name]))
            for name, keys in answer.get("remove", {}).items():
                self._remove(tables[name], keys)
            for name, rows in answer.get("put", {}).items():
                self._put(tables[name], rows)
            if replaced:
                fit_list_indexes(self.connection, self.app)

    async def differences(self, digests: Mapping[str, Any]) -> list[str]:
        """Return the tables whose rows are not those that the server's digests are of."""
        found = []
        for name, theirs in digests.items():
            model = self.app.tables.get(name)
            if model is not None and await self._digest(model) != theirs:
                found.append(name)
        return found

    def references(self) -> dict[str, int]:
        """Return SHA-256 and size of everything that rows refer to; looked for after changes."""
        driver: Any = self.connection.connection.driver_connection
        if self._referred is None or self._referred[0] != driver.total_changes:
            self._referred = driver.total_changes, dict(self._attachments())
        return dict(self._referred[1])

    def _attachments(self) -> Iterator[tuple[str, int]]:
        for model in self.app.models.values():
            for field in model.fields.values():
                if field.kind not in ATTACHMENT_KINDS or field.private:
                    continue
                with self.connection.begin():
                    query = sa.select(field.column).where(field.column.is_not(None))
                    values = self.connection.scalars(query).all()
                for value in values:
                    for each in value if isinstance(value, list) else [value]:
                        if isinstance(each, Attachment):
                            yield each.sha256, each.size

    async def _digest(self, model: Model | LinkTable) -> dict[str, Any]:
        """Return the table's digest; lets others run meanwhile."""
        columns = public_columns(model)
        total = table_digest([])
        count, added = total["count"], int(total["sum"], 16)
        with self.connection.begin():
            rows = self.connection.execute(sa.select(*columns)).mappings().all()
        for start in range(0, len(rows), _BREATH_ROWS):
            for row in rows[start : start + _BREATH_ROWS]:
                if not is_readable(row.values()):
                    continue  # the sum differs, and the table is sent whole
                added += row_digest(row_to_wire(model.table, {c.name: row[c] for c in columns}))
                count += 1
            await asyncio.sleep(0)
        return {"count": count, "sum": f"{added % (1 << 128):032x}"}

    def _remove(self, table: sa.Table, keys: Sequence[Sequence[Any]]) -> None:
        names = [column.name for column in table.primary_key]
        for key in keys:
            values = row_from_wire(table, dict(zip(names, key, strict=True)))
            same = (table.columns[name] == value for name, value in values.items())
            self.connection.execute(sa.delete(table).where(*same))

    def _put(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        values = [row_from_wire(table, row) for row in rows]
        # not the table itself: its columns' Python defaults are for new rows, not for these
        columns = [sa.column(name, table.columns[name].type) for name in values[0]]
        plain = sa.table(table.name, *columns, schema=table.schema)
        insert = sa.insert(plain).prefix_with("OR REPLACE", dialect="sqlite")
        self.connection.execute(insert, values)


def _fit_schema(connection: sa.Connection, app: App) -> bool:
    """Add what an image of an older app lacks, so that it opens; say whether it lacked anything."""
    made = replica_metadata(app)
    found: dict[str, set[str]] = {}
    for table, column in connection.exec_driver_sql(_COLUMNS):
        found.setdefault(table, set()).add(column)
    outdated = not found.keys() >= made.tables.keys()
    if outdated:
        made.create_all(connection)
    quote = connection.dialect.identifier_preparer
    for table in made.tables.values():
        for column in table.columns:
            if column.name not in found.get(table.name, {column.name}):
                outdated = True
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(
                    f"ALTER TABLE {quote.format_table(table)} "
                    f"ADD COLUMN {quote.format_column(column)} {kind}"
                )
    return outdated


async def kept_pieces(
    platform: Platform, image: bytes, sound: Collection[str] | None = None
) -> tuple[list[str], list[Operation]]:
    """Return the image's pieces, and the operations that store the new and drop the old ones.

    Args:
        platform: whose store has the pieces.
        image: the bytes of a database.
        sound: pieces of an image that could be read: others may be damaged, and are stored again.
            None trusts all of them.
    """
    hashes = await platform.sha256_pieces(image, PIECE_BYTES)
    found: set[Any] = set(await platform.store.keys("pieces"))
    stored = found if sound is None else found & set(sound)
    operations: list[Operation] = []
    for number, name in enumerate(hashes):
        if name not in stored:
            start = number * PIECE_BYTES
            operations.append(("put", "pieces", name, image[start : start + PIECE_BYTES]))
            stored = stored | {name}
    operations += [("delete", "pieces", name) for name in sorted(map(str, found - set(hashes)))]
    return hashes, operations
