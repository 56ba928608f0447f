"""Folding and order of texts: one rule in Python, the same on each edition of it (R10, R36)."""

import hashlib
import itertools
import unicodedata

import pytest

from fieldpost.text.casefolding import folded
from fieldpost.text.collation import order_of
from fieldpost.text.plurals import plural, singular

DIGEST = "c6110b8228ab267bf80ad704704a8209c22f534ce09f91e429a247d512fdcbc7"
"""Of what becomes of every character below the planes that hold no letters of living languages."""


def test_every_python_folds_and_sorts_alike() -> None:
    """Device and server may run other editions of Unicode: what they make of a text is one thing.

    The digest is the same in each edition; a change of it is a change of every list's order.
    """
    made = hashlib.sha256()
    key = order_of("").key
    for code in itertools.chain(range(0xD800), range(0xE000, 0x20000)):
        character = chr(code)
        if unicodedata.ucd_3_2_0.category(character) == "Cn":
            # what is newer: letters count by themselves, case last and only between equals
            assert folded(character) == character or character == "\u1e9e"
            continue
        made.update(f"{folded(character)}\0{key(character)}\n".encode())

    assert DIGEST == made.hexdigest()


@pytest.mark.parametrize(
    "alike",
    [
        ("Ärzte", "ärzte", "A\u0308RZTE", "arzte"),
        ("Straße", "STRASSE", "STRA\u1e9eE"),
        ("Łódź", "lodz"),
        ("Ørsted", "orsted"),
        ("ﬁlter", "filter", "\uff26\uff29\uff2c\uff34\uff25\uff32"),
        ("Σοφός", "ΣΟΦΟΣ", "σοφοσ"),
        ("Ёлка", "елка"),
        ("İzmir", "izmir", "\u0131zmir"),
        ("\u0661\u0662", "12", "\uff11\uff12"),
        ("m²", "m2"),
        ("한", "\u1112\u1161\u11ab"),
        ("O’Neill", "o'neill"),
        ("a\u00adb", "ab"),
        ("a–b", "a-b"),
    ],
)
def test_texts_that_read_alike_fold_alike(alike: tuple[str, ...]) -> None:
    """Case, accents, forms of Unicode and signs that keyboards lack do not count in a search."""
    assert 1 == len({folded(text) for text in alike})


@pytest.mark.parametrize(
    "apart", [("कु", "क"), ("กา", "กำ"), ("か", "が"), ("a", "b"), ("1", "l"), ("дом", "dom")]
)
def test_texts_that_read_differently_stay_apart(apart: tuple[str, str]) -> None:
    """Vowels of Thai and Hindi are no accents, and alphabets are not mixed."""
    assert folded(apart[0]) != folded(apart[1])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("", "_ - 10 2 a A ä Ä aa apple Äpple apples b oe œ of ore Øre z Ωμ я"),
        ("de", "Apfel Äpfel Apfelsine strasse Straße Strast zebra"),
        ("sv", "a z zz å ä äa ö"),
        ("sv-FI", "zebra åsna ärta öra"),
        ("da", "ab zebra ærø øl aarhus århus"),
        ("nb_NO", "ab zebra ærø øl ås"),
        ("fi", "a z å ä ö"),
        ("cs", "c cz č d h hz ch i r ř s š z ž"),
        ("hu", "c cz cs d dz dzs e"),
        ("pl", "a az ą b l lz ł m z ź ż"),
        ("es", "n nz ñ o"),
        ("tr", "c ç d g ğ h ı I i İ j o ö p s ş t u ü v"),
        ("lt", "c č d i y j"),
        ("et", "s š z ž t u v w õ ä ö ü x"),
        ("uk", "г ґ д е є ж и і ї й к я"),
        ("ru", "е ё ж и й к"),
        ("xx", "a ä b"),
    ],
)
def test_each_language_has_its_order(language: str, words: str) -> None:
    """Letters stand where the readers of a language look for them."""
    expected = words.split()
    mixed = sorted(expected, key=lambda word: hashlib.md5(word.encode()).digest())

    assert expected == sorted(mixed, key=order_of(language).key)


def test_the_forms_of_a_text_have_one_place() -> None:
    """Composed or not, a text sorts alike; accents count before case, and both after letters."""
    key = order_of("sv").key

    assert key("Ångström") == key("A\u030angstro\u0308m")
    assert ["cote", "Cote", "coté", "côte", "Coter"] == sorted(
        ["Coter", "côte", "coté", "Cote", "cote"], key=order_of("fr").key
    )


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("Order", "Orders"),
        ("Category", "Categories"),
        ("Address", "Addresses"),
        ("Status", "Statuses"),
        ("Box", "Boxes"),
        ("Branch", "Branches"),
        ("Day", "Days"),
        ("Series", "Series"),
        ("House", "Houses"),
        ("Order detail", "Order details"),
    ],
)
def test_one_and_many_are_told_apart(one: str, many: str) -> None:
    """A class that is named after many rows makes neither 'Orderses' nor 'New orders'."""
    assert (one, many) == (singular(one), plural(one))
    assert (one, many) == (singular(many), plural(singular(many)))
