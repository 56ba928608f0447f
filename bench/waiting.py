"""Starting a device on which saved forms wait, in real Chromium with the network off."""

import tempfile
from pathlib import Path
from typing import Any

import outbox
from device import STORE_URL, median, start, wait_for_snapshot
from playwright.sync_api import sync_playwright

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy

PAGE = "/pages/inspection"
WAITING = (0, 20, 1_000)
STARTS = 7
"""Rounds in which each number of waiting forms has one start; the first round warms up."""

DEVICE_ID = """async (url) => {
  const store = await import(url);
  const db = await store.open();
  const id = await store.read(db, "session", "device");
  db.close();
  return id;
}"""

FILL_OUTBOX = """async ([url, entries, counters]) => {
  const store = await import(url);
  const db = await store.open();
  await store.write(db, [
    ["clear", "outbox"],
    ...entries.map(([number, entry]) => ["put", "outbox", number, entry]),
    ...Object.entries(counters).map(([name, value]) => ["put", "session", name, value]),
  ]);
  db.close();
}"""


def measure(chromium: str) -> dict[str, Any]:
    """Return how long a start takes with none, some and many forms waiting, and the ratios."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        office = Office(Path(folder) / "data")
        proxy = FaultProxy()
        proxy.target = office.start()
        device = Device(playwright, chromium, Path(folder) / "profile", proxy.origin)
        try:
            device.set_up(outbox.USER.name)
            wait_for_snapshot(device.page)
            url = device.page.evaluate(STORE_URL)
            prepared = outbox.prepare(max(WAITING), device.page.evaluate(DEVICE_ID, url))
            office.stop()
            proxy.target = None
            device.context.set_offline(True)
            took = _starts(device, url, prepared)
        finally:
            device.close()
            office.stop()
            proxy.close()
    none, some, many = (median(took[n][1:]) for n in WAITING)
    return {
        "envelopes": max(WAITING),
        "envelopes_kb": sum(len(e["envelope"]) for _, e in prepared.outbox) >> 10,
        "start_ms": {str(n): median(took[n][1:]) for n in WAITING},
        "more_for_20_ms": round(some - none, 1),
        "more_for_1000_ms": round(many - none, 1),
        "ratio_20": round(some / none, 2),
        "ratio_1000": round(many / none, 2),
    }


def _starts(device: Device, url: str, prepared: outbox.Prepared) -> dict[int, list[float]]:
    """Return milliseconds by number of waiting forms; they take turns, as the machine does."""
    took: dict[int, list[float]] = {n: [] for n in WAITING}
    for turn in range(STARTS):
        for number in WAITING[turn % 3 :] + WAITING[: turn % 3]:
            entries = [list(pair) for pair in prepared.outbox[:number]]
            device.page.evaluate(FILL_OUTBOX, [url, entries, prepared.counters])
            # what a start leaves behind burdens the next: one of the same kind goes before
            start(device, PAGE)
            took[number].append(start(device, PAGE))
            shown = device.page.locator("#sync .sync-count").inner_text()
            if str(number or "") != shown:
                raise RuntimeError(f"{shown or 'no'} forms wait, not {number}")
    device.go("/sync")
    if device.page.get_by_text("It does not fit the present data").count():
        raise RuntimeError("a form could not be replayed")
    return took
