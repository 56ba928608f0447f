"""Fixtures of the browser tests: a real server, a proxy in front of it, real Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a data folder with the demo's data, once."""
    data = tmp_path_factory.mktemp("seeded") / "data"
    office = Office(data)
    office.start()
    office.stop()
    return data


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the server, for a test to override."""
    return {}


@pytest.fixture
def office(seeded: Path, tmp_path: Path, settings: dict[str, str]) -> Iterator[Office]:
    """Run a server on data of its own."""
    shutil.copytree(seeded, tmp_path / "data")
    made = Office(tmp_path / "data", settings)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def proxy(office: Office) -> Iterator[FaultProxy]:
    """Give browsers an address that stays."""
    made = FaultProxy()
    made.target = office.port
    yield made
    made.close()


@pytest.fixture
def new_device(
    playwright: Playwright, chromium_path: str, proxy: FaultProxy, tmp_path: Path
) -> Iterator[Callable[..., Device]]:
    """Start browsers on profiles of their own; afterwards none of them may have faults."""
    made: list[Device] = []

    def start(**options: Any) -> Device:
        profile = tmp_path / f"profile{len(made)}"
        made.append(Device(playwright, chromium_path, profile, proxy.origin, **options))
        return made[-1]

    yield start
    for device in made:
        device.close()
    faults = [fault for device in made for fault in device.faults]
    assert not faults
