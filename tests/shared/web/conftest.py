"""A home in memory and a browser in front of it."""

import pytest

from apps.fakes import FakeBrowser, FakeHome, rows


@pytest.fixture
def home() -> FakeHome:
    """A home with a visit of Anna's that has two orders, one of Bert's, and their patients."""
    made = FakeHome()
    made.add(*rows())
    return made


@pytest.fixture
def browser(home: FakeHome) -> FakeBrowser:
    """Anna's browser."""
    return FakeBrowser(home)
