"""Which pages a device keeps, and what becomes of a form that was filled in too soon (R9, R17)."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "pwa" / "shell" / "kept"
NOW = {"version": "v1", "user": "worker1"}


def called(module: str, script: str, argument: object) -> Any:
    """Return what a script makes of an argument, with the names of a module."""
    names = {"shelf": "placed, shelfOf, withoutOthers, mayBeKept, MOST"}
    source = f"""
        import {{ PLACES }} from "{(ROOT / "pwa" / "page-places.js").as_uri()}";
        import {{ {names.get(module, "overlaid")} }} from "{(KEPT / module).as_uri()}.js";
        const argument = JSON.parse(process.argv[1]);
        console.log(JSON.stringify({script}));
    """
    command = ["node", "--input-type=module", "-e", source, json.dumps(argument)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def page(path: str, size: int = 10) -> dict[str, Any]:
    """Return a page that is to be kept."""
    return {"path": path, "size": size, "at": 1, "from": "rows", "after": "1 x"}


FILLED = """argument.reduce((pages, each) => {
  const made = placed(pages, each);
  if (new Set(made.map(({ place }) => place)).size !== made.length) throw new Error("one too many");
  const isPlace = ({ place }) => place >= 0 && place < PLACES;
  if (!made.every(isPlace)) throw new Error("no such place");
  if (made.reduce((sum, { size }) => sum + size, 0) > MOST) throw new Error("too many");
  return made;
}, [])"""


def test_the_pages_that_were_seen_last_are_kept() -> None:
    """Their number and size are bounded; an address has one place, and the newest is in front."""
    many = [page(f"/pages/{number}") for number in range(60)]
    kept = called("shelf", FILLED, [*many, page("/pages/30"), page("/pages/59")])
    assert ["/pages/59", "/pages/30", "/pages/58"] == [each["path"] for each in kept[:3]]
    assert 40 == len(kept)

    large = [page(f"/pages/{number}", 290_000) for number in range(10)]
    kept = called("shelf", FILLED, [page("/"), *large])
    assert [f"/pages/{number}" for number in range(9, 3, -1)] == [each["path"] for each in kept]


def test_a_damaged_list_of_pages_is_none() -> None:
    """Whatever was stored in its place: nothing is shown of it, and nothing fails (R26)."""
    sound = {**page("/"), "place": 0}
    whole = {**NOW, "pages": [sound]}
    damaged = [
        None,
        "garbage",
        {**NOW, "pages": "garbage"},
        {**whole, "version": "v2"},
        {**whole, "user": "worker2"},
        {**NOW, "pages": [None]},
        {**NOW, "pages": [{**sound, "place": 40}]},
        {**NOW, "pages": [{**sound, "place": "0"}]},
        {**NOW, "pages": [{**sound, "path": 1}]},
        {**NOW, "pages": [sound, {**sound, "path": "/pages/site"}]},
        {**NOW, "pages": [{**sound, "place": n % 40, "path": str(n)} for n in range(41)]},
    ]
    script = "argument[0].map((each) => shelfOf(each, argument[1]).pages.length)"

    assert [0] * len(damaged) + [1] == called("shelf", script, [[*damaged, whole], NOW])


def test_what_waits_and_what_goes_is_never_kept() -> None:
    """Only pages of the device's rows are: neither outbox nor trouble nor an account."""
    paths = {
        "/": True,
        "/pages/site?q=x": True,
        "/pages/site/records/3/edit": True,
        "/pages/site/new": True,
        "/pages/site/records/3/delete": False,
        "/sync": False,
        "/entries/x": False,
        "/repair/x": False,
        "/account": False,
        "/people": False,
    }

    assert list(paths.values()) == called("shelf", "argument.map(mayBeKept)", list(paths))


def test_what_was_typed_is_put_on_top_of_what_is_now() -> None:
    """Today's day stays today's, a cleared tick stays cleared, and the id is that of the form."""
    before = [
        ["_envelope", "one"],
        ["_opened", ""],
        ["day", "2026-11-25"],
        ["note", ""],
        ["tick", "yes"],
        ["tags", "1"],
        ["tags", "2"],
    ]
    typed = [
        ["_envelope", "one"],
        ["_opened", ""],
        ["day", "2026-11-25"],
        ["note", "typed"],
        ["tags", "2"],
    ]
    now = [
        ["_envelope", "two"],
        ["_opened", ""],
        ["day", "2026-11-26"],
        ["note", "preset"],
        ["tick", "yes"],
        ["tags", "1"],
        ["tags", "2"],
    ]
    expected = [
        ["_opened", ""],
        ["day", "2026-11-26"],
        ["_envelope", "one"],
        ["note", "typed"],
        ["tags", "2"],
    ]

    assert expected == called("overlay", "overlaid(...argument)", [now, typed, before])


def test_of_pages_of_other_rows_only_the_address_stays() -> None:
    """What she may see no more is gone at once; what she may see is made again (R9)."""
    sound, other = {**page("/"), "place": 0}, {**page("/pages/site"), "place": 1, "from": "former"}
    bare = {**other, "size": 0, "from": "", "after": ""}
    script = "withoutOthers(...argument)"
    assert [sound, bare] == called("shelf", script, [[sound, other], "rows"])

    # it is one of those that are kept: sound, counted, and made again in its own place
    script = "placed(shelfOf(argument[0], argument[1]).pages, argument[2])"
    made = called("shelf", script, [{**NOW, "pages": [sound, bare]}, NOW, page("/pages/site")])
    assert [{**page("/pages/site"), "place": 1}, sound] == made
