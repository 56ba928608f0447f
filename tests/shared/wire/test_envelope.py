"""The Smart Envelope: one text for one content, and nothing malformed gets in (R66)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps.fakes import envelope
from fieldpost.errors import Code, InputError
from fieldpost.text.canonical import canonical, digest
from fieldpost.wire.envelope import Operation, Void, read_envelope
from fieldpost.wire.protocol import FORMAT, MAX_ENVELOPE_BYTES, MAX_OPERATIONS

SEALED = envelope(
    Operation("insert", "visit", (-7,), {"score": 50, "summary": 'Ä"\n\u2028𝄞'}),
    Operation("update", "ward", ("A 1/2",), {"name": "New"}, {"name": "Old"}, "wards[0]"),
    Operation("delete", "order", (3,), {}, {"group": "x"}, "orders[0]"),
    id="01938f2a-0000-7000-8000-000000000001",
)
GOLDEN = "sha256:2415caf78517cb53eb36d8374c206b5b0a92e01d2d08f4c81f5fac0bba04f5a3"
GOLDEN_1 = "sha256:801a7e3675eee50832357536c87fa409a63b0b0c3a857659c28464c2ac963e10"
"""Of the same envelope in format 1."""


def test_canonical_text_is_fixed() -> None:
    """Both Pythons write the very same text: sorted, without spaces, no needless escapes."""
    assert '{"a":[1,1.5,true,null],"b":"Ä\\"\\n\u2028𝄞","é":""}' == canonical(
        {"é": "", "b": 'Ä"\n\u2028𝄞', "a": [1, 1.5, True, None]}
    )


def test_the_digest_of_a_known_envelope_never_changes() -> None:
    """Envelopes in the field stay readable: each format has its digest for good (R32)."""
    assert GOLDEN == SEALED.digest
    assert GOLDEN_1 == in_format_1()["digest"]


def in_format_1(**parts: Any) -> dict[str, Any]:
    """Return the sealed envelope as a device of the first edition would have written it."""
    new = ("after", "supersedes", "voids")
    data = {k: v for k, v in SEALED.content().items() if k not in new}
    data |= {"format": 1, **parts}
    return {**data, "digest": digest(data)}


def test_an_envelope_of_the_first_format_is_read_and_keeps_its_text() -> None:
    """A device may come back after months: its envelopes count as they were sealed (R48)."""
    text = canonical(in_format_1())

    read = read_envelope(text)

    assert SEALED.operations == read.operations
    assert ((), (), None) == (read.after, read.supersedes, read.voids)
    assert (1, GOLDEN_1, text) == (read.format, read.digest, read.to_text())


@pytest.mark.parametrize(
    "parts",
    [
        {"after": []},
        {"voids": None},
        {"operations": [{"do": "look", "model": "visit", "key": [1], "was": {"a": 1}}]},
    ],
)
def test_a_format_holds_what_it_had(parts: dict[str, Any]) -> None:
    """What the first format did not know is refused in it."""
    with pytest.raises(InputError) as caught:
        read_envelope(canonical(in_format_1(**parts)))

    assert {Code.MALFORMED} == {p.code for p in caught.value.problems}
    assert "unknown in format 1" in str(caught.value)


def test_what_an_envelope_says_of_others_comes_back() -> None:
    """What it builds on, repairs and discards is part of it, and of its digest."""
    repair = replace(SEALED, number=9, after=(2, 5), supersedes=("e-1", "e-2")).sealed()
    void = replace(SEALED, operations=(), attachments=(), voids=Void("e-1", "sha256:1")).sealed()

    assert repair == read_envelope(repair.to_text())
    assert void == read_envelope(void.to_text())
    assert 3 == len({repair.digest, void.digest, SEALED.digest})


def test_a_look_comes_back() -> None:
    """What a strict page's form showed travels beside what was changed."""
    look = Operation("look", "visit", (1,), {}, {"score": 1}, "", {"orders": [[1], [-2]]})
    sealed = envelope(look, *SEALED.operations)

    assert sealed == read_envelope(sealed.to_text())


def test_an_envelope_comes_back_from_its_text() -> None:
    """What is stored and sent is the whole envelope."""
    assert SEALED == read_envelope(SEALED.to_text())
    assert SEALED == read_envelope(SEALED.to_text().encode())


@pytest.mark.parametrize(
    "words", ['"digest":"sha256:1",', '\\"digest\\":', '","digest":"', '{"digest":1}']
)
def test_words_that_look_like_a_digest_are_words(words: str) -> None:
    """Only the envelope's own digest is left out of what is sealed, wherever else one is told."""
    operation = Operation("insert", "visit", (-1,), {"digest": GOLDEN, "summary": words})
    sealed = replace(SEALED, base=words, app=words, operations=(operation,)).sealed()
    text = sealed.to_text()
    read = read_envelope(text)

    assert sealed == read
    assert digest(sealed.content()) == read.digest
    assert text == read.to_text() == canonical({**read.content(), "digest": read.digest})
    with pytest.raises(InputError) as caught:
        read_envelope(text.replace(GOLDEN, "sha256:2", 1))
    assert [Code.WRONG_DIGEST] == [p.code for p in caught.value.problems]


def test_an_envelope_that_is_changed_has_its_own_text() -> None:
    """What was read is not told of what was made of it."""
    read = read_envelope(SEALED.to_text())
    other = replace(read, page="other").sealed()

    assert '"page":"other"' in other.to_text()
    assert other == read_envelope(other.to_text())


def test_nan_has_no_canonical_text() -> None:
    """What JSON does not know cannot be signed."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def changed(**parts: Any) -> dict[str, Any]:
    data = {**SEALED.content(), **parts}
    return {**data, "digest": digest(data)}


def without(name: str) -> dict[str, Any]:
    data = {k: v for k, v in SEALED.content().items() if k != name}
    return {**data, "digest": digest(data)}


def operation(**parts: Any) -> dict[str, Any]:
    entry = {"do": "update", "model": "visit", "key": [1], "set": {"a": 1}, "was": {"a": 2}}
    made = {k: v for k, v in {**entry, **parts}.items() if v is not ...}
    return changed(operations=[made])


MALFORMED: dict[str, Callable[[], Any]] = {
    "a list": list,
    "a number": lambda: 7,
    "null": lambda: None,
    "unknown part": lambda: changed(extra=1),
    "no id": lambda: without("id"),
    "empty id": lambda: changed(id=""),
    "no device": lambda: without("device"),
    "empty device": lambda: changed(device=""),
    "no digest": SEALED.content,
    "number is text": lambda: changed(number="1"),
    "number is yes": lambda: changed(number=True),
    "number is 0": lambda: changed(number=0),
    "number is too large": lambda: changed(number=1 << 53),
    "long user": lambda: changed(user="x" * 501),
    "page is a number": lambda: changed(page=1),
    "moment without offset": lambda: changed(saved_at="2026-11-23T08:15:04"),
    "no moment": lambda: changed(saved_at="yesterday"),
    "attachments is text": lambda: changed(attachments="a" * 64),
    "attachment is no digest": lambda: changed(attachments=["abc"]),
    "attachment is a number": lambda: changed(attachments=[1]),
    "too many attachments": lambda: changed(attachments=["a" * 64] * 501),
    "no operations": lambda: changed(operations=[]),
    "operations is an object": lambda: changed(operations={}),
    "too many operations": lambda: changed(
        operations=[{"do": "delete", "model": "v", "key": [1]}] * (MAX_OPERATIONS + 1)
    ),
    "operation is text": lambda: changed(operations=["insert"]),
    "operation does something else": lambda: operation(do="upsert"),
    "operation does a list": lambda: operation(do=["update"]),
    "operation has an unknown part": lambda: operation(where="1=1"),
    "operation without a model": lambda: operation(model=...),
    "key is a number": lambda: operation(key=1),
    "key is empty": lambda: operation(key=[]),
    "key holds null": lambda: operation(key=[None]),
    "key holds yes": lambda: operation(key=[True]),
    "key holds a fraction": lambda: operation(key=[1.5]),
    "key holds too large a number": lambda: operation(key=[1 << 63]),
    "set is a list": lambda: operation(set=[]),
    "set is missing": lambda: operation(set=...),
    "was is a list": lambda: operation(was=[]),
    "was lacks a field of set": lambda: operation(was={}),
    "delete with set": lambda: operation(do="delete"),
    "delete with nothing as set": lambda: operation(do="delete", set=None),
    "was is empty": lambda: operation(set={}, was={}),
    "at is empty": lambda: operation(at=""),
    "at is a number": lambda: operation(at=1),
    "at is long": lambda: operation(at="x" * 501),
}


@pytest.mark.parametrize("shape", MALFORMED)
def test_a_malformed_envelope_is_refused_in_words(shape: str) -> None:
    """Every shape that is none gets a clear error, never an exception of another kind (R66)."""
    with pytest.raises(InputError) as caught:
        read_envelope(json.dumps(MALFORMED[shape]()))

    assert {Code.MALFORMED} == {p.code for p in caught.value.problems}
    assert all("Nothing of it was applied" in p.message for p in caught.value.problems)


def test_all_faults_of_the_shape_are_said_at_once() -> None:
    """A developer who writes a client reads everything that is wrong with her envelope."""
    with pytest.raises(InputError) as caught:
        read_envelope(json.dumps(changed(number=0, user=1, extra=2, operations=[])))

    assert {"number", "user", "extra", "operations"} == {p.path for p in caught.value.problems}


def test_faults_come_in_one_order() -> None:
    """The same envelope gets the same words from every Python (R16)."""
    names = [f"part {number}" for number in range(20)]
    with pytest.raises(InputError) as caught:
        read_envelope(json.dumps(changed(**dict.fromkeys(reversed(names), 1))))

    assert sorted(names) == [p.path for p in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff\xfe\x00",
        b"\x80",
        SEALED.to_text()[:-1],
        '{"number": NaN}',
        '{"number": -Infinity}',
        "\ufeff{}",
        '{"number": ' + "9" * 5000 + "}",
    ],
    ids=lambda t: repr(t)[:20],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """Half a line, other encodings and JSON's dialects are refused alike (R66)."""
    with pytest.raises(InputError) as caught:
        read_envelope(text)

    assert [Code.MALFORMED] == [p.code for p in caught.value.problems]


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_deep_nesting_is_refused(brackets: tuple[str, str]) -> None:
    """Ten thousand levels neither break the parser nor the checks after it (R66)."""
    left, right = brackets
    deep = left * 10_000 + "1" + right * 10_000

    with pytest.raises(InputError) as caught:
        read_envelope('{"format": 1, "operations": ' + deep + "}")

    assert [Code.TOO_DEEP] == [p.code for p in caught.value.problems]


def test_moderate_nesting_is_refused_too() -> None:
    """A value cannot be a tree."""
    value: Any = 1
    for _ in range(30):
        value = [value]

    with pytest.raises(InputError) as caught:
        read_envelope(json.dumps(operation(set={"a": value})))

    assert [Code.TOO_DEEP] == [p.code for p in caught.value.problems]


def test_too_large_an_envelope_is_refused_before_it_is_parsed() -> None:
    """Size is bounded first (R66)."""
    with pytest.raises(InputError) as caught:
        read_envelope("[" * (MAX_ENVELOPE_BYTES + 1))

    assert [Code.TOO_BIG] == [p.code for p in caught.value.problems]


def test_a_wrong_digest_is_refused() -> None:
    """One changed character on the way shows."""
    damaged = SEALED.to_text().replace('"score":50', '"score":51')

    with pytest.raises(InputError) as caught:
        read_envelope(damaged)

    assert [Code.WRONG_DIGEST] == [p.code for p in caught.value.problems]


def test_lone_surrogates_are_refused() -> None:
    """Text that no encoding knows cannot have a digest."""
    with pytest.raises(InputError) as caught:
        read_envelope(SEALED.to_text().replace('"Ä', '"\\ud800'))

    assert [Code.MALFORMED] == [p.code for p in caught.value.problems]


@pytest.mark.parametrize("number", [0, 3, 99])
def test_another_format_is_named(number: int) -> None:
    """A device that is newer than its server is told so, whatever the rest looks like."""
    with pytest.raises(InputError) as caught:
        read_envelope(json.dumps({"format": number, "new": True}))

    assert [Code.UNKNOWN_FORMAT] == [p.code for p in caught.value.problems]
    assert f"has format {number}; this server knows {FORMAT}" in caught.value.problems[0].message
