"""Numbers are read as people write them, and what can be read in two ways is asked about (R16)."""

from decimal import Decimal
from typing import Any

import pytest

from apps.fakes import FakeBrowser, FakeHome
from apps.samples import Sample, app
from browser_forms import BrowserForm
from fieldpost.errors import Code
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.validation import read_text
from fieldpost.text.numbers import AmbiguousNumber, NotANumber, marked, plain_number, with_mark

FIELDS = app.models["sample"].by_attribute
NUMBERS = [f for f in FIELDS.values() if f.kind in (Kind.INTEGER, Kind.DECIMAL)]

CLEAR = {
    "12": "12",
    "12,5": "12.5",
    "12.5": "12.5",
    "0,75": "0.75",
    "0,125": "0.125",
    "0.125": "0.125",
    ",5": "0.5",
    "12,": "12",
    "+7": "7",
    "-3": "-3",
    "\u22123": "-3",
    "\u2212 3,5": "-3.5",
    "\uff0d\uff11\uff12\uff0e\uff15": "-12.5",
    "\u0661\u0662": "12",
    "\u0661\u0662\u066b\u0665": "12.5",
    "\u0661\u066c\u0662\u0663\u0664": "1234",
    "\u0967\u0968.\u096b": "12.5",
    "\u200f\u0661\u0662\u200e": "12",
    "1 000": "1000",
    "1\u00a0234\u00a0567,5": "1234567.5",
    "1\u202f234,5": "1234.5",
    "1\u2009234.5": "1234.5",
    "1'234.50": "1234.50",
    "1\u2019234\u2019567": "1234567",
    "1.234,5": "1234.5",
    "1,234.5": "1234.5",
    "1.234.567": "1234567",
    "1,234,567": "1234567",
    "12,34,567.8": "1234567.8",
    "1 234.567": "1234.567",
    "1234.567": "1234.567",
    "1234,567": "1234.567",
    " 12 ": "12",
}
WRONG = (
    *("", " ", "-", "+", ".", ",", "abc", "12a", "1_000", "0x10", "1e", "nan", "infinity", "--3"),
    *(
        "1 00",
        "5 5",
        "1,,5",
        "1.2.3",
        "1,2,3",
        "1.234,567,8",
        "1,234.567,8",
        "1.000.00",
        "1 234'567",
    ),
    *("\u00bd", "\u2460", "1" * 501),
)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize(("text", "plain"), CLEAR.items(), ids=ascii)
def test_a_clear_spelling_is_one_number_everywhere(text: str, plain: str, mark: str) -> None:
    """Decimal comma or point, groups, digits and signs of other scripts read the same for all."""
    with with_mark(mark):
        assert plain == plain_number(text)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("text", WRONG, ids=ascii)
def test_what_is_no_number_is_none(text: str, mark: str) -> None:
    """Nothing is guessed from what nobody writes."""
    with with_mark(mark), pytest.raises(NotANumber):
        plain_number(text)


def test_the_persons_own_mark_decides_and_the_other_one_is_asked_about() -> None:
    """One mark and three digits may be thousands: it is asked, with both spelled out."""
    with with_mark("."):
        assert "1.234" == plain_number("1.234")
        with pytest.raises(AmbiguousNumber, match=r"-1234 or -1\.234"):
            plain_number("\u22121,234")
    with with_mark(","):
        assert "1.234" == plain_number("1,234")
        with pytest.raises(AmbiguousNumber, match="1234 or 1,234"):
            plain_number("1.234")


@pytest.mark.parametrize("each", NUMBERS, ids=lambda f: f.attribute)
def test_every_kind_of_number_asks_in_words(each: Field) -> None:
    """The problem is at the field, and either of its spellings is then read as it says."""
    _, fault = read_text(each, "1,234", each.name)
    other = "1" if each.kind is Kind.INTEGER else "1.234"

    assert fault is not None
    assert Code.AMBIGUOUS_NUMBER == fault.code
    said = f"{each.label}: '1,234' can be read in two ways. Write 1234 or {other}."
    assert said == fault.message
    assert 1234 == read_text(each, "1234", each.name)[0]
    # money has two digits behind its mark: that is said then, and not that it is no number
    fault = read_text(each, other, each.name)[1]
    assert fault is None or fault.code not in (Code.AMBIGUOUS_NUMBER, Code.NOT_A_WHOLE_NUMBER)


@pytest.mark.parametrize("each", NUMBERS, ids=lambda f: f.attribute)
@pytest.mark.parametrize(
    ("text", "number"),
    [("1 000", 1000), ("\u0661\u0662", 12), ("\u22123", -3), ("1.234.567", 1234567)],
    ids=ascii,
)
def test_every_kind_of_number_takes_every_spelling(each: Field, text: str, number: int) -> None:
    """Whole numbers, decimals, money and floats share one reader."""
    assert (number, None) == read_text(each, text, each.name)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("whole", -1234567),
        ("big", 9007199254740993),
        ("money", Decimal("1234.50")),
        ("fine", Decimal("1.234")),
        ("fine", Decimal("-123456789.123")),
        ("free", Decimal("0.000000001")),
        ("real", 1.5e-7),
        ("real", 1e300),
        ("real", -0.1),
        ("real", 1.234),
    ],
)
def test_what_a_form_shows_reads_back(name: str, value: Any, mark: str) -> None:
    """A number that a form shows is the same number when it is read again, in either spelling."""
    with with_mark(mark):
        text = FIELDS[name].codec.to_text(value)

        assert (value, None) == read_text(FIELDS[name], text, name)
        assert ("," if mark == "." else ".") not in text


def test_a_comma_is_saved_and_shown_as_the_person_writes_it() -> None:
    """A keypad without a point is no obstacle; the row holds the number, not its spelling."""
    browser = FakeBrowser(FakeHome(app))
    with with_mark(","):
        form = BrowserForm(browser.get("/pages/sample/new").text)
        filled = form.filled(name="N", money="12,5", real="0,75", percent="\u0665")
        answer = browser.post("/pages/sample/new", [*filled, ("_action", "save")])
        shown = browser.get("/pages/sample/records/1").text
        again = BrowserForm(browser.get("/pages/sample/records/1/edit").text)

    made = browser.home.get(Sample, 1)
    assert 303 == answer.status, answer.text
    assert made is not None
    assert (Decimal("12.50"), 0.75, 5) == (made.money, made.real, made.percent)
    assert "12,50" in shown
    assert ("12,50", "0,75") == (again.value("money"), again.value("real"))
    assert "12,50" == _marked_with_comma("12.50")


def _marked_with_comma(text: str) -> str:
    with with_mark(","):
        return marked(text)


def test_a_keypad_without_a_minus_is_only_for_what_is_never_negative() -> None:
    """Where the model says 0 or more a keypad of digits comes up; else there is a minus."""
    text = FakeBrowser(FakeHome(app)).get("/pages/sample/new").text

    for name, mode in (("percent", "numeric"), ("money", "decimal"), ("whole", "text")):
        assert f'inputmode="{mode}" name="{name}"' in text
