"""The office of the stories, on each database."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from convergence.office import Office
from fieldpost_server.restore import restore_notices
from fieldpost_server.sync import calls


async def _run_here(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


@pytest.fixture
def office(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Return a server with an empty database of its own."""
    # each receipt at once: where an answer breaks off is for the story to say, not for the clock
    monkeypatch.setattr(calls, "FLUSH_S", -1)
    # one call is made after the other: a change of threads for each would only cost time
    monkeypatch.setattr(anyio.to_thread, "run_sync", _run_here)
    # between two restores of a story lie days
    monkeypatch.setattr(restore_notices, "ONE_IN", timedelta(0))
    made = Office(database_url, tmp_path)
    yield made
    made.close()
