"""Firefox, spoken to by Marionette: WebDriver's commands over a socket, which it has built in."""

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

from browser.engines.engine import HEIGHT, START_SECONDS, WIDTH, Engine
from browser.engines.webdriver import SCRIPT_SECONDS, WebDriverError, Wire

COMMANDS = {
    "set timeouts": "WebDriver:SetTimeouts",
    "navigate": "WebDriver:Navigate",
    "run": "WebDriver:ExecuteAsyncScript",
    "click": "WebDriver:ElementClick",
    "type": "WebDriver:ElementSendKeys",
    "clear": "WebDriver:ElementClear",
    "act": "WebDriver:PerformActions",
    "picture": "WebDriver:TakeScreenshot",
}
# nothing but this machine is asked: whatever else goes to a proxy that is not there
PREFERENCES = {
    "marionette.port": 0,
    "devtools.console.stdout.content": True,
    "browser.dom.window.dump.enabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.allow_hijacking_localhost": False,
}
FAULT = re.compile(r"^JavaScript error: (http|blob)")


class Marionette:
    """The wire to Firefox."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS)
        self._socket.settimeout(SCRIPT_SECONDS + 30)
        self._file = self._socket.makefile("rb")
        self._last = 0
        self._received()  # it begins by saying who it is

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command and return its value."""
        return self.tell(COMMANDS[command], parameters)

    def tell(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command by Marionette's own name."""
        self._last += 1
        message = json.dumps([0, self._last, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, value = self._received()
        if error is not None:
            raise WebDriverError(error["error"], error["message"])
        return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value

    def _received(self) -> Any:
        size = b""
        while (digit := self._file.read(1)) != b":":
            if not digit:
                raise ConnectionError("Firefox has hung up")
            size += digit
        return json.loads(self._file.read(int(size)))

    def hang_up(self) -> None:
        """Close the socket."""
        self._file.close()
        self._socket.close()


class Firefox(Engine):
    """Debian's Firefox, without a screen."""

    name = "firefox"

    def _start(self) -> "subprocess.Popen[bytes]":
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (self.profile / "user.js").write_text("\n".join(lines) + "\n")
        self._port.unlink(missing_ok=True)
        size = {"MOZ_HEADLESS_WIDTH": str(WIDTH), "MOZ_HEADLESS_HEIGHT": str(HEIGHT)}
        command = [str(self.program), "--marionette", "--headless", "--no-remote"]
        return self._run([*command, "--profile", str(self.profile)], **size)

    @property
    def _port(self) -> Path:
        return self.profile / "MarionetteActivePort"

    def _connect(self) -> Wire:
        wire = Marionette(self._until_alive(self._port))
        wire.tell("WebDriver:NewSession", {"capabilities": {}})
        if self.is_private:
            made = wire.tell("WebDriver:NewWindow", {"type": "window", "private": True})
            wire.tell("WebDriver:SwitchToWindow", {"handle": made["handle"]})
        wire.tell("WebDriver:SetWindowRect", {"width": WIDTH, "height": HEIGHT})
        return wire

    def faults(self) -> list[str]:
        """Return the errors that nobody in the page has caught."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return [line for line in lines if FAULT.match(line)]
