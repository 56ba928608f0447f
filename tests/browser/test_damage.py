"""Damage of what a real browser keeps: the device starts, and what waits arrives.

R22, R26, R43, R46.
"""

import zipfile

import pytest
from playwright.sync_api import FilePayload, expect

from browser import stored
from browser.device import Device
from browser.filling import add_finding
from browser.pictures import png
from browser.window import SETUP_MS

pytestmark = pytest.mark.browser

CHANGE_ALL = """async ([store, how]) => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const transaction = db.transaction(store, "readwrite", { durability: "strict" });
  const place = transaction.objectStore(store);
  let count = 0;
  place.openCursor().onsuccess = ({ target: { result: cursor } }) => {
    if (!cursor) return;
    const value = cursor.value;
    if (how === "halve") cursor.update(value.slice(0, value.length / 2));
    else if (how === "lose") cursor.update({ ...value, bytes: null });
    else if (how === "as a blob" && value.bytes) {
      const { bytes, ...others } = value;
      cursor.update({ ...others, blob: new Blob([bytes], { type: value.type }) });
    }
    count += 1;
    cursor.continue();
  };
  await new Promise((done) => (transaction.oncomplete = done));
  db.close();
  return count;
}"""


def save_with_a_photo(worker: Device, remarks: str) -> None:
    worker.new_inspection(remarks)
    add_finding(worker.page, 0, "Loose rail")
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png())
    worker.page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(worker.page.locator(".child-row .thumbs img")).to_have_count(1)
    worker.save()


def test_a_damaged_session_and_replica_lose_no_entry(worker: Device) -> None:
    """Counters, an entry's state and every piece are damaged: it starts, and the entry goes."""
    page = worker.page
    worker.new_inspection("Waits through damage")
    worker.save()
    entry = stored.read(page, "outbox", 1)
    stored.put(page, "outbox", 1, {**entry, "state": "pendinf"})
    stored.put(page, "session", "next_number", "many")
    assert 0 < page.evaluate(CHANGE_ALL, ["pieces", "halve"])
    worker.restart("/")
    worker.wait_ready()
    worker.sync()

    assert worker.sync_state() == "clean"
    worker.go("/pages/inspection?q=2026-11-23")
    expect(page.locator("table.list tbody tr")).to_have_count(1)


def test_files_of_a_former_version_are_sent(worker: Device) -> None:
    """A photo that a former version kept as a Blob is read, shown and sent (R43)."""
    save_with_a_photo(worker, "Kept as a Blob")
    assert 0 < worker.page.evaluate(CHANGE_ALL, ["attachments", "as a blob"])
    worker.sync()

    assert worker.sync_state() == "clean"


def test_a_photo_whose_bytes_are_gone_holds_up_only_its_entry(worker: Device) -> None:
    """Its entry says what it waits for, the other arrives, and the file holds the rest (R43)."""
    page = worker.page
    save_with_a_photo(worker, "Its photo is lost")
    assert 0 < page.evaluate(CHANGE_ALL, ["attachments", "lose"])
    worker.new_inspection("Without a photo")
    worker.save()
    worker.sync()
    assert worker.sync_state() != "clean"
    assert 1 == worker.count("outbox")
    worker.go("/sync")
    expect(page.locator(".entry").first).to_contain_text("pictures or files")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my work as a file").click()
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert 1 == len([name for name in names if name.endswith(".missing.txt")])
    assert "envelopes/000001.json" in names


DRAFTS: dict[str, tuple[object, str]] = {
    "null": (None, "none of it can be brought back"),
    "of another type": (7.5, "none of it can be brought back"),
    "emptied": ({}, "none of it can be brought back"),
    "without its fields": (
        {"saved_at": "2026-11-23T10:00:00Z", "user": "worker1", "fields": None},
        "none of it can be brought back",
    ),
    "half of its fields": (
        {"saved_at": 7, "fields": [["remarks", "What is left of it"], 7, ["site"]]},
        "Part of what you typed was damaged",
    ),
}


def test_a_damaged_draft_is_said_and_hides_no_other(worker: Device) -> None:
    """The worker reads which form it was of, sound drafts are there, and she can go on (R17)."""
    page = worker.page
    worker.new_inspection("A sound draft")
    worker.until_count("drafts", 1)
    key = "/pages/inspection/new#3f6c"
    listed = page.locator("[data-draft-list] .entry")
    for way, (value, words) in DRAFTS.items():
        stored.put(page, "drafts", key, value)
        worker.go("/sync")
        expect(listed, way).to_have_count(2)
        expect(listed.filter(has_text=words), way).to_have_count(1)
        assert 0 < listed.filter(has_text=words).get_by_role("link").count()

    worker.go("/pages/inspection/new")
    expect(page.get_by_label("Remarks")).to_have_value("A sound draft")
    expect(page.get_by_text("was damaged on this device").first).to_be_visible()

    stored.put(page, "drafts", key, None)
    worker.go("/sync")
    page.get_by_role("button", name="I have read it").click()
    expect(listed).to_have_count(1)
    worker.until_count("drafts", 1)


SNAPSHOTS = """async ([how]) => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const answer = (asked) => new Promise((done) => (asked.onsuccess = () => done(asked.result)));
  const place = () => db.transaction("snapshots", "readwrite").objectStore("snapshots");
  const [key] = await answer(place().getAllKeys());
  const kept = await answer(place().get(key));
  const whole = new Uint8Array(kept.bytes);
  const changed = (change) => {
    const bytes = whole.slice();
    change(bytes);
    return bytes.buffer;
  };
  const flipped = (at) => ({ ...kept, bytes: changed((bytes) => (bytes[at] ^= 1)) });
  const { urls } = await (await fetch("/assets/manifest.json")).json();
  const { sealed, unsealed } = await import(urls["worker/snapshot.js"]);
  const ways = {
    cut: () => ({ ...kept, bytes: kept.bytes.slice(0, kept.bytes.byteLength >> 1) }),
    "its first byte flipped": () => flipped(0),
    "a byte flipped": () => flipped(whole.length >> 1),
    "its last byte flipped": () => flipped(whole.length - 1),
    "of a former edition": () => kept.bytes,
    empty: () => ({ ...kept, bytes: new ArrayBuffer(0) }),
    "empty and whole": () => sealed(new ArrayBuffer(0)),
    "its sum lost": () => ({ bytes: kept.bytes }),
    "of another type": () => 7.5,
    nothing: () => null,
    words: () => ({ bytes: "memory", sum: 1 }),
    // the digest of the build that made it stands at these bytes
    "of another build": () => sealed(changed((bytes) => (bytes[20] ^= 1))),
  };
  const believed = [];
  for (const [name, make] of Object.entries(how ? {} : { ...ways, sound: () => kept }))
    if (await unsealed(make())) believed.push(name);
  if (how) await answer(place().put(ways[how](), key));
  db.close();
  return believed;
}"""
IS_SOUND = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const asked = db.transaction("snapshots").objectStore("snapshots").getAll();
  const found = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
  db.close();
  const { urls } = await (await fetch("/assets/manifest.json")).json();
  const { unsealed } = await import(urls["worker/snapshot.js"]);
  const bytes = found.length === 1 && (await unsealed(found[0]));
  return bytes && bytes.byteLength > 1e6 ? bytes[20] : null;
}"""
"""Return a byte of the build's digest, from a snapshot that is whole."""


@pytest.mark.parametrize("way", ["a byte flipped", "of another build", "of another type"])
def test_a_damaged_snapshot_is_none(worker: Device, way: str) -> None:
    """However Python's memory is damaged: it starts the ordinary way and keeps a new one (R9)."""
    page = worker.page
    worker.new_inspection("Waits meanwhile")
    worker.save()
    # the browser's own look at the head tells the one that is whole
    assert ["of another build", "sound"] == page.evaluate(SNAPSHOTS, [""])
    build = page.evaluate(IS_SOUND)
    page.evaluate(SNAPSHOTS, [way])
    assert build != page.evaluate(IS_SOUND)
    worker.restart("/sync")
    expect(page.locator(".entry[data-state=waiting]")).to_have_count(1)
    for _ in range(SETUP_MS // 1_000):
        if build == page.evaluate(IS_SOUND):
            break
        page.wait_for_timeout(1_000)

    assert build == page.evaluate(IS_SOUND)
    worker.restart("/sync")
    worker.sync()
    assert worker.sync_state() == "clean"
