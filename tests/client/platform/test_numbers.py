"""Whole numbers survive the border to JavaScript, whatever their size (R21, R31)."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpost_client.platform.memory import HostStore
from fieldpost_client.platform.numbers import MOST, packed, unpacked

KEY = 175928847299117063
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$whole"), inner),
    max_leaves=20,
)


def through_javascript(data: Any) -> Any:
    """Return data as JSON.parse and JSON.stringify give it back."""
    read = json.loads(json.dumps(data), parse_int=lambda text: int(float(text)))
    return json.loads(json.dumps(read))


@given(PLAIN)
def test_what_crosses_comes_back(data: Any) -> None:
    """Numbers, and what looks like the mark of one, are the same after a journey."""
    assert data == unpacked(through_javascript(packed(data)))


@pytest.mark.parametrize("number", [KEY, MOST, MOST + 1, MOST + 2, -MOST - 2, 2**63 - 1, -(2**63)])
def test_a_stored_key_is_the_same_key(number: int) -> None:
    """A record's key, a receipt's keys and an entry keep every digit, and as text nothing else."""

    async def kept() -> Any:
        store = HostStore()
        await store.write([("put", "outbox", 1, {"record": [number], "keys": [["m", -1, number]]})])
        return await store.read("outbox", 1), await store.read_all("outbox")

    one, every = asyncio.run(kept())

    assert {"record": [number], "keys": [["m", -1, number]]} == one
    assert [(1, one)] == every


def test_without_the_mark_digits_are_lost() -> None:
    """The stand-in of the tests is as careless with numbers as a browser is."""
    assert KEY != through_javascript(KEY)
