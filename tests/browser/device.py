"""A browser on a profile of its own, as a person has it: it can be killed and started again."""

import os
import signal
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

from browser.window import ARGUMENTS, PATIENCE_MS, Window


class Device(Window):
    """One browser profile: what is in its folder survives the browser."""

    def __init__(
        self,
        playwright: Playwright,
        chromium: str | Path,
        profile: Path,
        origin: str,
        *,
        width: int = 390,
        height: int = 780,
        timezone: str | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(origin, width=width, height=height)
        self.playwright = playwright
        self.chromium = chromium
        self.profile = profile
        self.timezone = timezone
        self.arguments = [*ARGUMENTS, *arguments]
        self.open()

    def open(self) -> Page:
        """Start the browser."""
        self.watch(
            self.playwright.chromium.launch_persistent_context(
                str(self.profile),
                executable_path=str(self.chromium),
                args=self.arguments,
                viewport=self.size,
                timezone_id=self.timezone,
                service_workers="allow",
            )
        )
        self.page = self.context.pages[0]
        return self.page

    def kill(self) -> None:
        """Kill the browser's processes at once."""
        for pid in self._pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + PATIENCE_MS / 1_000
        while self._pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            self.context.close()
        except Exception as error:  # noqa: BLE001 - whatever the driver says of a dead browser
            print(f"closing a killed browser: {error}")
        for lock in self.profile.glob("Singleton*"):
            lock.unlink()

    def _pids(self) -> list[int]:
        mark = f"--user-data-dir={self.profile}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "cmdline").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found


class Desk(Window):
    """A window of a browser that desks share: nobody kills it, and nothing of it is kept."""

    def __init__(self, browser: Browser, origin: str) -> None:
        super().__init__(origin, width=1280, height=800)
        self.watch(browser.new_context(viewport=self.size, service_workers="allow"))
        self.page = self.context.new_page()
