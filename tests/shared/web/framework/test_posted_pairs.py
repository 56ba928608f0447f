"""Forms as browsers encode them."""

from urllib.parse import urlencode

import pytest

from fieldpost.errors import Code, InputError
from fieldpost.web.framework.posted_pairs import posted_pairs


def test_a_form_is_read_as_it_was_filled_in() -> None:
    """Names, order, repetitions, blanks and every character arrive (R14)."""
    pairs = [
        ("a", "1"),
        ("b[0].c", "ä € 𝄞 + % & ="),
        ("a", ""),
        ("ü", "x\r\ny"),
        ("z", "é%" * 20_000),
    ]

    assert pairs == posted_pairs(urlencode(pairs).encode(), 10)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"&&a&&", [("a", "")]),
        (b"a=%", [("a", "%")]),
        (b"a=%4&b=%zz", [("a", "%4"), ("b", "%zz")]),
        (b"a=%ff+%C3%A4", [("a", "\ufffd ä")]),
    ],
)
def test_what_no_browser_sends_is_read_all_the_same(
    body: bytes, expected: list[tuple[str, str]]
) -> None:
    """Half an escape is what it looks like, and bytes that are no text say so (R66)."""
    assert expected == posted_pairs(body, 10)


def test_a_form_has_so_many_fields_and_no_more() -> None:
    """More are refused before any is read (R66)."""
    assert 3 == len(posted_pairs(b"a=1&a=2&a=3", 3))
    with pytest.raises(InputError) as refused:
        posted_pairs(b"a=1&a=2&a=3&a=4", 3)

    assert Code.TOO_BIG is refused.value.problems[0].code
