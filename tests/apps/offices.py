"""Servers like that of the fixture `office`, with other settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fieldpost_server.application import make_application


@contextmanager
def office_like(office: Any, **settings: Any) -> Iterator[Any]:
    """Serve the same database with changed settings."""
    changed = replace(office.settings, **settings)
    made = type(office)(changed, make_application(changed, office.home.asset.__self__))
    try:
        yield made
    finally:
        made.close()
