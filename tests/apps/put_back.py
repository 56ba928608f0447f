"""A server that is put back to an earlier state of its database, on SQLite and on PostgreSQL."""

from typing import Any

import sqlalchemy as sa

from fieldpost_server.storage import tables

COUNTED = ("visit", "order", "Drug %s list")


class Backup:
    """All rows of an office, and where its counters stood; `restore` puts it back to that."""

    def __init__(self, office: Any) -> None:
        self.office = office
        self.tables = [*office.home.app.base.metadata.sorted_tables, *tables.metadata.sorted_tables]
        with office.database.engine.connect() as connection:
            self.rows = {
                table.name: [dict(r) for r in connection.execute(sa.select(table)).mappings()]
                for table in self.tables
            }
            self.counters = self._counters(connection)

    def restore(self) -> None:
        with self.office.database.engine.begin() as connection:
            for table in reversed(self.tables):
                connection.execute(sa.delete(table))
            for table in self.tables:
                if self.rows[table.name] and table is not tables.change:
                    connection.execute(sa.insert(table), self.rows[table.name])
            # the triggers have seen it all; what is forgotten comes later than the backup
            connection.execute(sa.delete(tables.change))
            aged = [{**row, "at": row["at"] - 60} for row in self.rows[tables.change.name]]
            connection.execute(sa.insert(tables.change), aged)
            for name, value in self.counters.items():
                connection.execute(_set_counter(connection), {"name": name, "value": value})

    def _counters(self, connection: sa.Connection) -> dict[str, int]:
        if connection.dialect.name == "sqlite":
            rows = connection.execute(sa.text("SELECT name, seq FROM sqlite_sequence"))
            return {name: value for name, value in rows if name in COUNTED}
        found: dict[str, int] = {}
        for name in COUNTED:
            query = sa.text(f"SELECT pg_get_serial_sequence('\"{name}\"', 'id')")
            sequence = str(connection.scalar(query)).replace("%", "%%")
            value = connection.exec_driver_sql(f"SELECT last_value FROM {sequence}").scalar_one()
            found[sequence.replace("%%", "%")] = value
        return found


def _set_counter(connection: sa.Connection) -> sa.TextClause:
    if connection.dialect.name == "sqlite":
        return sa.text("UPDATE sqlite_sequence SET seq = :value WHERE name = :name")
    return sa.text("SELECT setval(CAST(:name AS text)::regclass, :value)")
