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
from pathlib import Path

START_SECONDS = 60


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
        self.process: subprocess.Popen[bytes] | None = None

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
        log = self.log.open("ab")
        command = [sys.executable, "-m", "fieldpost_server.cli", *self.command]
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
            else:
                return self.port
        text = self.log.read_text()[-3000:]
        raise AssertionError(f"the server did not start: {text}")

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
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """End the process at once, in the middle of whatever it does."""
        self.stop(signal.SIGKILL)
