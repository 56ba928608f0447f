"""What goes wrong in a page of another engine is seen, and kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from browser.engines.person import Person
from browser.engines.webdriver import until

pytestmark = pytest.mark.browser


def test_an_error_that_no_page_catches_is_seen_and_kept(
    new_person: Callable[..., Person], tmp_path: Path
) -> None:
    """A test leaves the console and a picture of the window, and fails for what a page threw."""
    person = new_person()
    person.window.navigate(f"{person.origin}/")
    person.find("field", "Password")
    assert [] == person.engine.faults()
    person.window.run("setTimeout(() => { throw new RangeError('a complaint'); })")
    until(person.engine.faults, "the fault is seen")
    kept = tmp_path / "kept"
    kept.mkdir()
    person.engine.keep(kept)
    person.engine.forget()  # it was meant to go wrong

    name = person.engine.name
    assert {f"{name}.console.txt", f"{name}.png"} == {path.name for path in kept.iterdir()}
    assert "a complaint" in (kept / f"{name}.console.txt").read_text()
    assert (kept / f"{name}.png").read_bytes().startswith(b"\x89PNG")
