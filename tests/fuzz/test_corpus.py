"""Bytes that a search by coverage has found interesting, and what is near them (R66)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.targets import CORPUS, MOST_BYTES, TARGETS, examples, try_one

_PIECES = st.binary(max_size=8)


@pytest.mark.parametrize("name", TARGETS)
def test_no_example_breaks_a_parser(name: str) -> None:
    """Each is read, or refused in the way that the parser promises (R66)."""
    kept = examples(name)
    for path in kept:
        data = path.read_bytes()
        assert len(data) <= MOST_BYTES, path
        try_one(name, data)

    assert len(kept) >= 3


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_near_an_example_breaks_a_parser(name: str, data: st.DataObject) -> None:
    """An example in which bytes are cut, doubled or exchanged is read or refused, too (R66)."""
    kept = [path.read_bytes() for path in examples(name)]
    near = data.draw(st.sampled_from(kept))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(near)))
        end = data.draw(st.integers(start, min(len(near), start + 16)))
        new = data.draw(st.one_of(_PIECES, st.just(near[start:end] * 2), st.sampled_from(kept)))
        near = near[:start] + new + near[end:]
    try_one(name, near[:MOST_BYTES])


def test_each_parser_has_a_corpus_and_each_corpus_a_parser() -> None:
    """No folder is forgotten when a parser goes or comes (R66)."""
    assert set(TARGETS) == {path.name for path in CORPUS.iterdir()}
