"""Whatever happens in whatever order, everybody ends up with the same, and nothing is lost.

`FIELDPOST_SEQUENCES=20000` tells that many stories on each database, others in every run.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from convergence.office import Office
from convergence.story import Story

pytestmark = pytest.mark.long

ASKED = int(os.environ.get("FIELDPOST_SEQUENCES", "0"))
VOLUMES = range(4)
"""Every volume has stories of its own, so that no single test takes minutes."""
WANTED = {"sqlite": ASKED or 200, "postgresql": ASKED or 52}
STEPS = 8
COLLISIONS = {"accepted", "merged", "conflict", "invalid", "superseded", "discarded"}
"""Stories in which nothing of this happens would prove nothing."""


@pytest.mark.parametrize("volume", VOLUMES)
def test_everybody_converges(office: Office, volume: int) -> None:
    """After any story every device equals its scope, and every envelope had one effect (R26)."""
    name = office.engine.dialect.name
    told = Counter[str]()
    machine = type("Story", (Story,), {"office": office, "told": told})
    if not ASKED:
        seed(volume)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=WANTED[name],
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=bool(ASKED),
            phases=[Phase.generate, *({Phase.shrink} & set(settings().phases))],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert told["sequences"] >= WANTED[name]
    assert told.keys() >= COLLISIONS, told
    assert told.keys() & {"void too late", "repair too late"}, told


def test_enough_stories_are_told() -> None:
    """No run tells fewer than a thousand stories in all (R26)."""
    assert sum(WANTED.values()) * len(VOLUMES) >= 1000
