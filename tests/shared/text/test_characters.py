"""Characters that no text may hold are named with their place, and made visible (R16)."""

import pytest

from apps.fakes import FakeBrowser, FakeHome
from apps.samples import Sample, app
from browser_forms import BrowserForm
from fieldpost.text.characters import bad_character, visible


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0101234\x1d10AB", "U+001D (a scanner's group separator) stands after '0101234'"),
        ("\x0b", "U+000B (a vertical tab) stands at the beginning"),
        ("a\x1db\0", "U+001D (a scanner's group separator) stands after 'a'"),
        ("a\n\t\0", "U+0000 stands after 'a\n\t'"),
        ("x\uffffy", "U+FFFF (a part of a character) stands after 'x'"),
        ("Ä\n\t𝄞\x85\u202e", ""),
    ],
)
def test_a_forbidden_character_is_named_with_its_place(text: str, words: str) -> None:
    """Which one it is and after what it stands is said, the first one only."""
    assert words == bad_character(text)


def test_what_cannot_be_seen_has_a_picture() -> None:
    """A separator becomes a sign that a person can see and delete; the rest stays."""
    assert "a␝b␀c\ufffd\n\tÄ" == visible("a\x1db\0c\ud800\n\tÄ")


def test_a_scanned_separator_is_told_and_can_be_saved_with_its_picture() -> None:
    """The form says which and where and shows it; saving again keeps what can be seen."""
    browser = FakeBrowser(FakeHome(app))
    form = BrowserForm(browser.get("/pages/sample/new").text)
    refused = browser.post(
        "/pages/sample/new", [*form.filled(name="01\x1d10"), ("_action", "save")]
    )
    again = BrowserForm(refused.text)
    saved = browser.post("/pages/sample/new", [*again.pairs, ("_action", "save")])

    assert 422 == refused.status
    assert "U+001D (a scanner&#39;s group separator) stands after &#39;01&#39;" in refused.text
    assert "01␝10" == again.value("name")
    assert 303 == saved.status
    made = browser.home.get(Sample, 1)
    assert made is not None
    assert "01␝10" == made.name
