"""A browser's window, and what a person does in it."""

import re
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-sync",
]
SETUP_MS = 180_000
PATIENCE_MS = 60_000
"""The longest that anything is waited for which takes a moment: a slow machine is no slow app."""
PYTHONS = "html:not([data-starting])"
"""What is shown was not kept, or Python has said that it is so."""
FOLLOW = """path => {
  document.getElementById("main").dataset.left = "";
  const link = Object.assign(document.createElement("a"), { href: path });
  document.body.append(link);
  link.click();
  link.remove();
}"""
COUNT = """async (store) => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const counting = db.transaction(store).objectStore(store).count();
  const found = await new Promise((done) => (counting.onsuccess = () => done(counting.result)));
  db.close();
  return found;
}"""
IS_WHOLE = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const asked = db.transaction("session").objectStore("session").get("shell");
  const marker = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
  db.close();
  return marker?.complete === true;
}"""
"""Says whether all files of the version are here: with an image they come while a person works."""

# a browser reports every answer of 4xx and every lost connection to its console by itself
EXPECTED = re.compile(
    r"Failed to load resource: (net::ERR_|"
    r"the server responded with a status of (401|403|409|422|503))"
)


class Window:
    """One window of a browser, with cookies and stores of its own.

    Attributes:
        faults: page errors, console errors and requests to foreign hosts, as words.
        said: everything that the console showed.
    """

    context: BrowserContext
    page: Page
    closed: bool

    def __init__(self, origin: str, *, width: int, height: int) -> None:
        self.origin = origin
        self.size = ViewportSize(width=width, height=height)
        self.faults: list[str] = []
        self.said: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        """Note what goes wrong in this window from now on."""
        self.closed = False
        context.set_default_timeout(PATIENCE_MS)
        context.on("close", self._on_close)
        context.on("weberror", lambda e: self.faults.append(f"page error: {e.error}"))
        context.on("console", self._on_console)
        context.on("request", self._on_request)
        self.context = context

    def _on_close(self, _: object) -> None:
        self.closed = True

    def _on_console(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        self.said.append(f"{kind}: {text}")
        if kind == "error" and not EXPECTED.match(text):
            self.faults.append(f"console: {text}")

    def _on_request(self, request: object) -> None:
        url = getattr(request, "url", "")
        if not url.startswith((self.origin, "blob:", "data:", "about:")):
            self.faults.append(f"foreign request: {url}")

    def close(self) -> None:
        """Close it as a person does."""
        self.context.close()

    def keep(self, folder: Path, name: str) -> None:
        """Leave what the console showed, and a picture of the window if it is still open."""
        said = [*self.said, "", "faults:", *self.faults]
        (folder / f"{name}.console.txt").write_text("\n".join(said) + "\n", "utf-8")
        if not self.closed:
            self.page.screenshot(path=folder / f"{name}.png", timeout=5_000)

    # what the device has stored

    def count(self, store: str) -> int:
        """Return how many values a store of the device has."""
        found: int = self.page.evaluate(COUNT, store)
        return found

    def until_count(self, store: str, wanted: int) -> None:
        """Wait until a store has so many values."""
        deadline = time.monotonic() + SETUP_MS / 1_000
        while (found := self.count(store)) != wanted:
            assert time.monotonic() < deadline, f"{store}: {found}, not {wanted}"
            time.sleep(0.1)

    def until_whole(self) -> None:
        """Wait until all files of the app are here."""
        deadline = time.monotonic() + SETUP_MS / 1_000
        while not self.page.evaluate(IS_WHOLE):
            assert time.monotonic() < deadline, "files of the app are missing"
            time.sleep(0.1)

    # what a person does

    def sign_in(self, name: str, password: str = "demo") -> None:
        """Sign in on the sign-in page."""
        self.page.goto(self.origin + "/")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def set_up(self, name: str) -> None:
        """Sign in as a field worker and wait for the first download."""
        self.sign_in(name)
        self.wait_ready()

    def go_on_setting_up(self, name: str) -> None:
        """Wait until a first start that was killed has ended; sign in where it asks for that."""
        dialog = self.page.get_by_role("dialog")
        menu = self.page.get_by_role("navigation", name="Pages")
        expect(dialog.or_(menu)).to_be_visible(timeout=SETUP_MS)
        if dialog.is_visible():  # a browser that was killed may have lost its session
            dialog.get_by_label("User name").fill(name)
            dialog.get_by_label("Password").fill("demo")
            dialog.get_by_role("button", name="Sign in").click()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the menu that Python has made on the device is there: no kept one."""
        self.page.locator(f"{PYTHONS} body[data-home=device]").wait_for(timeout=SETUP_MS)
        self.page.get_by_role("navigation", name="Pages").wait_for(timeout=SETUP_MS)

    def go(self, path: str) -> None:
        """Open an address: as a link does within the app, else in the address bar."""
        if not self.page.locator("body[data-home=device]").count():
            self.restart(path)
            return
        self.page.evaluate(FOLLOW, path)
        self.page.locator("main:not([data-left]) h1").first.wait_for()

    def restart(self, path: str) -> None:
        """Open an address in the address bar, which starts the app anew."""
        self.page.goto(self.origin + path)
        # the shell's own page says "Preparing…" until Python has made the real one
        found = self.page.locator(f"{PYTHONS} body:not([data-home=shell]) main h1")
        found.first.wait_for(timeout=SETUP_MS)

    def new_inspection(self, remarks: str, site: str = "") -> None:
        """Open a new inspection's form and fill in what must be there."""
        self.page.get_by_role("link", name="Site inspections").click()
        # links of the page before may begin alike: only the menu's own is meant, once it is there
        menu = self.page.get_by_role("navigation", name="Pages", exact=True)
        menu.get_by_role("link", name=re.compile("^Inspections")).click()
        self.page.get_by_role("link", name="New inspection").click()
        self.page.get_by_role("heading", name="New inspection").wait_for()
        if site:
            self.page.get_by_label("Site").select_option(label=site)
        else:
            self.page.get_by_label("Site").select_option(index=1)
        self.page.get_by_label("Inspected on").fill("2026-11-23")
        self.page.get_by_label("Remarks").fill(remarks)

    def save(self) -> None:
        """Save the form and wait for the word."""
        self.page.get_by_role("button", name="Save").last.click()
        expect(self.page.get_by_role("status")).to_contain_text("Saved")

    def sync(self) -> None:
        """Tap Sync and wait until nothing is being done any more."""
        button = self.page.get_by_role("button", name=re.compile("^Sync"))
        if button.get_attribute("data-to"):
            # a tap leads to what needs attention first; there the button syncs
            self.go("/sync")
        button.click()
        expect(button).not_to_have_attribute("data-state", "working")
        dialog = self.page.get_by_role("dialog")
        if dialog.is_visible():
            # a browser writes cookies every 30 s: one that was killed may have lost its session
            dialog.get_by_label("Password").fill("demo")
            dialog.get_by_role("button", name="Sign in").click()
            expect(dialog).to_have_count(0)
            expect(button).not_to_have_attribute("data-state", "working")

    def sync_state(self) -> str:
        """Return what the button says it is."""
        button = self.page.get_by_role("button", name=re.compile("^Sync"))
        return button.get_attribute("data-state") or ""
