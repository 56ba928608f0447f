"""Attachments on their way to the server: in pieces, resumed, each sent once."""

from urllib.parse import quote

from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.base import Answer, PlatformError, StoreError
from fieldpost_client.sync.contact import headers_for, refusal, stopped_by

PIECE_BYTES = 512 << 10
MOST_STUMBLES = 3
"""How often an upload may be told that it is somewhere else before it is left for the next sync."""

_AGAIN = frozenset({409, 422})
"""It stands elsewhere than was thought, or arrived damaged and was thrown away."""


def attachment_path(sha256: str) -> str:
    """Return the address of an attachment on the server."""
    return f"/sync/attachments/{quote(sha256, safe='')}"


class Uploads:
    """Sends the attachments of envelopes.

    Attributes:
        sent: SHA-256 of what the server has whole.
        refused: SHA-256 to the server's words, for what it does not take.
    """

    def __init__(self, home: DeviceHome) -> None:
        self.home = home
        self.platform = home.platform
        self.sent: set[str] = set()
        self.refused: dict[str, str] = {}

    def begin(self) -> None:
        """Forget what an earlier sync has found out: the server may have been put back since."""
        self.sent.clear()
        self.refused.clear()

    async def send_all(self, entries: list[Entry]) -> None:
        """Send everything that these envelopes refer to and the server does not have.

        Raises:
            Stopped: the server cannot be reached, or wants a sign-in.
        """
        wanted = dict.fromkeys(sha for e in entries for sha in e.envelope.attachments)
        left = [sha for sha in wanted if sha not in self.sent]
        for done, sha256 in enumerate(left):
            self.platform.notify(
                {"event": "progress", "step": "upload", "done": done, "total": len(left)}
            )
            await self._send(sha256)

    async def _send(self, sha256: str) -> None:
        found = await self.platform.store.read("attachments", sha256)
        if not isinstance(found, dict) or not isinstance(found.get("size"), int):
            # the envelope goes anyway: its receipt says what is missing
            self.refused[sha256] = "is missing on this device"
            return
        size, stumbles = int(found["size"]), 0
        offset = self._offset(await self._ask_offset(sha256))
        while stumbles < MOST_STUMBLES:
            answer = await self._piece(sha256, offset, size, str(found.get("type") or ""))
            if answer is None:
                return
            if answer.status < 300:
                offset = self._offset(answer)
                if offset >= size:
                    self.sent.add(sha256)
                    return
                continue
            if answer.status == 401 or answer.status >= 500:
                raise refusal(answer.status, answer.body)
            self.refused[sha256] = refusal(answer.status, answer.body).problem.message
            if answer.status not in _AGAIN:
                return
            stumbles += 1
            offset = self._offset(await self._ask_offset(sha256))

    async def _piece(self, sha256: str, offset: int, size: int, type_: str) -> Answer | None:
        end = min(offset + PIECE_BYTES, size)
        headers = headers_for(self.home.state.device) | {
            "upload-offset": str(offset),
            "upload-length": str(size),
            "upload-type": type_,
            "content-type": "application/offset+octet-stream",
        }
        try:
            return await self.platform.send_piece(
                attachment_path(sha256), sha256, min(offset, end), end, headers
            )
        except StoreError:
            self.refused[sha256] = "is missing on this device"
            return None
        except PlatformError as error:
            raise stopped_by(error) from error

    async def _ask_offset(self, sha256: str) -> Answer:
        headers = headers_for(self.home.state.device)
        try:
            answer = await self.platform.fetch("HEAD", attachment_path(sha256), headers)
        except PlatformError as error:
            raise stopped_by(error) from error
        if answer.status == 401 or answer.status >= 500:
            raise refusal(answer.status, answer.body)
        return answer

    @staticmethod
    def _offset(answer: Answer) -> int:
        text = answer.headers.get("upload-offset", "0")
        return int(text) if text.isascii() and text.isdecimal() else 0
