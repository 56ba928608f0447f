"""What must be true when everybody has synchronised."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from apps.errands import Errand, Item, Memo, Place, errand_stop
from convergence.history import History
from convergence.office import MODELS, Office
from convergence.worker import Worker
from fieldpost_client.outbox import ATTENTION
from fieldpost_server import tables

APPLIED = {"accepted", "merged"}
REFUSED = {"conflict", "invalid", "forbidden"}


def check_story(office: Office, workers: Iterable[Worker], history: History) -> list[str]:
    """Check everything; return the outcomes that there were."""
    table = tables.envelope
    kept = office.rows(sa.select(table).order_by(table.c.device, table.c.number))
    _check_chains(kept)
    by_id = {row["id"]: row for row in kept}
    assert len(by_id) == len(kept)
    for worker in workers:
        _check_outbox(worker, by_id)
        _check_rows(office, worker)
    applied = {row["id"] for row in kept if row["outcome"] in APPLIED}
    rows = [
        (name, row)
        for name, model in MODELS.items()
        for row in office.rows(sa.select(model.__table__))
    ]
    assert [] == list(history.faults(applied, rows))
    stopping = sa.select(Errand.mark, errand_stop.c.place_code).join(errand_stop)
    stops = {(row["mark"], row["place_code"]) for row in office.rows(stopping)}
    assert [] == list(history.stop_faults(applied, stops))
    return [row["outcome"] for row in kept]


def _check_chains(kept: list[Mapping[str, Any]]) -> None:
    """Go through the numbers of every device and the digests of what was kept."""
    last: dict[str, tuple[int, str]] = {}
    for row in kept:
        number, digest = last.get(row["device"], (0, ""))
        content = json.loads(row["content"])
        assert (number + 1, digest) == (row["number"], content["previous"]), "the chain is broken"
        assert row["digest"] == content.pop("digest") == _digest(content)
        last[row["device"]] = (row["number"], row["digest"])


def _digest(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _check_outbox(worker: Worker, by_id: Mapping[str, Mapping[str, Any]]) -> None:
    """Find each saved envelope once: in the history, or visible in the outbox with its reason."""
    outbox, done = worker.home.outbox, worker.home.outbox.history
    assert not outbox.broken
    assert sorted(worker.saved) == list(range(1, len(worker.saved) + 1)), "a number is missing"
    stuck: set[tuple[str, int]] = set()
    unapplied: set[int] = set()
    for number, envelope in worker.saved.items():
        there = by_id.get(envelope["id"])
        assert there is not None, f"{worker.name}'s envelope {number} never arrived"
        assert there["digest"] == envelope["digest"]
        entry = outbox.entries.get(number)
        if there["outcome"] in APPLIED:
            assert entry is None, f"{worker.name}'s envelope {number} is applied and still waits"
            assert envelope["id"] in done
            continue
        assert entry is not None, f"{worker.name}'s envelope {number} is gone without effect"
        assert envelope["id"] not in done
        if there["outcome"] == "waiting":
            waits_for = stuck & set(_keys(envelope)) or unapplied & set(envelope["after"])
            assert waits_for, f"envelope {number} waits for nothing"
        else:
            assert there["outcome"] in REFUSED
            assert entry.state == ATTENTION
            assert entry.receipt is not None
            assert entry.receipt.problems, "nobody says why"
        unapplied.add(number)
        stuck |= {
            (o["model"], o["key"][0])
            for o in envelope["operations"]
            if o["do"] == "insert" and o["model"] in ("errand", "item")
        }


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
