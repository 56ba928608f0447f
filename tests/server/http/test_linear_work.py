"""Work is linear in the bytes that come from outside (R66)."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from apps import clinic
from fieldpost.odp.form.rows import row_from_post
from fieldpost.text import jsontext

FORM = clinic.app.page("visit").layout
MOST_GROWTH = 2.5
MOST_BYTES = 60 << 20


def brackets(n: int) -> None:
    row_from_post(FORM, [("[1]" * n, "x")])


def deep_rows(n: int) -> None:
    row_from_post(FORM, [("orders" + "[1].doses" * n, "x")])


def many_rows(n: int) -> None:
    row_from_post(FORM, [(f"orders[{i % 1000}].doses[{i}].amount", "1") for i in range(n // 10)])


def many_names(n: int) -> None:
    row_from_post(FORM, [(f"{i}[1].x", "x") for i in range(n)])


def deep_json(n: int) -> None:
    with pytest.raises(ValueError, match="deep"):
        jsontext.parse("[" * n)


def wide_json(n: int) -> None:
    jsontext.parse(f"[{'[],' * n}[]]")


def cost(work: Callable[[int], None], n: int) -> tuple[float, int]:
    """Return seconds of processor time, the least of three, and bytes at the peak."""
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        work(n)
        seconds.append(time.process_time() - begun)
    tracemalloc.start()
    try:
        work(n)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return min(seconds), peak


@pytest.mark.parametrize(
    "work",
    [brackets, deep_rows, many_rows, many_names, deep_json, wide_json],
    ids=lambda work: work.__name__,
)
def test_twice_as_much_costs_about_twice(work: Callable[[int], None]) -> None:
    """The worst case of each parser grows with its bytes, and never with their square."""
    n = 20_000
    seconds, peak = cost(work, n)
    more_seconds, more_peak = cost(work, 2 * n)

    assert more_peak <= max(MOST_GROWTH * peak, 1 << 20), (peak, more_peak)
    # what grows with the square takes minutes at this size
    assert more_seconds <= max(MOST_GROWTH * seconds, 0.5), (seconds, more_seconds)
    assert more_peak < MOST_BYTES
