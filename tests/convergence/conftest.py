"""The office of the stories, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from convergence.office import Office


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """Return a server with an empty database of its own."""
    made = Office(database_url, tmp_path)
    yield made
    made.close()
