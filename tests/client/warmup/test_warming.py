"""Everything that a start needs is imported and compiled before the memory snapshot."""

from typing import Any

import pytest

from fieldpost.errors import DefinitionError
from fieldpost.loading import load_app
from fieldpost_client import main
from fieldpost_client.main import Client
from fieldpost_client.warmup.warming import warm_up
from inspections.app import app


class Watched(Client):
    """A client that remembers how its requests went."""

    statuses: list[tuple[str, int]] = []  # noqa: RUF012 - shared on purpose: the warmer makes it

    async def request(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = await super().request(asked)
        self.statuses.append((asked["path"], answer["status"]))
        return answer


def test_warming_shows_lists_and_forms_and_never_waits() -> None:
    """Lists, forms and the sync page were made once, without an event loop."""
    Watched.statuses.clear()
    main._finish(warm_up(Watched, app))
    good = {path for path, status in Watched.statuses if status == 200}
    assert {"/", "/sync", "/pages/inspection", "/pages/inspection/new", "/pages/site"} <= good
    assert not [found for found in Watched.statuses if found[1] >= 500]


def test_warm_takes_the_app_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker names the app in the environment and calls `warm` without arguments."""
    monkeypatch.setenv(main.APP, "inspections.app:app")
    main.warm()
    assert load_app("inspections.app:app") is app


def test_unknown_app_is_named() -> None:
    """An app that cannot be loaded is named in the message."""
    with pytest.raises(DefinitionError, match=r"module .nowhere. cannot be found"):
        load_app("nowhere:app")
