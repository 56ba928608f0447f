"""What is wrong somewhere, as it was when somebody last looked: looking may cost much."""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class SeldomLook(Generic[T]):
    """Looks seldom, and knows how old what it found is.

    Args:
        look: returns what is wrong; nothing where all is well.
        keep_s: for how long it is believed that all is well, in seconds.
        doubt_s: the same of what is wrong, which somebody may put right at any time; as long as
            `keep_s` where it is left out.
        clock: counts seconds.
    """

    def __init__(
        self,
        look: Callable[[], Sequence[T]],
        keep_s: float,
        doubt_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._keep_s = keep_s
        self._doubt_s = keep_s if doubt_s is None else doubt_s
        self._clock = clock
        self._found: Sequence[T] = ()
        self._looked_at: float | None = None

    @property
    def age_s(self) -> float | None:
        """Return how long ago somebody looked, in seconds; None where nobody has."""
        return None if self._looked_at is None else self._clock() - self._looked_at

    def get(self) -> Sequence[T]:
        """Return what is wrong; look where what is known of that is too old."""
        age = self.age_s
        if age is None or age > (self._doubt_s if self._found else self._keep_s):
            self._found = self._look()
            self._looked_at = self._clock()
        return self._found
