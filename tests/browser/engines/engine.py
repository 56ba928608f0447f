"""A browser as a person has it: a profile that stays, and processes that can be killed."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from browser.engines.webdriver import Window, Wire

START_SECONDS = 60
WIDTH, HEIGHT = 390, 780


class Engine(ABC):
    """One browser on a profile of its own.

    Attributes:
        profile: the folder; what is in it survives the browser.
        log: what the browser says, its pages' consoles included.
        screen: the X display of a browser that cannot do without one.
    """

    name: str
    window: Window

    def __init__(
        self, program: Path, profile: Path, *, is_private: bool = False, screen: str = ""
    ) -> None:
        self.program = program
        self.profile = profile
        self.is_private = is_private
        self.screen = screen
        self.log = profile.with_name(f"{profile.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        profile.mkdir(parents=True, exist_ok=True)

    def open(self) -> None:
        """Start the browser and open a window."""
        self._process = self._start()
        self._wire = self._connect()
        self.window = Window(self._wire)

    @abstractmethod
    def _start(self) -> "subprocess.Popen[bytes]":
        """Start the process that all others of this browser are children of."""

    @abstractmethod
    def _connect(self) -> Wire:
        """Reach the driver of the process that was started."""

    @abstractmethod
    def faults(self) -> list[str]:
        """Return what went wrong in pages and in workers, as the console had it."""

    def forget(self) -> None:
        """Begin the log anew."""
        self.log.write_bytes(b"")

    def _run(self, command: list[str], **environment: str) -> "subprocess.Popen[bytes]":
        """Start a process as the first of a group: they are killed together."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _until_alive(self, port: Path) -> int:
        """Wait for the file in which a driver writes its port."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if port.exists() and (text := port.read_text().strip()):
                return int(text)
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not start: {self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """Kill all processes of the browser at once, in the middle of whatever they do."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._process = None
        if self._wire is not None:
            self._wire.hang_up()
            self._wire = None

    def keep(self, folder: Path) -> None:
        """Leave what the console showed, and a picture of the window if it is still open."""
        said = self.log.read_text("utf-8", errors="replace")
        (folder / f"{self.name}.console.txt").write_text(said, "utf-8")
        if self._process is not None:
            (folder / f"{self.name}.png").write_bytes(self.window.picture())
