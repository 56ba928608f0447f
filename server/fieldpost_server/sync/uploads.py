"""The calls for attachments: pieces, whole files, and what is shown (`docs/protocol.md`)."""

import re
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from fieldpost.errors import Code, Forbidden, InputError, NotFound, problem
from fieldpost.text.filenames import plain_name
from fieldpost.types import Attachment
from fieldpost.users import User
from fieldpost.web.framework.requests import USER
from fieldpost.wire.limits import BYTES, PICTURES, SHOWN
from fieldpost.wire.protocol import OLDEST_PROTOCOL, PROTOCOL, PROTOCOL_HEADER
from fieldpost_server.attachments.attachment_rows import find
from fieldpost_server.home import ServerHome
from fieldpost_server.http.bodies import pour
from fieldpost_server.quotas.kinds import Kind

_NUMBER = re.compile(r"[0-9]{1,15}")
_DESTINATIONS = frozenset({"empty", "image", "document"})
"""What a browser may want an attachment for: to keep, to show, to open. Never to run."""
_RANGE = re.compile(r"bytes=(?:([0-9]{1,15})-([0-9]{1,15})?|-([0-9]{1,15}))")


@dataclass(frozen=True, slots=True)
class Uploads:
    """The routes below ``/sync/attachments/`` and ``/attachments/``.

    What an address or a header makes impossible is refused before the body is read.
    """

    home: ServerHome

    def routes(self) -> list[Route]:
        """Return the routes."""
        upload = "/sync/attachments/{sha256}"
        return [
            Route(upload, self.upload, methods=["PATCH"]),
            Route(upload, self.offset, methods=["HEAD"]),
            Route(upload, self.download, methods=["GET"]),
            Route("/attachments/{sha256}", self.download, methods=["GET"]),
            Route("/attachments/{sha256}", self.stage, methods=["PUT"]),
        ]

    async def offset(self, request: Request) -> Response:
        """Say how much of an upload has arrived."""
        check_protocol(request)
        sha256 = request.path_params["sha256"]
        there = await run_in_threadpool(self._offset, sha256, _user(request))
        return Response(headers={"Upload-Offset": str(there), "Cache-Control": "no-store"})

    async def upload(self, request: Request) -> Response:
        """Take the next piece of an upload."""
        check_protocol(request)
        sha256 = request.path_params["sha256"]
        self.home.store.path(sha256)
        offset, size = _number(request, "upload-offset"), _number(request, "upload-length")
        self.home.store.check_size(max(offset, size))
        type_ = request.headers.get("upload-type", "")
        piece = await request.body()
        there = await run_in_threadpool(
            self._append, sha256, _user(request), offset, size, type_, piece
        )
        return Response(status_code=204, headers={"Upload-Offset": str(there)})

    def _offset(self, sha256: str, user: User) -> int:
        return self.home.store.offset(sha256, user, has_it=self._has_it(sha256, user))

    def _append(
        self, sha256: str, user: User, offset: int, size: int, type_: str, piece: bytes
    ) -> int:
        has_it = self._has_it(sha256, user)
        store = self.home.store
        if not has_it:
            self._take(user, len(piece), is_new=offset == 0)
        return store.append(sha256, user, offset, size, type_, piece, has_it=has_it)

    def _has_it(self, sha256: str, user: User) -> bool:
        self.home.store.path(sha256)
        with self.home.session() as session:
            return self.home.inbox.access.may_have(session, user, sha256)

    async def stage(self, request: Request) -> Response:
        """Take a whole file while a form is being filled in online."""
        sha256 = request.path_params["sha256"]
        self.home.store.path(sha256)
        name = request.query_params.get("name", "file")
        type_ = request.headers.get("content-type", "")
        store = self.home.store
        user = _user(request)
        await run_in_threadpool(self._take, user, 0, is_new=True)
        arriving = await run_in_threadpool(store.arriving)

        def write(piece: bytes) -> None:
            self._take(user, len(piece), is_new=False)
            arriving.write(piece)

        try:
            await pour(request.stream(), lambda piece: run_in_threadpool(write, piece))
            kept = await run_in_threadpool(store.keep_arrived, arriving, name, type_, user, sha256)
        finally:
            await run_in_threadpool(arriving.drop)
        return JSONResponse(kept.to_json(), 201)

    def _take(self, user: User, size: int, *, is_new: bool) -> None:
        """Count bytes, and the beginning of an upload; raises `InputError` over a quota."""
        if is_new:
            self.home.quotas.take(user.name, Kind.UPLOADS)
        self.home.quotas.take(user.name, Kind.FILE_BYTES, size)

    async def download(self, request: Request) -> Response:
        """Send an attachment to whoever brought it, or may read something that refers to it."""
        check_protocol(request)
        if request.headers.get("sec-fetch-dest", "empty") not in _DESTINATIONS:
            raise Forbidden([problem(Code.FORBIDDEN)])
        sha256 = request.path_params["sha256"]
        path = self.home.store.path(sha256)
        known = await run_in_threadpool(self._known, sha256, _user(request))
        if known is None or not path.exists():
            raise NotFound([problem(Code.NOT_FOUND)])
        _forget_odd_range(request, known.size)
        headers = {
            "Cache-Control": "private, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        # whatever a user brought is shown as a picture or handed over, and never is a page of ours
        shown = "inline" if known.type in SHOWN else "attachment"
        name = plain_name(request.query_params.get("name", "") or known.name or sha256)
        return FileResponse(
            path,
            media_type=known.type if known.type in PICTURES else BYTES,
            headers=headers,
            filename=name,
            content_disposition_type=shown,
        )

    def _known(self, sha256: str, user: User) -> Attachment | None:
        with self.home.session() as session:
            if not self.home.inbox.access.may_have(session, user, sha256):
                return None
            return find(session, sha256)


def check_protocol(request: Request) -> None:
    """Refuse a device that speaks another protocol; raises `InputError`."""
    protocol = request.headers.get(PROTOCOL_HEADER, str(PROTOCOL))
    known = _NUMBER.fullmatch(protocol) and OLDEST_PROTOCOL <= int(protocol) <= PROTOCOL
    if not known:
        span = f"{OLDEST_PROTOCOL} to {PROTOCOL}"
        raise InputError([problem(Code.UNKNOWN_PROTOCOL, protocol=protocol[:20], known=span)])


def _user(request: Request) -> User:
    user: User = request.scope[USER]
    return user


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not _NUMBER.fullmatch(text):
        reason = f"the header {header} must be a number of bytes"
        raise InputError([problem(Code.MALFORMED, header, reason=reason)])
    return int(text)


def _forget_odd_range(request: Request, size: int) -> None:
    """Send the whole where a part cannot be: Starlette's own refusals have another shape."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is not None:
        first, last, newest = found.groups()
        begin = int(first) if first else max(size - int(newest), 0)
        end = int(last) if last else size
        if begin < size and begin <= end:
            return
    headers = request.scope["headers"]
    request.scope["headers"] = [pair for pair in headers if pair[0] != b"range"]
