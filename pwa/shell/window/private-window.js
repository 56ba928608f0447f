// A private window forgets everything when it is closed: who works in one without a connection is told.

import { database } from "../page/context.js";
import { onPage } from "../page/document.js";
import { make } from "../page/elements.js";
import { within } from "../../limits.js";

const PATIENCE_MS = 5_000;
const PROBE = "private window?";
const WORDS = "This is a private window: it forgets everything when it is closed. Sync before that, or use an ordinary window.";

/** Say so above every page, if this is a private window. */
export async function sayIfPrivate() {
  if (!(await within(PATIENCE_MS, isPrivate(), "Looking at this window"))) return;
  onPage(say);
  say();
}

function say() {
  if (document.getElementById("private-window")) return;
  const note = make("p", { id: "private-window", class: "notice above attention", role: "note", "data-keep": true }, WORDS);
  document.getElementById("main")?.before(note);
}

/**
 * No browser tells, but a private window of Firefox or WebKit refuses what an ordinary one does.
 * One of Chromium refuses nothing, and is not known here.
 */
async function isPrivate() {
  return (await refusesFolder()) || (await refusesBlobs());
}

/** Firefox: its private windows have no folder of files. */
async function refusesFolder() {
  try {
    await navigator.storage?.getDirectory?.();
    return false;
  } catch (error) {
    return error instanceof DOMException && error.name === "SecurityError";
  }
}

/** WebKit: its private windows keep bytes, but no Blobs. */
async function refusesBlobs() {
  const transaction = (await database()).transaction("staged", "readwrite");
  const place = transaction.objectStore("staged");
  return new Promise((/** @type {(isRefused: boolean) => void} */ resolve) => {
    transaction.onabort = () => resolve(false);
    // fault point: private-window-tried — one transaction, which is never completed: nothing of it is kept.
    place.put(new ArrayBuffer(1), PROBE).onsuccess = () => {
      const asked = place.put(new Blob(["?"]), PROBE);
      asked.onsuccess = () => transaction.abort();
      asked.onerror = () => resolve(asked.error?.name === "UnknownError");
    };
  });
}
