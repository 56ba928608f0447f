"""The author's files need a session; one that ends breaks neither start nor update (R56)."""

import json
import os
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy
from browser.window import SETUP_MS

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "examples" / "inspections"
OWN = "/assets/app/"
SHOWN = """async () => {
  const opening = indexedDB.open("fieldpost");
  const db = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
  const asked = db.transaction("session").objectStore("session").get("shell");
  const marker = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
  db.close();
  return marker.version;
}"""


LOSE_THE_WHEEL = """async () => {
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    const own = (await cache.keys()).filter(({ url }) => url.includes("/assets/app/"));
    for (const { url } of own) await cache.delete(url);
  }
  const opening = indexedDB.open("fieldpost");
  const db = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
  const change = db.transaction("snapshots", "readwrite", { durability: "strict" });
  change.objectStore("snapshots").clear();
  await new Promise((done) => (change.oncomplete = done));
  db.close();
}"""


def end_all_sessions(office: Office) -> None:
    """Have the office forget who is signed in."""
    with sqlite3.connect(office.data / "fieldpost.sqlite3", timeout=30) as database:
        database.execute("DELETE FROM fieldpost_session")
    database.close()


def ends_sessions(office: Office) -> Callable[[str], None]:
    """Return what ends all sessions when the author's files are asked for first."""
    asked: list[str] = []

    def look(path: str) -> None:
        if path.startswith(OWN) and not asked:
            asked.append(path)
            end_all_sessions(office)

    return look


def sign_in_again(page: Page, name: str = "") -> None:
    """Fill in the dialog that asks for the password."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    if name:
        dialog.get_by_label("User name").fill(name)
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()


def manifest_of(office: Office) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{office.port}/assets/manifest.json") as answer:
        manifest = json.load(answer)
    return {"version": manifest["version"], "own": manifest["wheels"][-1]["url"]}


def test_a_first_start_whose_session_ends_asks_for_the_password_and_goes_on(
    office: Office, proxy: FaultProxy, new_device: Callable[..., Device]
) -> None:
    """Nothing that has come is fetched again, and nobody has to begin anew (R7)."""
    device = new_device()
    proxy.in_place = ends_sessions(office)
    device.sign_in("worker1")
    sign_in_again(device.page, "worker1")
    device.wait_ready()

    own = [line for line in proxy.seen if OWN in line]
    assert len(own) >= 2
    assert 1 == sum("pyodide.asm.wasm" in line for line in proxy.seen)
    assert manifest_of(office)["version"] == device.page.evaluate(SHOWN)


def test_an_update_whose_session_ends_waits_for_the_password(
    worker: Device, office: Office, proxy: FaultProxy, tmp_path: Path
) -> None:
    """The device says so and works on as it is; the next sync asks, and then the update comes."""
    page = worker.page
    before = page.evaluate(SHOWN)
    newer = newer_office(office, tmp_path)
    office.stop()
    try:
        proxy.target = newer.start()
        served = manifest_of(newer)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{newer.port}{served['own']}")
        proxy.in_place = ends_sessions(newer)
        worker.sync()
        expect(page.get_by_role("status")).to_contain_text("sign in again")
        expect(page.get_by_role("button", name="Update")).to_have_count(0)

        worker.restart("/")
        worker.wait_ready()
        assert before == page.evaluate(SHOWN)
        worker.new_inspection("Saved with the former version")
        worker.save()
        page.get_by_role("button", name="Sync").click()
        sign_in_again(page)
        update = page.get_by_role("button", name="Update")
        expect(update).to_be_visible()
        with page.expect_navigation():
            update.click()
        page.locator("html:not([data-starting]) body[data-home=device] main h1").wait_for(
            timeout=SETUP_MS
        )
        assert served["version"] == page.evaluate(SHOWN)

        # what it needs is on the device: it starts without a network and without a session
        end_all_sessions(newer)
        proxy.target = None
        worker.restart("/pages/inspection")
        worker.wait_ready()
        expect(page.get_by_text("Saved with the former version")).to_have_count(0)
        assert 0 == worker.count("outbox")
    finally:
        newer.stop()


def test_files_that_are_lost_come_back_with_the_password(worker: Device, office: Office) -> None:
    """A device that has lost the author's files and its session mends both, and keeps its work."""
    worker.until_count("snapshots", 1)
    worker.new_inspection("Waits for the password")
    worker.save()
    worker.page.evaluate(LOSE_THE_WHEEL)
    end_all_sessions(office)
    worker.close()

    worker.open()
    worker.page.goto(worker.origin + "/")
    sign_in_again(worker.page, "worker1")
    worker.wait_ready()

    assert 1 == worker.count("outbox")
    worker.sync()
    assert "clean" == worker.sync_state()
    # the first start unpacks what the office said in the place of the wheel
    worker.faults[:] = [each for each in worker.faults if "BadZipFile" not in each]


def newer_office(office: Office, folder: Path) -> Office:
    """Return an office on the same data whose app is a newer one."""
    examples = folder / "newer"
    shutil.copytree(EXAMPLE, examples / "inspections")
    with (examples / "inspections" / "app.py").open("a") as app:
        app.write("\n# a newer version\n")
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return Office(office.data, {"PYTHONPATH": os.pathsep.join([str(examples), *others])})
