"""What a field worker does on her device, in whatever engine."""

from pathlib import Path
from typing import Any

from browser.engines.engine import Engine
from browser.engines.finding import ALL, LAST
from browser.engines.webdriver import PATIENCE_SECONDS, Element, Window, until

START_SECONDS = 300.0
MADE_BY_PYTHON = """return document.body?.dataset.home === "device" &&
  document.documentElement.dataset.starting === undefined && !!document.querySelector("h1")"""
FOLLOW = """document.getElementById("main").dataset.left = "";
  const link = Object.assign(document.createElement("a"), { href: given[0] });
  document.body.append(link);
  link.click();
  link.remove();"""
ARRIVED = "return !!document.querySelector('main:not([data-left]) h1')"
SET = """const [field, value] = given;
  field.value = value;
  for (const type of ["input", "change"])
    field.dispatchEvent(new Event(type, { bubbles: true }));"""
BOX = """given[0].scrollIntoView({ block: "center" });
  const { left, top, width, height } = given[0].getBoundingClientRect();
  return [left, top, width, height].map(Math.round);"""
NO_FORM = "return !document.querySelector('form[data-record-form]')"
FIRST = """const options = [...given[0].options].map((option) => option.value);
  return options.find((value) => value);"""
SYNC = "return document.getElementById('sync')?.dataset.state ?? ''"
LEFT = """return {
  databases: (await indexedDB.databases()).length,
  caches: (await caches.keys()).length,
  workers: (await navigator.serviceWorker.getRegistrations()).length,
  local: localStorage.length,
  session: sessionStorage.length,
}"""


class Person:
    """Somebody in front of a browser, who finds things by their words."""

    def __init__(self, engine: Engine, origin: str) -> None:
        self.engine = engine
        self.origin = origin

    @property
    def window(self) -> Window:
        """The window of the browser as it runs now."""
        return self.engine.window

    # seeing

    def find(self, role: str, words: str = "", within: str = "") -> Element:
        """Wait for the last element of a role whose name is, or begins with, these words."""
        seen = until(
            lambda: self.window.run(LAST, role, words, within), f"a {role} “{words}” is shown"
        )
        found: Element = seen
        return found

    def count(self, role: str, words: str = "", within: str = "") -> int:
        """Count the elements of a role whose name is, or begins with, these words."""
        return len(self.window.run(ALL, role, words, within))

    def words(self) -> str:
        """Return all that can be read now."""
        text: str = self.window.run("return document.body.innerText")
        return text

    def sign_out(self) -> None:
        """Sign out, and wait for what the app says of it."""
        self.click("button", "Account")
        self.click("button", "Sign out")
        until(lambda: self.count("heading", "Signed out"), "it is signed out", 60)

    def reads(self, words: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until these words can be read."""
        until(lambda: words in self.words(), f"“{words}” can be read", seconds)

    def until_count(self, wanted: int, role: str, words: str = "", within: str = "") -> None:
        """Wait until so many are shown."""
        until(lambda: self.count(role, words, within) == wanted, f"{wanted} of {role} “{words}”")

    # doing

    def click(self, role: str, words: str, within: str = "") -> None:
        """Click what has these words."""

        def act() -> bool:
            self.window.click(self.find(role, words, within))
            return True

        until(act, f"the {role} “{words}” is clicked")

    def fill(self, label: str, text: str) -> None:
        """Write into a field in the place of what is there."""
        field = self.find("field", label)
        self.window.clear(field)
        self.window.type(field, text)

    def pick(self, label: str, value: str) -> None:
        """Put in a date or a choice: each engine has controls of its own for these."""
        self.window.run(SET, self.find("field", label), value)

    def pick_first(self, label: str) -> None:
        """Take the first of the choices."""
        self.pick(label, self.window.run(FIRST, self.find("field", label)))

    def attach(self, label: str, file: Path) -> None:
        """Choose a file."""
        self.window.type(self.find("field", label), str(file))

    def sign(self) -> None:
        """Sign on the sheet with two strokes."""
        self.click("button", "Sign here")
        left, top, width, height = self.window.run(BOX, self.find("canvas"))
        for part in (0.3, 0.6):
            end = width // 2
            steps = range(20, end, (end - 20) // 8)
            self.window.drag([(left + x, top + int(height * part) + x // 4) for x in steps])
        self.click("button", "Done")
        self.until_count(1, "picture", within="[data-attachment=signature]")

    # going

    def start(self, path: str = "/") -> None:
        """Open an address in the address bar, and wait for the page that the device has made."""
        self.window.navigate(self.origin + path)
        self.until_started()

    def until_started(self) -> None:
        """Wait for a page that Python has made on this device."""

        def started() -> bool:
            assert not self.count("heading", "That did not work"), self.words()
            return bool(self.window.run(MADE_BY_PYTHON))

        until(started, "the device has started", START_SECONDS)

    def go(self, path: str) -> None:
        """Follow a link within the app."""
        self.window.run(FOLLOW, path)
        until(lambda: self.window.run(ARRIVED), f"{path} is shown")

    def sign_in(self, name: str) -> None:
        """Sign in on the sign-in page; a field worker's first download begins."""
        self.window.navigate(self.origin + "/")
        self.fill("User name", name)
        self.fill("Password", "demo")
        self.click("button", "Sign in")

    def save(self, said: str = "Saved") -> None:
        """Save the form, and wait for the word."""
        self.click("button", "Save", "main")
        self.reads(said)
        until(lambda: self.window.run(NO_FORM), "the form has gone")

    def sync(self) -> str:
        """Tap Sync, wait until nothing is being done any more, and return what the button says."""
        self.go("/sync")  # where it always syncs, and leads nowhere
        self.click("button", "Sync")
        until(lambda: self.window.run(SYNC) != "working" or self._signed_in(), "the sync ends", 90)
        state: str = self.window.run(SYNC)
        return state

    def _signed_in(self) -> bool:
        """Sign in again where a browser that was killed has lost the session's cookie."""
        if self.window.run("return !document.querySelector('dialog[open] #again-password')"):
            return False
        self.fill("Password", "demo")
        self.click("button", "Sign in")
        return False

    def left(self) -> dict[str, Any]:
        """Count what this browser still keeps of the app."""
        found: dict[str, Any] = self.window.run(LEFT)
        return found
