"""A reverse proxy between browser and server that loses what it is told to lose."""

import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class FaultProxy:
    """Listens on one address for good, while the server behind it comes, goes and dies.

    Attributes:
        target: port of the server behind; None answers nothing, as if the network were gone.
        lose_answer: paths whose next answer is thrown away after the server has given it.
        on_line: called with each line of a streamed answer to a push, before it is passed on.
        change_line: changes such a line on its way.
        is_portal: says of a path whether something between answers it, with 200 and a page.
        is_cut: says of a request whether its connection breaks in the middle of the answer.
        bytes_a_second: how quickly bodies of requests are taken; None is at once.
        hold: requests whose path begins so wait for an event, as on a very slow line.
        seen: what was asked for, as method and path, in its order.
        begun: of each answer that was passed back, its path, the first byte that was asked for, and
            how many bytes of it went.
    """

    def __init__(self) -> None:
        self.begin(None)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_any(self) -> None:
                proxy.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = handle_any  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def begin(self, target: int | None) -> None:
        """Pass on to this port, and forget every fault that was asked for and all that was seen."""
        self.target = target
        self.lose_answer: list[str] = []
        self.on_line: Callable[[int], None] | None = None
        self.change_line: Callable[[bytes], bytes] | None = None
        self.is_portal: Callable[[str], bool] = lambda _: False
        self.is_cut: Callable[[str], bool] = lambda _: False
        self.bytes_a_second: int | None = None
        self.hold: tuple[str, threading.Event] | None = None
        self.seen: list[str] = []
        self.begun: list[tuple[str, int, int]] = []

    @property
    def origin(self) -> str:
        """The address that the browser knows."""
        return f"http://127.0.0.1:{self.port}"

    def keep_requests(self, folder: Path) -> None:
        """Leave what was asked for, in its order."""
        (folder / "requests.txt").write_text("\n".join(self.seen) + "\n", "utf-8")

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Pass one request on and its answer back."""
        request.close_connection = True
        body = self._taken(request, int(request.headers.get("content-length", 0)))
        self.seen.append(f"{request.command} {request.path}")
        if self.hold is not None and request.path.startswith(self.hold[0]):
            self.hold[1].wait(60)
        if self.target is None:
            return
        if self.is_portal(request.path):
            self._welcome(request)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
            connection.request(request.command, request.path, body or None, headers)
            answer = connection.getresponse()
            if request.path in self.lose_answer:
                answer.read()
                self.lose_answer.remove(request.path)
                # a connection closed without a byte would make Chromium send the request again
                request.send_response_only(answer.status)
                request.send_header("Content-Length", "100000")
                request.end_headers()
                return
            self._pass_back(request, answer)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _taken(self, request: BaseHTTPRequestHandler, size: int) -> bytes:
        """Take a body as quickly as the line is."""
        body, rate = b"", self.bytes_a_second
        while rate is not None and len(body) < size:
            part = request.rfile.read(min(rate // 10, size - len(body)))
            if not part:
                return body  # whoever sent it has gone
            body += part
            time.sleep(0.1)
            rate = self.bytes_a_second
        return body + request.rfile.read(size - len(body))

    def _welcome(self, request: BaseHTTPRequestHandler) -> None:
        """Answer as a network's sign-in page does."""
        page = b"<!doctype html><title>Wi-Fi</title><h1>Welcome to our Wi-Fi</h1>"
        request.send_response_only(200, "OK")
        request.send_header("Content-Type", "text/html")
        request.send_header("Content-Length", str(len(page)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(page)

    def _note(self, request: BaseHTTPRequestHandler, size: int) -> None:
        span = request.headers.get("range", "bytes=0-")
        first = int(span.removeprefix("bytes=").partition("-")[0])
        self.begun.append((request.path, first, size))

    def _pass_back(self, request: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
        if self.is_cut(request.path):
            body = answer.read()
            request.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    request.send_header(name, value)
            request.send_header("Content-Length", str(len(body) + 1))
            request.end_headers()
            self._note(request, len(body) // 2)
            request.wfile.write(body[: len(body) // 2])
            return
        request.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        request.send_header("Connection", "close")
        request.end_headers()
        watched = self.on_line is not None or self.change_line is not None
        if not watched or request.path != "/sync/push":
            body = answer.read()
            self._note(request, len(body))
            request.wfile.write(body)
            return
        count = 0
        while line := answer.readline():
            count += 1
            if self.on_line is not None:
                self.on_line(count)
            request.wfile.write(self.change_line(line) if self.change_line else line)
            request.wfile.flush()
