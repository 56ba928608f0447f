"""Ten thousand cases, made by Hypothesis: forms, envelopes, values and documents as plain data.

They are the same in every run, and no two are the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from apps.clinic import app
from apps.fakes import ADA, BERTS, ERIC
from parity.bench import FULL, PICTURE
from parity.texts import any_json, any_text, data_of, texts_of

Case = dict[str, Any]
T = TypeVar("T")

FIELDS = [
    f"{model}.{field}"
    for model in ("ward", "patient", "visit", "order", "dose", "reading")
    for field in app.models[model].fields
]

VISIT = {"patient": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}
SET = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}
CHANGES: list[dict[str, str]] = [
    {},
    {"score": "55"},
    {"summary": "mine", "weight": "1.5"},
    {"urgent": "true", "summary": "Zeile 1\r\nZeile 2 𝄞"},
    {"starts_at": "2026-03-29T02:30:15+01:00", "rang_at": "12:30"},
    {"photos": json.dumps([PICTURE.to_json()] * 2), "temperature": "36.60"},
]
TOP_FIELDS = list(app.pages["visit"].layout.fields)
PATIENT_FIELDS = list(app.pages["patient"].layout.fields)

MEANWHILE: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "score": st.sampled_from([5, 50, None]),
            "summary": st.sampled_from(["theirs", None, "Zeile 1\nZeile 2 𝄞"]),
            "weight": st.sampled_from(["70.50", "0.1", "1.00", None]),
            "starts_at": st.sampled_from(["2026-03-29T01:30:15Z", "2026-03-29T02:30:15+01:00"]),
            "nurse": st.sampled_from(["anna", "bert"]),
        },
    ),
)


@cache
def once_in(times: int) -> st.SearchStrategy[bool]:
    """Return a strategy that is true now and then; Hypothesis is fond of the ends of a range."""
    return st.integers(0, 3 * times).map(lambda drawn: drawn in (times, 2 * times, 3 * times - 1))


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def pick(draw: st.DrawFn, values: Sequence[T]) -> T:
    """Draw one of some values; making a strategy for each place would take most of the time."""
    return values[draw(_below(len(values)))]


def some(draw: st.DrawFn, values: Sequence[T], counts: Sequence[int]) -> list[T]:
    """Draw several of some values."""
    return [pick(draw, values) for _ in range(pick(draw, counts))]


# forms


@st.composite
def visit_forms(draw: st.DrawFn) -> Case:
    """Draw a visit's form: new, or one that is there, with rows three levels deep."""
    opened = pick(draw, [None, None, [1], [FULL], [2]])
    posted = dict(VISIT) if opened is None else {}
    posted |= pick(draw, CHANGES)
    for name in some(draw, TOP_FIELDS, (0, 0, 0, 1, 2, 3)):
        posted[name] = draw(texts_of("visit", name))
    known: dict[Any, list[str]] = {1: ["[1]", "[2]"], FULL: ["[3]", "[4]"]}
    keys = known.get((opened or [0])[0], [])
    for index in range(pick(draw, range(4))):
        place = f"orders[{pick(draw, [index, index * 7])}]"
        forged = ["[99]", "x"] if draw(once_in(12)) else []
        _child(draw, posted, place, "order", keys + forged, {"group": "blood"})
        for dose in range(pick(draw, range(3))):
            below = f"{place}.doses[{dose}]"
            amounts = {"number": str(dose + 1), "amount": "1.25"}
            _child(draw, posted, below, "dose", ["[3, 1]"] if opened == [FULL] else [], amounts)
            if pick(draw, (False, True)):
                row = f"{below}.readings[0]"
                _child(draw, posted, row, "reading", [], {"value": "7"})
    if draw(once_in(6)):
        posted["_delete"] = "1"
    return {
        "kind": "form",
        "page": "visit",
        "user": pick(draw, ["anna", "anna", "anna", "bert"]),
        "opened": opened,
        "posted": posted,
        "meanwhile": draw(MEANWHILE) if opened else {},
    }


def _child(
    draw: st.DrawFn,
    posted: dict[str, str],
    place: str,
    model: str,
    keys: list[str],
    given: Mapping[str, str],
) -> None:
    if pick(draw, (False, True)) and keys:
        posted[f"{place}._key"] = pick(draw, keys)
        if draw(once_in(4)):
            posted[f"{place}._delete"] = "1"
    else:
        posted |= {f"{place}.{name}": text for name, text in given.items()}
    if draw(once_in(8)):
        name = pick(draw, sorted(given))
        posted[f"{place}.{name}"] = draw(texts_of(model, name))


@st.composite
def patient_forms(draw: st.DrawFn) -> Case:
    """Draw a patient's form: text keys, references to itself, unique values, defaults."""
    opened = pick(draw, [None, [str(ADA)], [str(ERIC)], [str(BERTS)]])
    posted = {"name": "Nora Ñandú"} if opened is None else {}
    for name in some(draw, PATIENT_FIELDS, (0, 1, 1, 2, 4)):
        posted[name] = draw(texts_of("patient", name))
    if pick(draw, (False, True)):
        posted["number"] = pick(draw, ["A-1", "N-1"])
    return {
        "kind": "form",
        "page": "patient",
        "user": "anna",
        "opened": opened,
        "posted": posted,
        "meanwhile": {},
    }


# envelopes


GOOD: dict[str, list[dict[str, Any]]] = {
    "visit": [{"score": 55}, {"weight": "1.25", "summary": "mine"}, {"temperature": 1e16}],
    "order": [{"share": 100}, {"group": "𝄞"}],
    "dose": [{"amount": "0.01"}, {"number": 2}],
}


@st.composite
def operations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an operation of a visit or its rows, sound or with something about it."""
    model = pick(draw, ["visit", "visit", "visit", "order", "dose"])
    kinds = {"visit": -1, "order": -2, "dose": -2}
    do = pick(draw, ["insert", "update", "update", "delete"])
    names = [f.attribute for f in app.models[model].fields.values() if f.name != "id"]
    changed = some(draw, names, (0, 1, 2, 3))
    by_attribute = app.models[model].by_attribute
    new = {name: draw(data_of(model, by_attribute[name].name)) for name in changed}
    if pick(draw, (False, True)):
        new = dict(pick(draw, GOOD[model]))
    key: list[Any] = [kinds[model] if do == "insert" else pick(draw, [1, 2, 3, 99])]
    if model == "dose":
        key.append(1)
    entry: dict[str, Any] = {"do": do, "model": model, "key": key}
    if do == "insert":
        links: dict[str, dict[str, Any]] = {
            "visit": SET,
            "order": {"visit_id": pick(draw, [-1, 1, 2]), "group": "g"},
            "dose": {"order_id": -2, "number": 1, "amount": "1"},
        }
        entry["set"] = {**links[model], **new}
    elif do == "update":
        seen = {"score": 50, "weight": "70.50", "group": "blood", "share": 10, "urgent": False}
        entry["set"] = new
        entry["was"] = {n: seen.get(n, pick(draw, [None, "first"])) for n in new}
        if model == "visit":
            entry["was"] |= {"summary": None, "weight": "70.50"}
    if draw(once_in(6)):
        entry["at"] = pick(draw, ("orders[0]", "", draw(any_text)))
    if draw(once_in(14)):
        entry[pick(draw, [*entry, "extra"])] = draw(any_json)
    return entry


OPERATIONS = operations()


@st.composite
def envelopes(draw: st.DrawFn) -> Case:
    """Draw an envelope: its operations, and parts that may be anything or missing."""
    parts: dict[str, Any] = {
        "operations": [draw(OPERATIONS) for _ in range(pick(draw, (1, 1, 2, 3)))]
    }
    names = ["id", "device", "number", "previous", "page", "user", "saved_at", "base",
             "attachments", "app", "app_version", "format", "unheard of"]  # fmt: skip
    if draw(once_in(12)):
        parts[pick(draw, names)] = draw(any_json)
    if draw(once_in(14)):
        parts["number"] = pick(draw, [0, 1, 1.0, -1, True, 1 << 53, (1 << 53) - 1])
    if draw(once_in(12)):
        parts["user"] = pick(draw, ["bert", "dora", "nobody"])
    if draw(once_in(14)):
        parts["page"] = pick(draw, ["patient", "ward", "drugs", "nowhere"])
    without = [pick(draw, names)] if draw(once_in(14)) else []
    return {
        "kind": "envelope",
        "parts": parts,
        "without": without,
        "meanwhile": draw(MEANWHILE),
    }


# values and documents


@st.composite
def json_values(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(FIELDS))
    model, _, own = name.partition(".")
    return {"kind": "json", "field": name, "data": draw(data_of(model, own))}


@st.composite
def typed_texts(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(FIELDS))
    model, _, own = name.partition(".")
    return {"kind": "text", "field": name, "text": draw(texts_of(model, own))}


trees = st.recursive(
    st.one_of(any_json, st.floats(), st.integers()),
    lambda below: st.one_of(
        st.lists(below, max_size=4), st.dictionaries(st.text(max_size=6), below, max_size=4)
    ),
    max_leaves=12,
)
documents = trees.map(lambda data: {"kind": "canonical", "data": data})

_BRACKETS = st.text(st.sampled_from('[]{}",:\\0 -e.trufalsn\u00a0'), max_size=24)
parsed = st.one_of(
    _BRACKETS,
    st.integers(0, 40).map(lambda depth: "[" * depth + "]" * depth),
    trees.map(json.dumps),
    st.sampled_from(["NaN", "1e999", "-0", "1E+2", "0" * 9, "9" * 4300, "9" * 4301, "\ufeff1"]),
    any_text,
).map(lambda text: {"kind": "parse", "text": text})

SHARES: Mapping[str, tuple[st.SearchStrategy[Case], int]] = {
    "visits": (visit_forms(), 2_200),
    "patients": (patient_forms(), 800),
    "envelopes": (envelopes(), 2_200),
    "json": (json_values(), 1_700),
    "texts": (typed_texts(), 1_700),
    "documents": (documents, 700),
    "parsed": (parsed, 700),
}
"""How many cases of each sort: ten thousand in all."""


_GENERATE = settings(
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def all_cases() -> Iterator[str]:
    """Yield every case as a line of JSON."""
    for strategy, count in SHARES.values():
        yield from _made(strategy, count)


def _made(strategy: st.SearchStrategy[Case], count: int) -> list[str]:
    found: dict[str, None] = {}

    def note(case: Case) -> None:
        found[json.dumps(case)] = None

    for volume in range(20):
        collect = given(strategy)(note)
        seed(volume)(settings(_GENERATE, max_examples=count - len(found) + 50)(collect))()
        if len(found) >= count:
            return list(found)[:count]
    raise AssertionError(f"only {len(found)} different cases")
