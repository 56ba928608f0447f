"""The commands about quotas: who has taken how much, and a fresh start (R34)."""

from typing import Any

import pytest

from fieldpost_server.quotas.kinds import Kind


@pytest.mark.passes("quota-unfreed")
def test_quotas_are_listed_and_freed(office: Any, command: Any) -> None:
    """An administrator sees who is near a quota, and lets her go on without waiting."""
    office.home.quotas.limits[Kind.DEVICES] = 1
    device = office.device("anna", download=False)
    fresh = {"device": "d-00000000-0000-4000-8000-000000000001"}
    refused = device.client.post("/sync/device", json=fresh)
    status, said = command("quota", "list")
    near = command("quota", "list", "--near")
    freed = command("quota", "free", "anna")
    unknown = command("quota", "free", "nobody")

    assert 429 == refused.status_code
    assert 0 == status
    assert ["anna\tdevices\t1\t50\t2 %", "anna\tsessions\t1\t200\t0 %"] == said.splitlines()
    # the command knows the settings of the environment, and by those nobody is near
    assert (0, "") == near
    assert (0, "Forgot what anna has taken today (2 counts).\n") == freed
    assert 1 == unknown[0]
    assert 200 == device.client.post("/sync/device", json=fresh).status_code
