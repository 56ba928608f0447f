"""A process that has imported the server: those of tests are forked from it, and start sooner.

Most of what a server's start costs is its imports, and each test has a server of its own. What is
forked is a process like any other: it can be asked to end, and killed. Run as a program, this is
the process itself; it ends with whoever has started it.
"""

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TESTS = Path(__file__).parent.parent


class Forked:
    """A process that somebody else's fork has made."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def is_over(self, seconds: float = 0) -> bool:
        """Return whether it has ended, or does so by then."""
        ended, _, _ = select.select([self._handle], [], [], seconds)
        return bool(ended)

    def end(self, how: int, seconds: float) -> None:
        """Send it a signal and wait until it is gone.

        Raises:
            TimeoutError: it does not end.
        """
        with suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._handle, how)
        if not self.is_over(seconds):
            raise TimeoutError(f"process {self.pid} does not end")
        os.close(self._handle)


@functools.cache
def _nursery() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "browser.nursery"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    pipe = subprocess.PIPE
    made = subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, text=True, start_new_session=True
    )
    atexit.register(made.communicate)
    return made


def fork(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
    """Run a command of `fieldpost` in a process of its own; what it says goes into `log`."""
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    wanted = [list(arguments), dict(environment), str(log)]
    nursery.stdin.write(json.dumps(wanted) + "\n")
    nursery.stdin.flush()
    return Forked(int(nursery.stdout.readline()))


def _be(arguments: list[str], environment: dict[str, str], log: str) -> int:
    """Be the process that was asked for."""
    os.environ.clear()
    os.environ.update(environment)
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, place in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(handle, place)
    from fieldpost_server.cli.main import main

    sys.argv[:] = ["fieldpost", *arguments]
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
        traceback.print_exc()
        return 1


def _fork_on_demand() -> None:
    import fieldpost_server.cli.main  # noqa: F401 - what this is for

    # nobody asks how they ended: none of them stays as a zombie
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            for each in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            status = _be(*json.loads(line))
            sys.stdout.flush()
            os._exit(status)
        print(pid, flush=True)
    # whoever has started this is gone, perhaps killed: no server outlives it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    _fork_on_demand()
