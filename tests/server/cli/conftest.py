"""The command line, as tests give its words and read its answers."""

from collections.abc import Callable
from typing import Any

import pytest

from fieldpost_server.cli.main import main

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(office: Any, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `fieldpost` and gives its status and its words."""
    settings = office.settings
    options = ["--data", str(settings.data), "--database", settings.database_url]

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(["--app", "apps.clinic:app", *options, *words])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run
