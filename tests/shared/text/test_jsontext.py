"""JSON from outside is measured before it is parsed (R66)."""

import pytest

from fieldpost.text.jsontext import MAX_DEPTH, TooDeepError, parse


def nested(levels: int) -> str:
    return '{"a":' * (levels - 1) + "[1]" + "}" * (levels - 1)


def test_the_limit_itself_is_allowed() -> None:
    """A text nested exactly as deep as the limit is parsed."""
    data = parse(nested(MAX_DEPTH))

    for _ in range(MAX_DEPTH - 1):
        data = data["a"]
    assert [1] == data


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 10_000, 1_000_000])
def test_deeper_texts_are_refused(levels: int) -> None:
    """One level more is refused, and so are a million, on the device's small stack too."""
    with pytest.raises(TooDeepError):
        parse(nested(levels))


@pytest.mark.parametrize(
    "hidden", ['"' + "[" * 50 + '"', '"\\"' + "{" * 50 + '"', '"\\\\", "' + "[" * 50 + '"']
)
def test_brackets_inside_texts_do_not_count(hidden: str) -> None:
    """A worker may type as many brackets as she likes."""
    assert 50 == sum(part.count("[") + part.count("{") for part in parse(f"[{hidden}]"))


@pytest.mark.parametrize("hidden", ['"\\\\"', '"\\\\\\\\"', '""', '"a"'])
def test_nesting_cannot_hide_behind_a_text(hidden: str) -> None:
    """What follows a text that ends in backslashes is measured."""
    with pytest.raises(TooDeepError):
        parse(f"[{hidden}, {nested(10_000)}, {hidden}]")


@pytest.mark.parametrize(
    "text", ["", "[", '"', '"\\', "]", "[NaN]", "[Infinity]", b"\xff", b"[\0]"]
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """Half a text, JSON's dialects and other encodings are one kind of error."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)

    assert not isinstance(caught.value, TooDeepError)
