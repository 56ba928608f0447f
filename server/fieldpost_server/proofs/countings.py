"""What is being counted just now: nobody counts what another one counts at the same time.

After a server's start a hundred devices pull, and most of what they have is the same.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAIT_S = 60


class BeingCounted(Exception):
    """Another pull counts the same table: what it finds will do for a snapshot of afterwards."""

    def __init__(self, query: bytes, done: threading.Event) -> None:
        super().__init__()
        self.query = query
        self._done = done

    def wait(self) -> None:
        """Wait until it has ended, with its work done or not; hold no connection meanwhile."""
        self._done.wait(WAIT_S)


class Countings:
    """The tables that this process counts just now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[bytes, threading.Event] = {}

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is counted."""
        return not self._running

    def meet(self, query: bytes) -> None:
        """Raise `BeingCounted` where somebody counts a table."""
        running = self._running.get(query)
        if running is not None:
            raise BeingCounted(query, running)

    @contextmanager
    def one(self, query: bytes, *, patient: bool) -> Iterator[None]:
        """Count a table while the block runs.

        Args:
            query: which.
            patient: raise `BeingCounted` where somebody else counts it.
        """
        done = threading.Event()
        # fault point: counting-begun — memory only: the next process counts from the start.
        with self._lock:
            running = self._running.setdefault(query, done)
        if running is not done and patient:
            raise BeingCounted(query, running)
        try:
            yield
        finally:
            if running is done:
                del self._running[query]
                done.set()
