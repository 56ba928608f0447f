"""Private windows of Firefox and WebKitGTK: they forget everything, and the person is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from browser.engines.filling import inspect, photo
from browser.engines.person import Person

pytestmark = pytest.mark.browser

NewPerson = Callable[..., Person]


def test_a_private_window_says_that_it_forgets_and_takes_photos(
    new_person: NewPerson, tmp_path: Path
) -> None:
    """From the first start on, the words are true: nothing stays, and nothing is short of space."""
    worker = new_person(is_private=True)
    worker.sign_in("worker1")
    worker.reads("This is a private window", 60)
    worker.until_started()
    inspect(worker, "Made in private", photo(tmp_path))
    worker.reads("This is a private window: it forgets everything when it is closed.")
    assert "space" not in worker.words()
    assert "clean" == worker.sync()
