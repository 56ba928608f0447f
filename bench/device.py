"""Starting and saving on a device, in real Chromium with the network off."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobs.app import Base, Job, app
from playwright.sync_api import Page, sync_playwright
from replay import PASSWORD
from sqlalchemy import insert

from browser.device import Device
from browser.office import Office
from browser.pictures import png
from browser.proxy import FaultProxy
from browser.window import PYTHONS
from fieldpost_server.accounts.users import add_user
from fieldpost_server.feed.triggers import install
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

ROWS = 100_000
STARTS = 5
SAVES = 9
SETTLE_MS = 700

RAW_PUT = """async (bytes) => {
  const db = await new Promise((ok, no) => { const r = indexedDB.open("bench", 1);
    r.onupgradeneeded = () => r.result.createObjectStore("kv");
    r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error); });
  const times = [];
  for (let i = 0; i < 15; i++) {
    const value = new Blob([new Uint8Array(bytes)]);
    const began = performance.now();
    await new Promise((ok, no) => {
      const t = db.transaction("kv", "readwrite", { durability: "strict" });
      t.objectStore("kv").put("x".repeat(6000), i); t.objectStore("kv").put(value, -i - 1);
      t.oncomplete = ok; t.onerror = () => no(t.error); });
    times.push(performance.now() - began);
  }
  db.close(); indexedDB.deleteDatabase("bench");
  return times.sort((a, b) => a - b)[7];
}"""

# what a save stores, by the device's own store: envelope, counters, the attachment that was staged
STORE_URL = """async () =>
  (await (await fetch("/assets/manifest.json")).json()).urls["store.js"]"""
STRICT_SAVE = """async ([bytes, url]) => {
  const store = await import(url);
  const db = await store.open();
  const times = [];
  for (let i = 0; i < 15; i++) {
    const sha256 = ("0".repeat(64) + i).slice(-64);
    const blob = new Blob([new Uint8Array(bytes)]);
    const staged = { blob, type: "image/png", size: blob.size, name: "signature.png", draft: "" };
    await store.write(db, [["put", "staged", sha256, staged]]);
    const entry = { envelope: "x".repeat(6000), state: "pending", page: "visit" };
    const began = performance.now();
    await store.write(db, [
      ["put", "outbox", 1_000_000 + i, entry],
      ["put", "session", "bench_number", i],
      ["put", "session", "bench_digest", "sha256:0"],
      ["adopt", sha256],
      ["delete", "drafts", "/bench"],
    ]);
    times.push(performance.now() - began);
    await store.write(db, [
      ["delete", "outbox", 1_000_000 + i], ["delete", "attachments", sha256],
    ]);
  }
  await store.write(db, [
    ["delete", "session", "bench_number"], ["delete", "session", "bench_digest"],
  ]);
  db.close();
  return times.sort((a, b) => a - b)[7];
}"""

WATCH_SAVE = """() => new Promise((done) => {
  const status = document.getElementById("status");
  const began = performance.now();
  const look = () => status.textContent.includes("Saved") && done(performance.now() - began);
  status.textContent = "";
  const all = { childList: true, characterData: true, subtree: true };
  new MutationObserver(look).observe(status, all);
  document.querySelector("form.record .form-actions button").click();
})"""


def prepare(data: Path) -> None:
    """Fill a data folder: users, 100,000 rows, triggers."""
    data.mkdir(mode=0o700, parents=True)
    settings = Settings(app="jobs.app:app", data=data)
    database = Database(settings.database_url)
    Base.metadata.create_all(database.engine)
    rows = [
        {"name": f"customer {i}", "amount": i * 1.5, "note": "abc " * 10}
        for i in range(1, ROWS + 1)
    ]
    with database.engine.begin() as connection:
        connection.execute(insert(Job), rows)
    install(database.engine, [m.table for m in app.models.values()])
    database.write(
        lambda session: add_user(
            session, "bench", PASSWORD, roles=["Offline"], known_roles=app.roles, seats=10
        )
    )
    database.close()


def measure(chromium: str) -> dict[str, Any]:
    """Return the figures of a device."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data = Path(folder) / "data"
        prepare(data)
        office = Office(data, command=("--app", "jobs.app:app", "serve"))
        proxy = FaultProxy()
        proxy.target = office.start()
        device = Device(playwright, chromium, Path(folder) / "profile", proxy.origin)
        try:
            began = time.perf_counter()
            device.sign_in("bench", PASSWORD)
            device.wait_ready()
            first = time.perf_counter() - began
            wait_for_snapshot(device.page)
            store_url = device.page.evaluate(STORE_URL)
            office.stop()
            proxy.target = None
            device.context.set_offline(True)
            start(device)
            device.page.wait_for_timeout(SETTLE_MS)  # until its page is kept
            seen, warm = zip(*(first_rows(device) for _ in range(STARTS)), strict=True)
            saves = [save(device, number) for number in range(SAVES)]
            picture = list(png())
            strict = device.page.evaluate(STRICT_SAVE, [picture, store_url])
            raw = device.page.evaluate(RAW_PUT, picture)
            device.page.evaluate(DROP_SNAPSHOTS)
            cold = [start(device, drop=True) for _ in range(3)]
        finally:
            device.close()
            office.stop()
            proxy.close()
    return {
        "rows": ROWS,
        "first_download_s": round(first, 2),
        "warm_start_ms": median(warm),
        "first_rows_ms": median(seen),
        "first_rows_to_warm": round(median(seen) / median(warm), 2),
        "start_without_snapshot_ms": median(cold),
        "warm_to_ordinary": round(median(warm) / median(cold), 2),
        "submit_to_saved_ms": median(saves),
        "raw_strict_put_ms": round(raw, 2),
        "strict_transaction_ms": round(strict, 2),
        "strict_to_raw": round(strict / raw, 2),
    }


DROP_SNAPSHOTS = """() => new Promise((ok) => { const r = indexedDB.open("fieldpost");
  r.onsuccess = () => { const t = r.result.transaction("snapshots", "readwrite");
    t.objectStore("snapshots").clear(); t.oncomplete = () => { r.result.close(); ok(); }; }; })"""
COUNT_SNAPSHOTS = """() => new Promise((ok) => { const r = indexedDB.open("fieldpost");
  r.onsuccess = () => {
    const q = r.result.transaction("snapshots").objectStore("snapshots").count();
    q.onsuccess = () => { r.result.close(); ok(q.result); }; }; })"""


def wait_for_snapshot(page: Page) -> None:
    """Wait until the idle worker has stored the snapshot."""
    deadline = time.monotonic() + 120
    while page.evaluate(COUNT_SNAPSHOTS) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError("no snapshot was made within two minutes")
        page.wait_for_timeout(500)


def start(
    device: Device,
    path: str = "/pages/job",
    *,
    drop: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
) -> float:
    """Return milliseconds from navigation to the first list that Python has made."""
    if drop:
        device.page.evaluate(DROP_SNAPSHOTS)
    device.page.goto("about:blank")
    # the worker of the page before ends meanwhile: it holds the lock, and half of the machine
    device.page.wait_for_timeout(SETTLE_MS)
    began = time.perf_counter()
    device.page.goto(device.origin + path, wait_until="commit")
    meanwhile()
    wait_for_rows(device.page, PYTHONS)
    return (time.perf_counter() - began) * 1000


def first_rows(device: Device) -> tuple[float, float]:
    """Return milliseconds to the list's first rows, as they were kept, and to Python's list."""
    seen: list[float] = []

    def see() -> None:
        began = time.perf_counter()
        wait_for_rows(device.page)
        seen.append((time.perf_counter() - began) * 1000)

    whole = start(device, meanwhile=see)
    return seen[0], whole


def wait_for_rows(page: Page, whose: str = "html") -> None:
    """Wait for a list's rows: kept ones, or `whose`."""
    row = page.locator(f"{whose} body[data-home=device] table.list tbody tr")
    row.first.wait_for(timeout=60_000)


def save(device: Device, number: int) -> float:
    """Return milliseconds from the tap on Save to the visible word."""
    page = device.page
    page.evaluate(
        "() => { const a = document.createElement('a'); a.href = '/pages/visit/new';"
        " document.querySelector('main').append(a); a.click(); }"
    )
    page.get_by_role("heading", name="New visit").wait_for()
    page.locator("[name=name]").fill(f"visit {number}")
    for index in range(20):
        page.get_by_role("button", name="Add line").click()
        page.locator(f"[name='lines[{index}].note']").wait_for()
        page.locator(f"[name='lines[{index}].note']").fill(f"line {index}")
        page.locator(f"[name='lines[{index}].severity']").fill("3")
    page.locator("[data-attachment=signature]").get_by_role("button", name="Sign here").click()
    sheet = page.get_by_role("dialog")
    canvas = sheet.locator("canvas")
    box = canvas.bounding_box()
    if box is None:
        raise RuntimeError("there is no canvas to sign on")
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=6)
    # one straight line is no signature
    page.mouse.move(box["x"] + 150, box["y"] + 20, steps=6)
    page.mouse.up()
    sheet.get_by_role("button", name="Done").click()
    page.locator("[data-attachment=signature] .thumbs img").wait_for()
    page.wait_for_timeout(400)
    took: float = page.evaluate(WATCH_SAVE)
    page.get_by_role("link", name="All visits").wait_for()
    return took


def median(times: Sequence[float]) -> float:
    """Return the median, to a tenth."""
    return round(statistics.median(times), 1)


def find_chromium() -> str:
    """Return the Chromium that the tests use."""
    script = Path(__file__).parent.parent / "scripts" / "ensure-chromium"
    found = subprocess.run([script, "--find"], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit("Chromium is missing: run scripts/ensure-chromium")
    return found.stdout.strip()
