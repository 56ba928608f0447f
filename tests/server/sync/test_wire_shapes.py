"""The checks of an envelope's shape and its schemas say the same of sound and broken ones (R66)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import garbage
from described import fits
from fieldpost.errors import InputError
from fieldpost.wire.shapes import _is_moment, shape_faults
from fieldpost.wire.upcasting import upcast

pytestmark = pytest.mark.long

OFTEN = settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

plain = st.characters(exclude_categories=["Cs", "Cc"])
short = st.text(plain, max_size=100)
names = st.text(plain, min_size=1, max_size=100)
attributes = st.sampled_from(["score", "patient_id", "wards", "ä"])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(attributes, below, max_size=2),
    max_leaves=4,
)
keys = st.lists(
    st.integers(1 - (1 << 63), (1 << 63) - 1) | st.text(max_size=9), min_size=1, max_size=3
)


@st.composite
def operations(draw: st.DrawFn, doings: tuple[str, ...]) -> dict[str, Any]:
    """Draw a sound operation."""
    do = draw(st.sampled_from(doings))
    found: dict[str, Any] = {"do": do, "model": draw(names), "key": draw(keys)}
    if do in ("insert", "update"):
        found["set"] = draw(st.dictionaries(attributes, values, max_size=3))
    was = draw(st.dictionaries(attributes, values, max_size=3))
    if do == "update":
        was |= {name: None for name in found["set"] if name not in was}
    if was:
        found["was"] = was
    if at := draw(st.text(plain, max_size=20)):
        found["at"] = at
    if do == "look" and draw(st.booleans()):
        found["rows"] = {"orders": draw(st.lists(keys, max_size=2))}
    return found


@st.composite
def envelopes(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a sound envelope: of format 1, of format 2, or a void."""
    kind = draw(st.sampled_from(["1", "2", "2", "void"]))
    data: dict[str, Any] = {
        name: draw(short) for name in ("previous", "app", "app_version", "page", "user", "base")
    }
    data |= {"id": draw(names), "device": draw(names), "digest": draw(short)}
    data["number"] = number = draw(st.integers(1, 300) | st.integers(1, (1 << 53) - 1))
    data["saved_at"] = draw(st.sampled_from(["2026-11-23T08:15:04.112+01:00", "2026-11-23T08:15Z"]))
    data |= {"format": 1 if kind == "1" else 2, "operations": [], "attachments": []}
    if kind != "1":
        data |= {"after": [], "supersedes": [], "voids": None}
    if kind == "void":
        digest = "sha256:" + "0" * 64
        return {
            **data,
            "voids": {"id": draw(names.filter(lambda i: i != digest)), "digest": digest},
        }
    writes = operations(("insert", "update", "delete"))
    data["operations"] = draw(st.lists(writes, min_size=1, max_size=3))
    data["attachments"] = draw(st.lists(st.sampled_from(["a" * 64, "0" * 64]), max_size=3))
    if kind == "2":
        data["operations"] += draw(st.lists(operations(("look",)), max_size=2))
        before = draw(st.sets(st.integers(1, 400), max_size=5))
        data["after"] = sorted(n for n in before if n < number)
        data["supersedes"] = draw(st.lists(names, max_size=3, unique=True))
    return data


def is_shaped(data: Mapping[str, Any]) -> bool:
    """Say what the server's own checks say."""
    try:
        return not shape_faults(upcast(data))
    except InputError:
        return False


def beyond_schemas(data: Any) -> Iterator[str]:
    """Yield what `docs/protocol.md` says and no schema can, as far as the data fits the schema."""
    after, voids = data.get("after", []), data.get("voids")
    if after != sorted(after) or any(n >= data["number"] for n in after):
        yield "after is in order, and before the envelope"
    if voids and voids["id"] == voids["digest"]:
        yield "an id is no digest"
    if not _is_moment(data["saved_at"]):
        yield "saved_at is in the calendar"
    for operation in data["operations"]:
        if (
            operation["do"] == "update"
            and not operation["set"].keys() <= operation.get("was", {}).keys()
        ):
            yield "was names what set does"
    numbers = [data["number"], data["format"], *after]
    for operation in data["operations"]:
        in_lists = operation.get("rows", {}).values()
        for key in (operation["key"], *(key for keys in in_lists for key in keys)):
            numbers += key
    if any(isinstance(number, float) for number in numbers):
        yield "a whole number is written as one"


@OFTEN
@given(envelopes())
def test_what_is_sound_fits_both(data: dict[str, Any]) -> None:
    """Whatever an envelope may hold passes the checks and the schemas."""
    assert (True, True) == (is_shaped(data), fits("PushLine", data))


@OFTEN
@given(envelopes().flatmap(lambda data: garbage.spoiled(json.dumps(data))))
def test_what_is_broken_fits_neither(found: garbage.Spoiled) -> None:
    """A broken envelope is refused by both, or breaks what only the words say."""
    for part in ("after", "supersedes"):
        if isinstance(entries := found.data.get(part), list):
            # a validator compares each entry with each other one
            del entries[500:]
    shaped, described = is_shaped(found.data), fits("PushLine", found.data)

    assert not shaped or described
    assert shaped or not described or list(beyond_schemas(found.data))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("after", [2, 1]),
        ("after", [7]),
        ("saved_at", "2026-02-30T08:15Z"),
        ("number", 7.0),
        ("voids", {"id": "x", "digest": "x"}),
    ],
)
def test_what_only_the_words_say_is_checked(part: str, value: Any) -> None:
    """What a schema cannot say is refused all the same."""
    data: dict[str, Any] = dict.fromkeys(("previous", "app", "app_version", "page", "user"), "")
    data |= {"id": "e", "device": "d", "base": "", "digest": "", "number": 7, "format": 2}
    data |= {"saved_at": "2026-11-23T08:15Z", "attachments": [], "after": [], "supersedes": []}
    written = [] if part == "voids" else [{"do": "delete", "model": "visit", "key": [1]}]
    broken = {**data, "voids": None, "operations": written, part: value}

    assert fits("PushLine", broken)
    assert not is_shaped(broken)
    assert list(beyond_schemas(broken))
