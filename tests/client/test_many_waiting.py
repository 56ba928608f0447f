"""Very many envelopes that wait: twice as many cost about twice, however they hang together."""

import random
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from fieldpost.odp.lineage.dependencies import footprint, hangs_on, same_record
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_client.outbox.dependencies import in_order_again, open_entries
from fieldpost_client.outbox.outbox import Entries, Entry
from fieldpost_client.sync.push import texts_first
from inspections.app import app

MOST_GROWTH = 2.5
MANY = 1_000
FILE = "0" * 64


def identity(number: int) -> str:
    return str(uuid.UUID(int=number))


def envelope(number: int, *operations: Operation, **parts: Any) -> Envelope:
    """Return an envelope of Ann's device; parts replace what it would have."""
    standard: dict[str, Any] = {
        "id": identity(number),
        "device": "d-1",
        "number": number,
        "previous": "",
        "app": app.name,
        "app_version": "v",
        "page": "inspection",
        "user": "ann",
        "saved_at": "2026-11-23T08:15:04.112+01:00",
        "base": "",
    }
    return Envelope(**{**standard, **parts}, operations=operations).sealed()


def edit(key: int) -> Operation:
    return Operation("update", "inspection", (key,), {"remarks": "x"}, {"remarks": "y"})


def apart(number: int) -> Envelope:
    return envelope(number, edit(number))


def of_one_record(number: int) -> Envelope:
    return envelope(number, edit(1))


def in_a_row(number: int) -> Envelope:
    return envelope(number, edit(number), after=tuple(range(max(number - 1, 1), number)))


def by_keys(number: int) -> Envelope:
    """Return an envelope whose new row names the one before."""
    values = {"remarks": "x", "site_id": 1 - number or 1}
    return envelope(number, Operation("insert", "inspection", (-number,), values))


def repairing(number: int) -> Envelope:
    supersedes = (identity(number - 1),) if number % 2 == 0 else ()
    return envelope(number, edit(number), supersedes=supersedes)


KINDS = (apart, of_one_record, in_a_row, by_keys, repairing)


def entry(made: Envelope) -> Entry:
    """Return an entry that the office has answered; it waits for others."""
    answer = Receipt(made.id, made.device, made.number, made.digest, Outcome.WAITING)
    return Entry(made, made.to_text(), record=(made.number,)).with_receipt(answer)


def found_by_id(home: Any) -> None:
    for number in home.outbox.entries:
        assert number == home.outbox.by_id(identity(number)).number
        assert home.outbox.by_id(f"no such {number}") is None


def behind_a_file(home: Any) -> None:
    first, *rest = home.outbox.entries.values()
    with_file = replace(first, envelope=replace(first.envelope, attachments=(FILE,)))
    texts_first([with_file, *rest])


WORKS: tuple[Callable[[Any], Any], ...] = (
    lambda home: home.sync_overview(home.user),
    lambda home: home.open_entries(app.pages["inspection"]),
    lambda home: home.trouble(home.user, open_entries(home.outbox.entries)[0].envelope.id),
    lambda home: home.trouble(home.user, open_entries(home.outbox.entries)[-1].envelope.id),
    lambda home: home.status(),
    lambda home: in_order_again(home.outbox.entries.values()),
    found_by_id,
    behind_a_file,
)
NAMES = ("sync page", "list", "first repair", "last repair", "pill", "order", "receipts", "files")


def cost(work: Callable[[], Any]) -> float:
    """Return seconds of processor time, the least of three."""
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("work", WORKS, ids=NAMES)
def test_twice_as_many_waiting_cost_about_twice(
    desk: Any, work: Callable[[Any], Any], kind: Callable[[int], Envelope]
) -> None:
    """No page of the device, and no step of a sync, takes the square of what waits."""
    seconds = []
    for count in (MANY, 2 * MANY):
        desk.home.outbox.entries = Entries({n: entry(kind(n)) for n in range(1, count + 1)})
        seconds.append(cost(lambda: work(desk.home)))
    few, many = seconds
    assert many <= max(MOST_GROWTH * few, 0.1), seconds


def belong(one: Envelope, other: Envelope) -> bool:
    earlier, later = sorted((one, other), key=lambda e: e.number)
    if earlier.number in later.after:
        return True
    return footprint(later.operations).builds_on(footprint(earlier.operations))


def same_record_in_so_many_words(asked: Envelope, others: Iterable[Envelope]) -> list[int]:
    chain, known = {asked.number}, {e.number: e for e in others if e.page == asked.page}
    for _ in known:
        chain |= {n for n in known if any(belong(known[n], known[c]) for c in chain if c != n)}
    return sorted(chain)


def hangs_on_in_so_many_words(chain: Iterable[Envelope], others: Iterable[Envelope]) -> list[int]:
    reached = {e.number: e for e in chain}
    hanging = []
    for each in sorted(others, key=lambda e: e.number):
        earlier = [e for n, e in reached.items() if n < each.number]
        if each.number not in reached and any(belong(e, each) for e in earlier):
            reached[each.number] = each
            hanging.append(each.number)
    return hanging


def any_envelope(number: int, chance: random.Random) -> Envelope:
    """Return an envelope that may hang together with others in any way."""
    operations = []
    for _ in range(chance.randint(1, 2)):
        key, named = chance.randint(-6, 9) or 1, chance.randint(-6, 4)
        do = "insert" if key < 0 and chance.random() < 0.5 else "update"
        was = {} if do == "insert" else {"site_id": 1}
        operations.append(Operation(do, "inspection", (key,), {"site_id": named}, was))
    earlier = range(1, number)
    after = chance.sample(earlier, min(len(earlier), chance.choice((0, 0, 0, 1, 2))))
    page = chance.choice(("inspection", "inspection", "site"))
    return envelope(number, *operations, after=tuple(sorted(after)), page=page)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(60))
def test_what_hangs_together_is_found(seed: int) -> None:
    """What is found in one go is what comparing each with each finds."""
    chance = random.Random(seed)
    every = [any_envelope(number, chance) for number in range(1, 13)]
    for asked in every:
        chain = same_record(asked, every)
        assert same_record_in_so_many_words(asked, every) == [e.number for e in chain]
        found = [e.number for e in hangs_on(chain, every)]
        assert hangs_on_in_so_many_words(chain, every) == found
