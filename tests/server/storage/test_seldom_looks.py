"""What costs much to look for is looked for seldom, and its age is known (R61)."""

import pytest

from fieldpost_server.storage.seldom_looks import SeldomLook


class Clock:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Looks:
    """Says what it is told, and counts how often it was asked."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.count = 0

    def __call__(self) -> list[str]:
        self.count += 1
        return self.wrong


@pytest.mark.parametrize(("wrong", "believed_s"), [([], 600), (["a row"], 60)])
def test_what_was_found_is_believed_for_a_while(wrong: list[str], believed_s: int) -> None:
    """What is wrong may be put right at any time: it is looked at again sooner."""
    clock, look = Clock(), Looks()
    seldom = SeldomLook(look, keep_s=600, doubt_s=60, clock=clock)
    look.wrong = wrong

    assert seldom.age_s is None
    assert wrong == seldom.get()
    clock.now += believed_s
    assert [wrong, 1, believed_s] == [seldom.get(), look.count, seldom.age_s]

    clock.now += 1
    look.wrong = ["another"]
    assert [["another"], 2, 0] == [seldom.get(), look.count, seldom.age_s]


def test_who_could_not_look_has_found_nothing() -> None:
    """A look that fails is no sign that all is well: the next who asks looks again."""
    clock = Clock()
    seldom = SeldomLook(lambda: [str(1 // 0)], keep_s=600, clock=clock)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            seldom.get()
    assert seldom.age_s is None
