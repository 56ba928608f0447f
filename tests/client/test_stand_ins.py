"""What stands in for the browser on the desk is as the browser is."""

import re
from pathlib import Path

from fieldpost_client.platform.memory import STORES

SCRIPT = Path(__file__).parents[2] / "pwa" / "store.js"


def test_the_store_in_memory_has_the_stores_of_the_browsers() -> None:
    """A store that one side lacks would show on a device first."""
    listed = re.search(r"const STORES = \[(.*?)\]", SCRIPT.read_text("utf-8"), re.DOTALL)
    assert listed is not None

    assert re.findall(r'"(\w+)"', listed[1]) == list(STORES)
