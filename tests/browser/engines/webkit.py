"""WebKitGTK, spoken to by its own driver: WebDriver's commands over HTTP."""

import http.client
import json
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from browser.engines.engine import HEIGHT, START_SECONDS, WIDTH, Engine
from browser.engines.webdriver import SCRIPT_SECONDS, WebDriverError, Wire

COMMANDS = {
    "set timeouts": ("POST", "/timeouts"),
    "navigate": ("POST", "/url"),
    "run": ("POST", "/execute/async"),
    "click": ("POST", "/element/{id}/click"),
    "type": ("POST", "/element/{id}/value"),
    "clear": ("POST", "/element/{id}/clear"),
    "act": ("POST", "/actions"),
    "picture": ("GET", "/screenshot"),
}
BROWSER = Path(__file__).with_name("webkit_window.py")
# three lines for each picture that is not on the device, where there is no network; one for each
# attempt to bring a package after a start from the memory image
NOT_HAD = (
    "Cannot load",
    "Fetch API cannot load",
    "FetchEvent.respondWith received an error: TypeError: Load failed",
    "Unhandled Promise Rejection: NetworkError",
)
FAULT = re.compile(rf"CONSOLE (\w+ )?ERROR (?!{'|'.join(map(re.escape, NOT_HAD))})")


class HttpWire:
    """The wire to one session of a WebDriver server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._session = ""

    def begin(self, options: dict[str, Any]) -> None:
        """Let the driver start the browser."""
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        made = self._send("POST", "/session", {"capabilities": wanted})
        self._session = f"/session/{made['sessionId']}"

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command and return its value."""
        method, path = COMMANDS[command]
        address = self._session + path.format(id=parameters.get("id", ""))
        return self._send(method, address, parameters if method == "POST" else None)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=SCRIPT_SECONDS + 30
        )
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value and "message" in value:
            raise WebDriverError(value["error"], value["message"])
        return value

    def hang_up(self) -> None:
        """Do nothing: each request has a connection of its own."""


class WebKit(Engine):
    """Debian's WebKitGTK, on a screen that nobody sees.

    `program` is its driver, which starts `webkit_window.py`: the browser that comes with the driver
    keeps nothing when it is driven.
    """

    name = "webkit"

    def _start(self) -> "subprocess.Popen[bytes]":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        command = [str(self.program), f"--port={self._port}"]
        plain = {"NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11", "LC_ALL": "C"}
        return self._run(command, DISPLAY=self.screen, **plain)

    def _connect(self) -> Wire:
        self._until_listening()
        wire = HttpWire(self._port)
        profile = "" if self.is_private else str(self.profile)
        arguments = [profile, str(WIDTH), str(HEIGHT)]
        wire.begin({"binary": str(BROWSER), "args": arguments})
        return wire

    def _until_listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"WebKit's driver did not start: {self.log.read_text()[-3000:]}")

    def faults(self) -> list[str]:
        """Return the errors that the console showed."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return [line for line in lines if FAULT.search(line)]
