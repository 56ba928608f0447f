"""Connections that stand still end: of their silence nobody else suffers."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 20.0
"""So long may a connection take to its next request, all headers included."""
UNREAD_S = 60.0
"""So long may an answer stand still because nobody reads it."""
MOST_CONNECTIONS = 1_000
HEADER_BYTES = 32 << 10
"""Of the first line and the headers of a request together."""


class Connection(H11Protocol):
    """A connection of uvicorn's that ends where its client does nothing.

    uvicorn itself ends only connections that have had an answer: one that has sent half a header,
    or nothing at all, would stay for ever, and so would an answer that nobody reads.
    """

    _asked: asyncio.TimerHandle | None = None
    _read: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; half a request is none."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        """Watch whether the answer is read."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The answer is read."""
        _end(self._read)
        self._read = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        _end(self._asked)
        _end(self._read)
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            _end(self._asked)
            self._asked = None
        elif self._asked is None:
            self._asked = self.loop.call_later(HEADERS_S, self.transport.close)

    def _watch(self, size: int) -> None:
        def look() -> None:
            left = self.transport.get_write_buffer_size()
            if left >= size:
                self.transport.abort()
            else:
                self._watch(left)

        _end(self._read)
        self._read = self.loop.call_later(UNREAD_S, look)


def _end(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
