"""Whatever stands in an address's query is answered, by every page and every call (R66)."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[2]
READ = re.compile(r'(?:query|query_params)(?:\.get|\.getlist)?[\[(]"(\w+)"')
"""How a parameter is read of a query."""
MOMENTS = (
    "0001-01-01T00:00:00+01:00",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-01:00",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00Z",
    "2026-11-23T08:15:04.112+01:00:30.5",
    "2026-W48-1T08:15:04+01:00",
    "20261123T081504Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T08:15:04",
    "2026-02-30T08:15:04Z",
)
NUMBERS = ("-1", "0", "1e9", "NaN", "9" * 7, "9" * 18, "9" * 19, "9" * 400, "١٢", "²", " 1", "0x1")
TEXTS = (
    "",
    "\0",
    "\x1f",
    "'\"\\",
    "%",
    "_",
    "[1]" * 300,
    "x" * 4000,
    "\U0010ffff\u202e",
    ",,-,-id",
)
WORDS = (*MOMENTS, *(f"{moment} x" for moment in MOMENTS), "2026-11-23T08:15:04Z \0", *NUMBERS)
CURSORS = tuple(
    f"f1.{quote(each)}.{n}.{n}.x.{more}" for each in "x\0" for n in ("1", "9" * 19) for more in "x!"
)
ODD = (
    *(quote(each, safe="") for each in (*WORDS, *TEXTS, *CURSORS)),
    # no UTF-8, half of an escape, a surrogate
    *("%ff", "%", "%4", "%ED%A0%80", "+", "a&a=b"),
)
"""As they stand in an address."""
SOME = (quote(f"{MOMENTS[0]} x"), "9" * 19, "%00", "%ff", CURSORS[0])
LISTS = ("/envelopes", "/security-events", "/devices", "/people", "/pages/visit")


def parameters() -> list[str]:
    """Return the name of every parameter that something of ours reads."""
    files = [*(ROOT / "server").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
    return sorted({name for file in files for name in READ.findall(file.read_text())})


def addresses(office: Any) -> list[str]:
    """Return the address of every route that may be got."""
    values = {"page": "visit", "key": "1", "envelope": "x", "sha256": "0" * 64, "user": "dora"}
    return sorted(
        route.path.format(**values) for route in office.application.routes if "GET" in route.methods
    )


def test_all_parameters_are_found() -> None:
    """The list is read from the code, so that a new one is tried as well."""
    assert {"before", "cursor", "next", "page", "q", "replace", "show", "sort"} <= set(parameters())


def failing(office: Any, user: str, addresses: list[str], values: tuple[str, ...]) -> list[str]:
    """Return what is answered with an error of the server's own, each value in all parameters."""
    client, names, failed = office.client(user or None), parameters(), []
    for address in addresses:
        for odd in values:
            query = "&".join(f"{name}={odd}" for name in names)
            headers = {"Fieldpost-Shell": "1"}
            if client.get(f"{address}?{query}", headers=headers).status_code >= 500:
                failed.append(f"{address}?{odd[:80]}")
    return failed


@pytest.mark.long
@pytest.mark.parametrize("user", ["", "anna", "admin"])
def test_whatever_a_query_holds_is_answered(office: Any, user: str) -> None:
    """Every page and call, with something odd in all of its parameters."""
    assert [] == failing(office, user, addresses(office), SOME)


@pytest.mark.long
def test_whatever_a_list_is_asked_for_is_answered(office: Any) -> None:
    """Every list, with every odd value."""
    assert [] == failing(office, "admin", list(LISTS), ODD)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_list_of_envelopes_goes_on_from_any_moment(office: Any, moment: str) -> None:
    """What comes before the first or after the last day of all calendars is no page of a list."""
    answer = office.client("admin").get(f"/envelopes?show=all&before={quote(moment)}%20x")
    assert 200 == answer.status_code
