"""Attachments on their way to the server: in pieces, resumed, each by itself."""

from collections.abc import Iterator
from urllib.parse import quote

from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.wire.envelope import Envelope
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.base import Answer, StoreError
from fieldpost_client.sync.contact import Contact, Stopped, no_answer_of_ours

MOST_STUMBLES = 3
"""How often in a row a piece may fail before the attachment is left for the next sync."""
MOST_FAILED = 5
"""So many attachments in a row that the server has trouble with: it has it with all of them."""

_AGAIN = frozenset({409, 422})
"""It stands elsewhere than was thought, or arrived damaged and was thrown away."""
_PASSING = frozenset({401, 408, 409, 425, 429})
"""Refusals that say nothing of the file itself."""


def attachment_path(sha256: str) -> str:
    """Return the address of an attachment on the server."""
    return f"/sync/attachments/{quote(sha256, safe='')}"


class Uploads:
    """Sends the attachments of envelopes.

    Attributes:
        sent: SHA-256 of what the server has whole.
        refused: SHA-256 to why, for what it will never take as it is.
        unsent: SHA-256 to why, for what did not get through this time.
    """

    def __init__(self, home: DeviceHome, contact: Contact) -> None:
        self.home = home
        self.platform = home.platform
        self.contact = contact
        self.sent: set[str] = set()
        self.refused: dict[str, Problem] = {}
        self.unsent: dict[str, Problem] = {}

    def begin(self) -> None:
        """Forget what an earlier sync has found out: the server may have been put back since."""
        self.sent.clear()
        self.refused.clear()
        self.unsent.clear()

    async def send_all(self, entries: list[Entry]) -> list[Stopped]:
        """Send everything that these envelopes refer to and the server does not have.

        What one attachment stumbles over stops none of the others.

        Returns:
            What stopped some of them.

        Raises:
            Stopped: nothing else would get through either.
        """
        wanted = dict.fromkeys(sha for e in entries for sha in e.envelope.attachments)
        known = self.sent | self.refused.keys()
        left = [sha for sha in wanted if sha not in known]
        found, in_a_row = list[Stopped](), 0
        for done, sha256 in enumerate(left):
            self.platform.notify(
                {"event": "progress", "step": "upload", "done": done, "total": len(left)}
            )
            try:
                await self._send(sha256)
                in_a_row = 0
            except Stopped as stopped:
                rest = left[done:] if self.contact.is_over(stopped) else [sha256]
                in_a_row += 1
                if in_a_row >= MOST_FAILED:
                    rest = left[done:]
                self.unsent |= dict.fromkeys(rest, stopped.problem)
                if self.contact.is_over(stopped):
                    raise
                found.append(stopped)
                if in_a_row >= MOST_FAILED:
                    break
        return found

    def reasons(self, envelope: Envelope) -> dict[str, Problem]:
        """Return why attachments of an envelope are not at the office, at their fields."""
        found: dict[str, Problem] = {}
        for sha256, name, path in references(envelope):
            if gone := self.refused.get(sha256):
                found[sha256] = _named(gone, name, path, is_final=True)
            elif why := self.unsent.get(sha256):
                found[sha256] = _named(why, name, path, is_final=False)
        return found

    async def _send(self, sha256: str) -> None:
        """Send one attachment; raises `Stopped` where it has to wait for another sync."""
        found = await self.platform.store.read("attachments", sha256)
        if not isinstance(found, dict) or not isinstance(found.get("size"), int):
            self.refused[sha256] = problem(Code.FILE_GONE, name="")
            return
        size, stumbles, offset = int(found["size"]), 0, -1
        while sha256 not in self.sent:
            try:
                if offset < 0:
                    offset = await self._ask_offset(sha256, size)
                offset = await self._piece(sha256, offset, size, str(found.get("type") or ""))
                stumbles = 0
            except StoreError:
                self.refused[sha256] = problem(Code.FILE_GONE, name="")
                return
            except Stopped as stopped:
                stumbles, offset = stumbles + 1, -1
                if not self._may_try_again(sha256, stopped, stumbles):
                    return
            if offset == size:
                self.sent.add(sha256)

    def _may_try_again(self, sha256: str, stopped: Stopped, stumbles: int) -> bool:
        """Say whether to go on where it stands; raises `Stopped` where the next sync has to."""
        status = stopped.status
        is_final = 400 <= status < 500 and status not in _PASSING
        if is_final and (status not in _AGAIN or stumbles >= MOST_STUMBLES):
            self.refused[sha256] = stopped.problem
            return False
        passes = status == 0 or status in _AGAIN
        if not passes or stumbles >= MOST_STUMBLES or self.contact.is_over(stopped):
            raise stopped
        return True

    async def _piece(self, sha256: str, offset: int, size: int, type_: str) -> int:
        """Send what comes next and return how much has arrived; raises `Stopped`, `StoreError`."""
        end = min(offset + self.contact.pace.piece, size)
        headers = {
            "upload-offset": str(offset),
            "upload-length": str(size),
            "upload-type": type_,
            "content-type": "application/offset+octet-stream",
        }
        path = attachment_path(sha256)
        answer = await self.contact.send_piece(path, sha256, offset, end, headers)
        reached = _offset(answer, size)
        if reached < min(offset + 1, size):
            # our server's offset grows with every piece that it takes
            raise no_answer_of_ours()
        return reached

    async def _ask_offset(self, sha256: str, size: int) -> int:
        return _offset(await self.contact.ask("HEAD", attachment_path(sha256)), size)


def _offset(answer: Answer, size: int) -> int:
    """Return how much has arrived; an answer that does not say so is not our server's."""
    text = answer.headers.get("upload-offset", "")
    if not text.isascii() or not text.isdecimal() or not 0 <= int(text[:16]) <= size:
        raise no_answer_of_ours()
    return int(text)


def references(envelope: Envelope) -> Iterator[tuple[str, str, str]]:
    """Yield SHA-256, name and path in the form of everything that an envelope's values refer to."""
    for operation in envelope.operations:
        for attribute, value in operation.set.items():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict) and isinstance(each.get("sha256"), str):
                    path = join_path(operation.at, attribute)
                    yield each["sha256"], str(each.get("name") or "file"), path


def _named(why: Problem, name: str, path: str, *, is_final: bool) -> Problem:
    if why.code is Code.FILE_GONE:
        return problem(Code.FILE_GONE, path, name=name)
    code = Code.FILE_REFUSED if is_final else Code.FILE_NOT_SENT
    return problem(code, path, name=name, reason=why.message)
