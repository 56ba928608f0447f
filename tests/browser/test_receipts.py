"""Receipts are verified in a real browser, and what was changed on the way is refused (R33)."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy
from ed25519 import Key

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]
READ = """(store) => new Promise((resolve, reject) => {
  const opening = indexedDB.open("fieldpost");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const asked = opening.result.transaction(store).objectStore(store).getAll();
    asked.onsuccess = () => { opening.result.close(); resolve(asked.result); };
  };
})"""
VERIFY = """async ([url, key, message, signature]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const { verify } = await import(url);
  const parts = [key, message, signature].map(bytes);
  const unknown = { importKey: async () => { throw new DOMException("", "NotSupportedError"); } };
  const changed = [parts[0], parts[1], parts[2].with(0, parts[2][0] ^ 1)];
  const short = [parts[0], parts[1], parts[2].slice(1)];
  const noPoint = [new Uint8Array(32).fill(255), parts[1], parts[2]];
  const found = [];
  for (const how of [[], [unknown]])
    for (const given of [parts, changed, short, noPoint])
      found.push(await verify(...given, ...how));
  return found;
}"""


def stored(page: Page, store: str) -> list[Any]:
    found: list[Any] = page.evaluate(READ, store)
    return found


def test_a_receipt_that_was_changed_on_the_way_is_refused(
    worker: Device, proxy: FaultProxy
) -> None:
    """The device says so, the entry waits, and the genuine receipt is kept with its signature."""
    worker.new_inspection("Believed only when it is signed")
    worker.save()

    proxy.change_line = lambda line: line.replace(b'"accepted"', b'"duplicate"')
    worker.sync()
    expect(worker.page.get_by_role("status")).to_contain_text("could not be verified")
    assert "attention" == worker.sync_state()
    (waits,) = stored(worker.page, "outbox")
    assert ("pending", None, "") == (waits["state"], waits["receipt"], waits["signed"])

    proxy.change_line = None
    worker.sync()
    assert "clean" == worker.sync_state()
    assert [] == stored(worker.page, "outbox")
    (kept,) = stored(worker.page, "history")
    receipt = json.loads(kept["signed"])
    assert "duplicate" == receipt["outcome"]
    worker.go("/sync")
    worker.page.get_by_text("Signed receipt").click()
    expect(worker.page.get_by_text(receipt["signature"])).to_be_visible()


def test_a_changed_identity_is_said_and_a_sign_in_ends_it(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """The dialog says why it asks; afterwards the office's new key is believed, and work goes."""
    worker.new_inspection("After the key was lost")
    worker.save()
    rotated = subprocess.run(
        [sys.executable, "-m", "fieldpost_server.cli", "keys", "rotate", "--distrust"],
        env={**os.environ, "FIELDPOST_DATA": str(office.data)},
        check=False,
    )
    assert 0 == rotated.returncode
    office.stop()
    proxy.target = office.start()

    button = worker.page.get_by_role("button", name="Sync")
    button.click()
    dialog = worker.page.get_by_role("dialog")
    expect(dialog).to_contain_text("identity has changed")
    (waits,) = stored(worker.page, "outbox")
    assert "pending" == waits["state"]
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    expect(button).to_have_attribute("data-state", "clean")
    assert [] == stored(worker.page, "outbox")


def test_a_browser_without_ed25519_verifies_too(new_device: NewDevice) -> None:
    """Where the browser lacks the algorithm, the library that stands in judges alike."""
    worker = new_device()
    worker.page.goto(f"{worker.origin}/sign-in")
    manifest = worker.page.evaluate("async () => (await fetch('/assets/manifest.json')).json()")
    url = manifest["urls"]["worker/ed25519.js"]
    key = Key()
    message = "Größe ½".encode()
    given = [url, key.public, base64.b64encode(message).decode(), key.sign(message)]

    assert [True, False, False, False] * 2 == worker.page.evaluate(VERIFY, given)
