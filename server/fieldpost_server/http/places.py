"""Places: work that takes much memory or time is admitted before it is done, or not at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fieldpost.errors import Code, InputError, Problem, problem


class Places:
    """So many at a time; who comes then is told at once when to come again, and waits nowhere.

    Args:
        most: places in this process.
        seconds: how long one takes, about.
    """

    def __init__(self, most: int, seconds: int = 2) -> None:
        self.most = most
        self.seconds = seconds
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place until the block ends.

        Raises:
            InputError: all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise InputError([self.taken])
        try:
            yield
        finally:
            self._free.release()

    @property
    def taken(self) -> Problem:
        """Return what is said where all are taken."""
        return problem(Code.OFFICE_BUSY, seconds=self.seconds, detail={"seconds": self.seconds})
