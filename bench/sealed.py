"""What sealing costs: the same device with and without a PIN, in turn, in one run."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device import SAVES, STARTS, median, prepare, save, start, wait_for_snapshot
from playwright.sync_api import Playwright, sync_playwright
from replay import PASSWORD

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy

APPS = {"open": "jobs.app:app", "sealed": "jobs.pinned:app"}
PIN = "274951"


@contextmanager
def started(playwright: Playwright, chromium: str, folder: Path, kind: str) -> Iterator[Device]:
    """Give a device after its first start, without a connection."""
    prepare(folder / "data")
    office = Office(folder / "data", command=("--app", APPS[kind], "serve"))
    proxy = FaultProxy()
    proxy.target = office.start()
    device = Device(playwright, chromium, folder / "profile", proxy.origin)
    try:
        device.sign_in("bench", PASSWORD)
        if kind == "sealed":
            device.page.get_by_label("New PIN").fill(PIN, timeout=120_000)
            device.page.get_by_label("The same PIN again").fill(PIN)
            device.page.get_by_role("button", name="Go on").click()
        device.wait_ready()
        wait_for_snapshot(device.page)
        office.stop()
        proxy.target = None
        device.context.set_offline(True)
        yield device
    finally:
        device.close()
        office.stop()
        proxy.close()


def opened(device: Device) -> float:
    """Return milliseconds of a start in which the PIN is typed as soon as it is asked for."""

    def type_pin() -> None:
        device.page.get_by_label("PIN", exact=True).fill(PIN)
        device.page.keyboard.press("Enter")

    return start(device, meanwhile=type_pin)


def measure(chromium: str) -> dict[str, Any]:
    """Return what starts and saves take, and how much more it is with a PIN."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        places = {kind: Path(folder) / kind for kind in APPS}
        with (
            started(playwright, chromium, places["open"], "open") as plain,
            started(playwright, chromium, places["sealed"], "sealed") as sealed,
        ):
            starts: dict[str, list[float]] = {"open": [], "sealed": []}
            saves: dict[str, list[float]] = {"open": [], "sealed": []}
            for _ in range(STARTS):
                starts["open"].append(start(plain))
                starts["sealed"].append(opened(sealed))
            for number in range(SAVES):
                saves["open"].append(save(plain, number))
                saves["sealed"].append(save(sealed, number))
                time.sleep(0.2)
    return {
        "warm_start_ms": {kind: median(times) for kind, times in starts.items()},
        "submit_to_saved_ms": {kind: median(times) for kind, times in saves.items()},
        "start_ratio": round(median(starts["sealed"]) / median(starts["open"]), 2),
        "save_ratio": round(median(saves["sealed"]) / median(saves["open"]), 2),
    }
