"""What must be true when everybody has synchronised."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from apps.errands import Errand, Item, Memo, Place, errand_stop
from convergence.history import History
from convergence.office import MODELS, Office
from convergence.worker import Worker
from fieldpost_client.outbox.outbox import ATTENTION
from fieldpost_server.inbox.dependencies import missing_numbers
from fieldpost_server.storage import tables

APPLIED = {"accepted", "merged"}
ENDS = {"superseded", "discarded"}
REFUSED = {"conflict", "invalid", "forbidden"}


@dataclass
class Ledger:
    """What the office has kept.

    Attributes:
        kept: envelopes by id, voids among them.
        settled: how those ended that were not applied, by id.
    """

    kept: dict[str, Mapping[str, Any]]
    settled: dict[str, Mapping[str, Any]]

    def is_applied(self, identity: str) -> bool:
        return identity in self.kept and self.kept[identity]["outcome"] in APPLIED


def check_story(office: Office, workers: Iterable[Worker], history: History) -> list[str]:
    """Check everything; return what there was: outcomes, ends, and what came too late."""
    table = tables.envelope
    kept = office.rows(sa.select(table).order_by(table.c.device, table.c.number))
    _check_chains(kept)
    ended = {row["envelope"]: row for row in office.rows(sa.select(tables.settlement))}
    ledger = Ledger({row["id"]: row for row in kept}, ended)
    assert len(ledger.kept) == len(kept)
    _check_ends(ledger)
    late: list[str] = []
    for worker in workers:
        _check_outbox(worker, ledger)
        late += _too_late(worker, ledger)
        _check_rows(office, worker)
        with office.home.session() as session:
            assert [] == missing_numbers(session, worker.home.state.device)
    applied = {identity for identity in ledger.kept if ledger.is_applied(identity)}
    rows = [
        (name, row)
        for name, model in MODELS.items()
        for row in office.rows(sa.select(model.__table__))
    ]
    faults = list(history.faults(applied, rows))
    assert [] == faults, faults
    stopping = sa.select(Errand.mark, errand_stop.c.place_code).join(errand_stop)
    stops = {(row["mark"], row["place_code"]) for row in office.rows(stopping)}
    assert [] == list(history.stop_faults(applied, stops))
    return [row["outcome"] for row in kept] + [row["how"] for row in ended.values()] + late


def _check_chains(kept: list[Mapping[str, Any]]) -> None:
    """Go through the numbers of every device and the digests of what was kept."""
    chains: dict[str, dict[int, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in kept:
        chains[row["device"]][row["number"]].append(row)
    for chain in chains.values():
        assert list(range(1, len(chain) + 1)) == list(chain), "a number is missing"
        before = {""}
        for number, rows in chain.items():
            digests = set()
            for row in rows:
                content = json.loads(row["content"])
                assert content["previous"] in before, f"the chain is broken at {number}"
                assert row["digest"] == content.pop("digest") == _digest(content)
                # who came next may have been sealed before this was discarded
                digests |= {row["digest"], (content.get("voids") or {}).get("digest", "")} - {""}
            # an envelope and the void that discards it
            assert [row["void"] for row in rows] in ([False], [True], [False, True], [True, False])
            assert len(digests) <= 2, f"number {number} stands for several envelopes"
            before = digests


def _check_ends(ledger: Ledger) -> None:
    """See that what was settled was never applied, and that what settled it was."""
    for identity, end in ledger.settled.items():
        assert end["how"] in ENDS
        assert not ledger.is_applied(identity), f"{identity} is applied and {end['how']}"
        assert ledger.is_applied(end["by"]), f"{identity} ended by what was not applied"
        by = json.loads(ledger.kept[end["by"]]["content"])
        discards = (by.get("voids") or {}).get("id")
        assert identity in ([discards] if end["how"] == "discarded" else by["supersedes"])


def _digest(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _check_outbox(worker: Worker, ledger: Ledger) -> None:
    """Find each saved envelope once: applied, settled, or visible in the outbox with its reason."""
    outbox = worker.home.outbox
    assert not outbox.broken
    assert sorted(worker.saved) == list(range(1, len(worker.saved) + 1)), "a number is missing"
    assert outbox.entries.keys() <= worker.saved.keys()
    open_now: dict[int, Mapping[str, Any]] = {}
    dead: set[tuple[str, int]] = set()
    for number, envelope in worker.saved.items():
        name, identity = f"{worker.name}'s envelope {number}", envelope["id"]
        there, entry = ledger.kept.get(identity), outbox.entries.get(number)
        assert there is None or there["digest"] == envelope["digest"]
        told = {identity, *worker.voids.get(number, ())}
        is_settled = identity in ledger.settled
        if is_settled:
            dead |= set(_new_keys(envelope))
        if is_settled or ledger.is_applied(identity):
            assert entry is None, f"{name} has found its end and is still in the outbox"
            assert told & outbox.history.keys(), f"{name} has left no trace"
            assert is_settled or identity in outbox.history
            continue
        assert there is not None, f"{name} never arrived"
        assert entry is not None, f"{name} is gone without effect"
        assert entry.envelope.id == identity, f"{name} is not what is in its place"
        assert not told & outbox.history.keys()
        if there["outcome"] == "waiting":
            assert _waits(envelope, open_now, dead), f"{name} waits for nothing"
        else:
            assert there["outcome"] in REFUSED
            assert entry.state == ATTENTION
            assert entry.receipt is not None
            assert entry.receipt.problems, "nobody says why"
        open_now[number] = envelope


def _too_late(worker: Worker, ledger: Ledger) -> Iterable[str]:
    """Yield what a device did about envelopes that had found their end before."""
    for number, envelope in worker.saved.items():
        if number in worker.voids and ledger.is_applied(envelope["id"]):
            yield "void too late"
        there = ledger.kept.get(envelope["id"])
        if there is not None and "already_settled" in there["receipt"]:
            yield "repair too late"


def _waits(
    envelope: Mapping[str, Any],
    earlier: Mapping[int, Mapping[str, Any]],
    dead: set[tuple[str, int]],
) -> bool:
    """Say whether an envelope has a reason to wait, given the earlier ones that are open.

    What builds on something discarded waits for all of them: one could still bring it.
    """
    needs = set(_keys(envelope))
    stuck = {key for each in earlier.values() for key in _new_keys(each)}
    builds_on = earlier.keys() & set(envelope.get("after") or ())
    return bool(builds_on or needs & stuck or (earlier and needs & dead))


def _new_keys(envelope: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """Yield the temporary keys that an envelope brings."""
    for operation in envelope["operations"]:
        if operation["do"] == "insert" and operation["model"] in ("errand", "item"):
            yield operation["model"], operation["key"][0]


def _keys(envelope: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """Yield the temporary keys that an envelope needs."""
    for operation in envelope["operations"]:
        yield operation["model"], operation["key"][0]
        for values in (operation.get("set", {}), operation.get("was", {})):
            for name in ("errand_id", "after_id"):
                if name in values:
                    yield "errand", values[name]


def _check_rows(office: Office, worker: Worker) -> None:
    """Compare with the scope, asked for in plain SQL and not as a pull does."""
    mine = Errand.assignee == worker.user.name
    own = sa.select(Errand.id).where(mine)
    queries = {
        "errand": sa.select(Errand.__table__).where(mine).order_by(Errand.id),
        "item": sa.select(Item.__table__).where(Item.errand_id.in_(own)).order_by(Item.id),
        "place": sa.select(Place.__table__),
        "errand_stop": sa.select(errand_stop).where(errand_stop.c.errand_id.in_(own)),
        "memo": sa.select(Memo.__table__).where(Memo.writer == worker.user.name),
    }
    scope = {name: office.rows(query) for name, query in queries.items()}
    assert _sorted(scope) == _sorted(worker.replica_rows()), f"{worker.name} differs from the scope"
    if not worker.home.outbox.entries:
        seen = worker.working_rows()
        assert _sorted(scope) == _sorted(seen), f"{worker.name} sees something else"


def _sorted(rows: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, list[Mapping[str, Any]]]:
    return {name: sorted(each, key=lambda r: str(r.get("mark", r))) for name, each in rows.items()}
