"""After each sync device and server are proven equal; what is damaged is put right."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_client.replica.replica import Replica, kept_pieces
from fieldpost_server.proofs.checksums import Checksums
from inspections.models import Inspection


def test_difference_is_repaired_and_reported(desk: Any) -> None:
    """A replica that is not what the server has is put right, and it is said (R47)."""
    image = asyncio.run(desk.store.read_image(desk.home.state.pieces))
    damaged = Replica(desk.home.app, image)
    with damaged.connection.begin():
        damaged.connection.execute(sa.update(Inspection).values(remarks="Damaged"))
    pieces, operations = asyncio.run(kept_pieces(desk.platform, damaged.image()))
    damaged.close()
    current = {**desk.store.tables["replica"]["current"], "pieces": pieces}
    asyncio.run(desk.store.write([*operations, ("put", "replica", "current", current)]))
    desk.restart()
    assert desk.remarks() == ["Damaged"]
    report = desk.sync()
    assert report["repaired"] == ["inspection"]
    assert desk.remarks() == ["Of ann"]


def test_proof_is_not_repeated_needlessly(
    desk: Any, office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that was proven and is untouched since is not gone through again (R47)."""
    seen: list[list[str]] = []
    differences = Replica.differences

    async def watched(replica: Replica, digests: Any) -> list[str]:
        seen.append(sorted(digests))
        return await differences(replica, digests)

    monkeypatch.setattr(Replica, "differences", watched)
    desk.sync()
    desk.restart()
    desk.sync()
    office.change(1, remarks="Changed")
    desk.sync()
    assert desk.remarks() == ["Changed"]
    first, second = seen
    assert {"finding", "inspection", "site"} <= set(first)
    # what changed was taken out of the proven sum as it was, and put in as it is
    assert second == []


@pytest.mark.parametrize(
    ("lies", "repaired", "unproven"),
    [(2, ["inspection"], []), (9, [], ["inspection"])],
    ids=["until the download", "always"],
)
def test_what_a_repair_does_not_put_right_is_downloaded_and_proven(
    desk: Any, monkeypatch: pytest.MonkeyPatch, lies: int, repaired: list[str], unproven: list[str]
) -> None:
    """A download is proven like every pull; only what differs after it is unproven (R47)."""
    digests, left = Checksums.digests, [lies]

    def wrong(checksums: Checksums, session: Any, plan: Any, **how: Any) -> Any:
        found = digests(checksums, session, plan, **how)
        left[0] -= 1
        return found if left[0] < 0 else {**found, "inspection": {"count": 7, "sum": "0" * 32}}

    monkeypatch.setattr(Checksums, "digests", wrong)
    report = desk.sync()

    assert (report["outcome"], report["full"]) == ("done", True)
    assert (report["repaired"], report["unproven"]) == (repaired, unproven)
    assert desk.remarks() == ["Of ann"]
    assert ("Differs from the office" in desk.get("/sync")["body"]) == bool(unproven)
    left[0] = 0
    report = desk.sync()
    assert (report["full"], report["repaired"], report["unproven"]) == (False, [], [])


def test_unknown_cursor_gets_everything(desk: Any, office: Any) -> None:
    """A device that was away too long gets a full download, its pending work replayed (R48)."""
    desk.add("Pending")
    office.change(1, remarks="Changed")
    desk.home.state.cursor = "f1.00000000000000000000000000000000.1.x"
    report = desk.sync()
    assert (report["outcome"], report["full"], report["accepted"]) == ("done", True, 1)
    assert desk.remarks() == ["Changed", "Pending"]


def test_lost_piece_of_the_replica_asks_for_a_download(desk: Any) -> None:
    """A damaged replica is downloaded again; the outbox is kept."""
    desk.add("Pending")
    desk.store.tables["pieces"].clear()
    assert desk.restart()["needs"] == "download"
    assert desk.download()["outcome"] == "done"
    assert sorted(desk.remarks()) == ["Of ann", "Pending"]
    assert desk.sync()["accepted"] == 1


def test_sync_without_changes_rewrites_nothing(desk: Any, office: Any) -> None:
    """A sync that changes one row rewrites the pieces that hold it, not the database."""
    before = dict(desk.store.tables["pieces"])
    desk.sync()
    assert desk.store.tables["pieces"] == before
    office.change(1, remarks="Changed")
    desk.sync()
    assert desk.remarks() == ["Changed"]


def test_sync_without_changes_makes_nothing_anew(desk: Any, office: Any) -> None:
    """Where nothing has changed the replica is not opened, and what is seen stays."""
    desk.sync()
    seen, stored = desk.home.working, dict(desk.store.tables["pieces"])

    assert desk.sync()["pulled"] == 0
    assert desk.home.working is seen
    assert stored == desk.store.tables["pieces"]
    desk.restart()
    office.change(1, remarks="Changed")
    assert desk.sync()["pulled"] == 1
    assert desk.remarks() == ["Changed"]
