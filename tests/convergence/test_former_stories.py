"""Stories that failed once, told again each time."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from convergence import machine
from convergence.office import Office
from convergence.story import Story

PHONE = "ann's phone"


@pytest.fixture
def story(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """A story without a word yet; its end is compared as that of every other."""
    monkeypatch.setattr(machine, "note", print)  # Hypothesis, which tells the others, is not here
    told = type("Told", (Story,), {"office": office, "told": Counter[str]()})()
    yield told
    told.teardown()


def _adds_memo(story: Story) -> None:
    story.adds_memo(device=PHONE, which=0)
    story.edits(device=PHONE, what="title", which=0)


def _deletes(story: Story) -> None:
    story.deletes(device=PHONE, model="errand", which=0)


def _adds_errand(story: Story) -> None:
    story.adds_errand(device=PHONE, badge="", items=0)


@pytest.mark.parametrize("goes_on", [_adds_memo, _deletes, _adds_errand])
def test_what_is_saved_after_a_late_void_builds_on_what_it_was_to_discard(
    story: Story, goes_on: Callable[[Story], None]
) -> None:
    """A void that comes too late breaks no chain, although the device started anew since (R26)."""
    story.discards_what_waits(device=PHONE, lost=True, which=0)
    story.restarts(device=PHONE)
    goes_on(story)


def test_a_late_void_may_be_answered_twice(story: Story) -> None:
    """The second answer is no receipt of something unknown (R26)."""
    story.discards_what_waits(device=PHONE, lost=True, which=0)
    story.syncs(device=PHONE, disorder="doubled")
