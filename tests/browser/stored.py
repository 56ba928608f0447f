"""What a device has stored, looked at and changed behind its back."""

from typing import Any

from playwright.sync_api import Page

_OPENED = """async ([store, key, value, puts]) => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const mode = puts ? "readwrite" : "readonly";
  const transaction = db.transaction(store, mode, { durability: "strict" });
  const place = transaction.objectStore(store);
  const asked = puts ? place.put(value, key) : place.get(key);
  await new Promise((done) => (transaction.oncomplete = done));
  db.close();
  return puts ? null : asked.result ?? null;
}"""


def read(page: Page, store: str, key: str | int) -> Any:
    """Return a stored value; None where there is none."""
    return page.evaluate(_OPENED, [store, key, None, False])


def put(page: Page, store: str, key: str | int, value: Any) -> None:
    """Store a value, whatever was there."""
    page.evaluate(_OPENED, [store, key, value, True])
