"""Names of files are what people called them, less what systems do not take (R42, R66)."""

import pytest

from fieldpost.text.filenames import MOST_CHARACTERS, plain_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Gutachten Brücke №7 (2).pdf", "Gutachten Brücke №7 (2).pdf"),
        ("a\\b:c*?.jpg", "a_b_c__.jpg"),
        ("../../etc/passwd", "passwd"),
        ("photo\u202egpj.exe", "photo gpj.exe"),
        ("a\x00b\x1f.png", "a b .png"),
        ("\ud800.jpg", "jpg"),
        ("", "file"),
        (" ... ", "file"),
        ("写真 1.heic", "写真 1.heic"),
        ("line\r\nbreak.txt", "line break.txt"),
    ],
)
def test_a_name_is_kept_as_far_as_it_can_be(given: str, kept: str) -> None:
    """What cannot be seen, or is taken for a folder, goes; all else stays."""
    assert kept == plain_name(given)
    assert kept == plain_name(kept)


def test_a_long_name_keeps_its_ending() -> None:
    """What a file is shows in its ending, so the middle goes."""
    name = plain_name(f"{'x' * 400}.tar.gz")

    assert MOST_CHARACTERS == len(name)
    assert name.endswith("x.gz")
