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
_told: dict[str, Counter[str]] = {}


@pytest.mark.parametrize("volume", VOLUMES)
def test_everybody_converges(office: Office, volume: int) -> None:
    """After any story every device equals its scope, and every envelope had one effect (R26)."""
    name = office.engine.dialect.name
    told = _told[f"{name}-{volume}"] = Counter()
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
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert told["sequences"] >= WANTED[name]


def test_enough_stories_were_told(request: pytest.FixtureRequest) -> None:
    """No run passes with fewer than a thousand stories in all (R26)."""
    if "postgres" in os.environ.get("FIELDPOST_WITHOUT", ""):
        pytest.skip("FIELDPOST_WITHOUT leaves a database out")
    ran = {item.name for item in request.session.items}
    names = {f"test_everybody_converges[{name}-{each}]" for name in WANTED for each in VOLUMES}
    assert names <= ran, sorted(names - ran)
    assert sum(told["sequences"] for told in _told.values()) >= 1000
    # stories in which nothing ever collides would prove nothing
    for name in WANTED:
        told = sum((_told[f"{name}-{volume}"] for volume in VOLUMES), Counter[str]())
        wanted = {"accepted", "merged", "conflict", "invalid", "superseded", "discarded"}
        assert wanted | {"void too late", "repair too late"} <= told.keys(), told
