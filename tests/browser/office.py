"""The server that browser tests work with: a real process that can be stopped and killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from browser.nursery import fork

START_SECONDS = 60


class Process(Protocol):
    """A server's process."""

    def is_over(self) -> bool:
        """Return whether it has ended."""

    def end(self, how: int, seconds: float) -> None:
        """Send it a signal and wait until it is gone."""


class Started:
    """A process of other sources: it imports them itself."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        program = [sys.executable, "-m", "fieldpost_server.cli", *command]
        with log.open("ab") as said:
            self._process = subprocess.Popen(program, env=environment, stdout=said, stderr=said)

    def is_over(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def end(self, how: int, seconds: float) -> None:
        """Send it a signal and wait until it is gone."""
        self._process.send_signal(how)
        self._process.wait(seconds)


class Office:
    """One demo server on a data folder.

    Args:
        data: the folder; what is in it survives the process.
        environment: more variables, such as ``FIELDPOST_SEATS``.
        command: what `fieldpost` is to do.
    """

    def __init__(
        self,
        data: Path,
        environment: dict[str, str] | None = None,
        command: tuple[str, ...] = ("demo",),
    ) -> None:
        self.data = data
        self.command = command
        self.environment = environment or {}
        self.port = 0
        self.process: Process | None = None

    def start(self) -> int:
        """Start the process and return its port once it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {
            **os.environ,
            **self.environment,
            "PORT": str(self.port),
            "FIELDPOST_DATA": str(self.data),
        }
        self.process = self._begin(environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.is_over():
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
            else:
                return self.port
        text = self.log.read_text()[-3000:]
        raise AssertionError(f"the server did not start: {text}")

    def _begin(self, environment: dict[str, str]) -> Process:
        # what was imported before was found without that
        if not environment.get("PYTHONPATH"):
            return fork(self.command, environment, self.log)
        return Started(self.command, environment, self.log)

    @property
    def log(self) -> Path:
        """The file that holds what the process says."""
        return self.data.parent / f"{self.data.name}.log"

    def keep_log(self, folder: Path) -> None:
        """Leave a copy of the log."""
        shutil.copyfile(self.log, folder / "server.log")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the process: SIGTERM asks it, SIGKILL does not."""
        if self.process is not None:
            self.process.end(how, START_SECONDS)
            self.process = None

    def kill(self) -> None:
        """End the process at once, in the middle of whatever it does."""
        self.stop(signal.SIGKILL)
