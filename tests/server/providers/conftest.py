"""Fixtures of providers of identities."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.offices import office_like
from apps.openid_providers import SETTINGS, FakeProvider
from fieldpost_server.providers import openid


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider that says what the test wants."""
    made = FakeProvider()
    monkeypatch.setattr(openid, "_asked", made.answer)
    return made


@pytest.fixture
def serve(office: Any) -> Callable[..., Any]:
    """Return what serves the database with a provider in the settings."""

    def like(**settings: Any) -> Any:
        return office_like(office, **{**SETTINGS, **settings})

    return like


@pytest.fixture
def served(serve: Callable[..., Any]) -> Iterator[Any]:
    """A server whose provider is `fake`."""
    with serve() as made:
        yield made
