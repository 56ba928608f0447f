"""What everybody did, and what must have become of it: a model that knows nothing of replay.

Every text that is written is new, but for those that a repair writes in the place of an envelope
that was not applied, so each applied change of a cell leads from one text to another. Whatever the
order, the applied changes of a cell must be one unbroken path from the text it was born with to
the text that it has: a lost, doubled or misplaced effect breaks it.

A row may be born of several acts, a refused one and its repair: one of them at most is applied.

Stops are sets, and several people may tick one place: a stop that is there was ticked by somebody,
and one that was ticked and never taken away is there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CELLS = {"errand": ("title", "note"), "item": ("name",), "place": ("name",), "memo": ("text",)}
PROGRAM = ""
"""The act of another program: applied when it is done."""

Link = tuple[str, Any, Any]
"""Act, the text before, the text after."""


@dataclass
class History:
    """Acts of one story; an act is an envelope's id, or `PROGRAM`."""

    births: dict[str, list[tuple[str, str, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    links: dict[tuple[str, str], list[Link]] = field(default_factory=lambda: defaultdict(list))
    ticks: dict[tuple[str, str], list[tuple[str, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    deaths: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def born(self, act: str, model: str, mark: str, values: Mapping[str, Any]) -> None:
        cells = {column: values.get(column) for column in CELLS[model]}
        self.births[mark].append((act, model, cells))

    def changed(self, act: str, mark: str, column: str, was: Any, new: Any) -> None:
        self.links[mark, column].append((act, was, new))

    def ticked(self, act: str, mark: str, code: str, *, on: bool) -> None:
        self.ticks[mark, code].append((act, on))

    def died(self, act: str, mark: str) -> None:
        self.deaths[mark].append(act)

    def saved(self, envelope: Mapping[str, Any]) -> None:
        """Take down what an envelope wants."""
        act = envelope["id"]
        for operation in envelope["operations"]:
            model, new, was = operation["model"], operation.get("set", {}), operation.get("was")
            if operation["do"] == "insert":
                self.born(act, model, new["mark"], new)
                self._stops(act, new["mark"], new, {})
            elif operation["do"] == "delete":
                self.died(act, was["mark"])
            elif operation["do"] == "update":
                for column in CELLS[model]:
                    if column in new:
                        self.changed(act, was["mark"], column, was[column], new[column])
                self._stops(act, was["mark"], new, was)

    def _stops(self, act: str, mark: str, new: Mapping[str, Any], was: Mapping[str, Any]) -> None:
        if "stops" in new:
            after = {key[0] for key in new["stops"] or ()}
            before = {key[0] for key in was.get("stops") or ()}
            for code in after ^ before:
                self.ticked(act, mark, code, on=code in after)

    def faults(self, applied: set[str], rows: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
        """Yield how these rows differ from what the applied acts must have made."""
        acts = {*applied, PROGRAM}
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for _, row in rows:
            found[row["mark"]].append(row)
        born = {m: [b for b in births if b[0] in acts] for m, births in self.births.items()}
        alive = {mark for mark, births in born.items() if births and self._lives(mark, acts)}
        for mark in sorted(alive | found.keys()):
            times = len(found[mark])
            if times != (mark in alive):
                yield f"{mark} is there {times} times, and should be {int(mark in alive)} times"
        for mark, births in born.items():
            if len(births) > 1:
                yield f"{mark} was born {len(births)} times"
            for _, _, cells in births:
                for column, first in cells.items():
                    last = found[mark][0][column] if mark in alive and found[mark] else ...
                    links = [link for link in self.links[mark, column] if link[0] in acts]
                    yield from _breaks(f"{mark}.{column}", first, links, last)

    def stop_faults(self, applied: set[str], stops: set[tuple[str, str]]) -> Iterator[str]:
        """Yield how these stops (mark, code) differ from what the applied acts can have made."""
        acts = {*applied, PROGRAM}
        for mark, code in stops | self.ticks.keys():
            done = {on for act, on in self.ticks[mark, code] if act in acts}
            is_there = (mark, code) in stops
            if is_there and True not in done:
                yield f"{mark} stops at {code}, and nobody ticked it"
            is_born = any(birth[0] in acts for birth in self.births[mark])
            if not is_there and done == {True} and is_born and self._lives(mark, acts):
                yield f"{mark} does not stop at {code}, and nobody took it away"

    def _lives(self, mark: str, acts: set[str]) -> bool:
        parent = mark.rpartition(".")[0]
        return not acts.intersection(self.deaths[mark]) and (
            not parent or self._lives(parent, acts)
        )


def _breaks(cell: str, first: Any, links: list[Link], last: Any) -> Iterator[str]:
    """Yield what keeps these changes from being one path that uses each of them once.

    A text may be passed twice: who keeps hers against somebody else's goes back to it.
    """
    steps = [(was, new) for _, was, new in links]
    balance = Counter(was for was, _ in steps)
    balance.subtract(new for _, new in steps)
    balance[first] -= 1
    ends = sorted(str(text) for text, count in balance.items() if count < 0 for _ in range(-count))
    torn = [text for text, count in balance.items() if count > 0]
    if torn or len(ends) != 1:
        yield f"{cell}: {steps} are no path from {first!r}: it breaks at {torn}, ends at {ends}"
    elif last is not ... and ends != [str(last)]:
        yield f"{cell} is {last!r}; the applied changes lead to {ends[0]!r}"
    reached, left = {first}, steps
    while grown := {new for was, new in left if was in reached}:
        left = [(was, new) for was, new in left if was not in reached]
        reached |= grown
    if left:
        yield f"{cell}: applied although the text before was never there: {left}"
