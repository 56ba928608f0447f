"""What a browser's store can throw, thrown at a chosen call in a page or in Python's worker."""

import random
from dataclasses import dataclass

from playwright.sync_api import Page, Worker

_THROW = """([fault, first, times]) => {
  self.mend?.();
  const undo = [];
  let calls = 0;
  self.thrown = 0;
  const isDue = () => {
    const due = (calls += 1) >= first && calls < first + times;
    if (due) self.thrown += 1;
    return due;
  };
  const change = (place, name, work) => {
    const real = place[name];
    place[name] = function (...how) { return work.call(this, real, how); };
    undo.push(() => { place[name] = real; });
  };
  const thrown = (place, name, make) => change(place, name, function (real, how) {
    if (isDue()) throw make();
    return real.apply(this, how);
  });
  const refused = (place, name, make) => change(place, name, function (real, how) {
    return isDue() ? Promise.reject(make()) : real.apply(this, how);
  });
  const named = (name) => () => new DOMException(`thrown: ${name}`, name);
  const full = () => (typeof QuotaExceededError === "function"
    ? new QuotaExceededError("thrown: full") : named("QuotaExceededError")());
  const database = IDBDatabase.prototype;
  const faults = {
    full: () => ["put", "add"].forEach((name) => thrown(IDBObjectStore.prototype, name, full)),
    aborted: () => change(database, "transaction", function (real, how) {
      const transaction = real.apply(this, how);
      const end = () => { try { transaction.abort(); } catch { /* it is over */ } };
      if (isDue()) queueMicrotask(end);
      return transaction;
    }),
    closed: () => change(database, "transaction", function (real, how) {
      if (isDue()) this.close();
      return real.apply(this, how);
    }),
    blocked: () => {
      let isHeld = false;
      change(database, "transaction", function (real, how) {
        if (isDue()) { this.close(); isHeld = true; }
        return real.apply(this, how);
      });
      change(IDBFactory.prototype, "open", function (real, how) {
        if (!isHeld) return real.apply(this, how);
        isHeld = false;
        return {}; // another tab holds the data: nothing is ever heard of it
      });
    },
    invalid: () => thrown(database, "transaction", named("InvalidStateError")),
    gone: () => thrown(database, "transaction", named("UnknownError")),
    unread: () => thrown(IDBObjectStore.prototype, "get", named("UnknownError")),
    undigested: () => refused(SubtleCrypto.prototype, "digest", named("OperationError")),
  };
  faults[fault]();
  self.mend = () => { undo.reverse().forEach((each) => each()); delete self.mend; };
}"""
_MEND = """() => {
  self.mend?.();
  const { thrown = 0 } = self;
  self.thrown = 0;
  return thrown;
}"""

FAULTS = (
    "full",
    "aborted",
    "closed",
    "blocked",
    "invalid",
    "gone",
    "unread",
    "undigested",
)
AT_MOST = 6
FOR_EVER = 1_000_000

CACHES = """(([seed, calls]) => {
  // also across reloads: whoever tries again gets on
  const kept = sessionStorage;
  const left = () => Number(kept.getItem("calls") ?? calls);
  const chance = () => {
    const next = (Number(kept.getItem("seed") ?? seed) * 48271) % 2147483647;
    kept.setItem("seed", String(next));
    return next / 2147483647;
  };
  const isDue = () => {
    if (left() <= 0) return false;
    kept.setItem("calls", String(left() - 1));
    return chance() < 0.3;
  };
  const make = (name) => (name === "QuotaExceededError" && typeof QuotaExceededError === "function"
    ? new QuotaExceededError("thrown") : new DOMException("thrown", name));
  const names = ["QuotaExceededError", "UnknownError", "InvalidStateError", "AbortError"];
  const places = [[CacheStorage.prototype, ["open", "keys", "has", "delete"]],
    [Cache.prototype, ["put", "match", "keys", "delete"]]];
  for (const [place, methods] of places) {
    for (const method of methods) {
      const real = place[method];
      place[method] = function (...how) {
        if (isDue()) return Promise.reject(make(names[Math.floor(chance() * names.length)]));
        return real.apply(this, how);
      };
    }
  }
})"""
"""Lets calls of the caches fail at random; in each tab only among the first ones."""


@dataclass(frozen=True, slots=True)
class StoreFault:
    """One fault: which, at which call, how often, and whether in the page or in the worker."""

    kind: str
    first: int
    times: int
    in_worker: bool

    @classmethod
    def chosen(cls, rng: random.Random) -> "StoreFault":
        """Choose one: it comes once, or stays as a full disk does."""
        return cls(
            rng.choice(FAULTS),
            rng.randint(1, AT_MOST),
            rng.choice([1, FOR_EVER]),
            rng.random() < 0.75,
        )

    def begin(self, page: Page) -> None:
        """Let it come."""
        place = python_of(page) if self.in_worker else page
        place.evaluate(_THROW, [self.kind, self.first, self.times])


def mend(page: Page) -> int:
    """Let the browser be as it was; return how often something was thrown."""
    thrown: list[int] = [place.evaluate(_MEND) for place in (page, python_of(page))]
    return sum(thrown)


def python_of(page: Page) -> Worker:
    """Return the worker that Python lives in."""
    return next(w for w in page.workers if "worker/worker.js" in w.url)
