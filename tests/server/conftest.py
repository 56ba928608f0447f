"""Fixtures of the server's tests: each runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from fieldpost_server import tables
from fieldpost_server.database import Database
from fieldpost_server.settings import Settings


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, without tables."""
    opened = Database(Settings(database=database_url).database_url)
    yield opened
    opened.close()


@pytest.fixture
def fieldpost_database(database: Database) -> Database:
    """A database with Fieldpost's own tables."""
    tables.metadata.create_all(database.engine)
    return database
