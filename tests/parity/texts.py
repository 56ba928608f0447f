"""Strategies for what may stand in a field: as JSON, and as the text of an input."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from apps.clinic import Kind as VisitKind
from apps.clinic import app
from apps.fakes import ADA, BERTS, ERIC
from fieldpost.schema.fields import Kind
from parity.bench import PICTURE

Texts = st.SearchStrategy[str]
Data = st.SearchStrategy[Any]

NASTY = (
    "",
    " ",
    "\u00a0\u2003",
    "null",
    "Ä\u0308ffin",
    "e\u0301 é",
    "𝄞👩\u200d⚕️",
    "\u202eabc\u202c",
    "\u0131 İ ß ẞ ﬁ",
    "a\r\nb\rc\nd",
    "tab\tvertical\x0b",
    "\x00",
    "\x7f\x85\u2028\u2029",
    "\ufeffbom",
    "\ufffe",
    "\ud800",
    "{label} {0} %s %(a)s",
    "<b>&amp;'\"",
    "x" * 20,
    "x" * 21,
    "𝄞" * 80,
    "𝄞" * 81,
    "ü" * 2000,
    "ü" * 2001,
)
"""Texts with something about them: composed, reversed, invisible, forbidden, at the limits."""

any_text: Texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
good_text: Texts = st.one_of(
    st.sampled_from(["Ärztin", "a\nb", "𝄞 x", "e\u0301e\u0301", "İstanbul"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=2),
)
digits: Texts = st.text(st.sampled_from("0123456789+-._,eE ٣३𝟗１"), max_size=8)
"""What looks like a number, in digits of several scripts."""

plain_json: Data = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    any_text,
    digits,
)
any_json: Data = st.one_of(
    plain_json,
    st.lists(plain_json, max_size=3),
    st.dictionaries(st.text(max_size=4), plain_json, max_size=3),
)

_OFFSETS = ("", "Z", "+00:00", "-00:00", "+14:00", "-23:59", "+23:60", "+24:00", "+05:45", "+0100")
_zones = st.one_of(st.timezones(), st.just(None))
_moments: Texts = st.one_of(
    st.datetimes(timezones=_zones).map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=_zones).map(lambda moment: moment.isoformat(" ", "minutes")),
    st.tuples(
        st.sampled_from(
            [
                "0001-01-01T00:00",
                "9999-12-31T23:59:59.999999",
                "2026-03-29T02:30",
                "2026-10-25T02:30:00",
                "2016-12-31T23:59:60",
                "2026-11-23 08:15",
                "2026-11-23T24:00",
                "20261123T0815",
            ]
        ),
        st.sampled_from(_OFFSETS),
    ).map("".join),
)
_integers: Texts = st.one_of(
    st.integers(-200, 200).map(str),
    st.sampled_from([str(sign * (1 << bits) + step)
                     for bits in (15, 31, 53, 63) for sign in (1, -1) for step in (-1, 0, 1)]),
    st.sampled_from(["007", "+5", " 5 ", "٣", "1_000", "5.0", "1e2", "--1", "0x1f", "9" * 31]),
    digits,
)  # fmt: skip
_decimals: Texts = st.one_of(
    st.decimals(-10_000, 10_000, places=2).map(str),
    st.decimals(allow_nan=True).map(str),
    st.sampled_from(["9999.99", "9999.995", "10000", "-0", "0.000", ".5", "5.", "-.5", "1,5"]),
    st.sampled_from(["1" * 40, "1" * 41, "0." + "1" * 40, "٣\u066b\u0665"]),
    st.sampled_from(["٣", "Infinity", "sNaN", "1_0"]),
    digits,
)
_floats: Texts = st.one_of(
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(["1e400", "-1e-400", "0.1", "5e-324", "1_000", "٣", "0x1p4", "infinity"]),
    digits,
)
_dates: Texts = st.one_of(
    st.dates().map(str),
    st.sampled_from(["2026-02-29", "2024-02-29", "0000-01-01", "2026-2-3", "2026-W01-1", "٢-٢-٢"]),
)
_times: Texts = st.one_of(
    st.times().map(lambda moment: moment.isoformat()),
    st.sampled_from(["24:00", "23:59:60", "1:30", "0130", "12:30:15.1234567", "12:30Z", "12:30"]),
)
_ids: Texts = st.one_of(
    st.sampled_from([str(ADA), str(ERIC), str(BERTS)]),
    st.uuids().map(str),
    st.sampled_from(["{" + str(ADA) + "}", "urn:uuid:" + str(ADA), ADA.hex, "0" * 31 + "٣"]),
)
_yes_no: Texts = st.sampled_from(["true", "false", "on", "", "1", "0", "YES", "\uff54rue", "ja"])
_wards: Texts = st.sampled_from(["A 1/2", "B", "b", "C", "", "A 1/2 "])

_references: Data = st.one_of(
    st.just(PICTURE.to_json()),
    st.fixed_dictionaries(
        {
            "sha256": st.sampled_from(["a" * 64, "A" * 64, "b" * 63, "٣" * 64, 7]),
            "size": st.sampled_from([0, 1, -1, 1.0, True, 1 << 80]),
            "type": st.one_of(st.just("image/png"), any_text),
            "name": st.one_of(any_text, st.just("n" * 256)),
        }
    ),
)
_attachments: Data = st.one_of(
    _references, st.lists(_references, max_size=3), st.just([PICTURE.to_json()] * 51), any_json
)

_KINDS: Mapping[Kind, Texts] = {
    Kind.INTEGER: _integers,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.DATETIME: _moments,
    Kind.YES_NO: _yes_no,
    Kind.CHOICE: st.one_of(st.sampled_from([k.value for k in VisitKind]), any_text),
    Kind.ID: _ids,
    **dict.fromkeys(
        (Kind.SIGNATURE, Kind.PHOTO, Kind.PHOTOS, Kind.FILE),
        st.one_of(_attachments.map(json.dumps), any_text),
    ),
}


@cache
def texts_of(model: str, name: str) -> Texts:
    """Return a strategy for what may be typed, or posted, for a field."""
    field = app.models[model].fields[name]
    if field.kind is Kind.LOOKUP:
        own = _wards if field.target == "ward" else _ids
    elif field.kind is Kind.LINKS:
        own = st.lists(_wards, max_size=3).map(json.dumps)
    elif field.kind is Kind.DECIMAL:
        own = _floats if field.name == "temperature" else _decimals
    else:
        own = _KINDS.get(field.kind, good_text)
    return st.one_of(own, own, own, any_text)


_FROM_TEXT: Mapping[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: lambda text: _or_text(int, text),
    Kind.YES_NO: lambda text: {"true": True, "false": False}.get(text, text),
}


@cache
def data_of(model: str, name: str) -> Data:
    """Return a strategy for what may travel for a field: values of its type, and of any other."""
    field = app.models[model].fields[name]
    if field.kind is Kind.LINKS:
        return st.one_of(st.lists(_wards, max_size=3), any_json)
    if field.kind in (Kind.SIGNATURE, Kind.PHOTO, Kind.PHOTOS, Kind.FILE):
        return st.one_of(_attachments, any_json)
    convert = _FROM_TEXT.get(field.kind, str)
    if field.name == "temperature":
        own: Data = st.one_of(st.floats(), st.integers(-(1 << 2000), 1 << 2000))
    else:
        own = texts_of(model, name).map(convert)
    return st.one_of(own, own, any_json)


def _or_text(convert: Callable[[str], Any], text: str) -> Any:
    try:
        return convert(text)
    except ValueError:
        return text
