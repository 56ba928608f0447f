// One tab works with the device's data; a second one waits, or takes over with consent.

import { make, openForm } from "../page/elements.js";
import { showOwn } from "../page/document.js";

const LOCK = "fieldpost";
const CHANNEL = "fieldpost-tabs";
const PATIENCE_MS = 5_000;
/** A page that is being loaded anew holds its lock for a moment longer. */
const GRACE_MS = 1_000;

/**
 * Wait until this tab may work with the device's data.
 * @param {() => Promise<void>} letGo ends this tab's work when another one takes over
 * @returns {Promise<void>}
 */
export async function beTheOne(letGo) {
  if (!(await take({ signal: AbortSignal.timeout(GRACE_MS) }, letGo))) {
    await consent();
    await takeOver(letGo);
    location.reload();
    await new Promise(() => {}); // the page is being loaded anew
  }
}

/** @type {(() => void) | null} */
let release = null;

/**
 * @param {LockOptions} options
 * @param {() => Promise<void>} letGo
 * @returns {Promise<boolean>} whether the lock is held now
 */
function take(options, letGo) {
  return new Promise((resolve) => {
    // fault point: tab-locked — the browser ends the lock with the tab, however that ends: the store holds
    // whole transactions only, and the next tab begins from it.
    const held = navigator.locks.request(LOCK, options, (lock) => {
      resolve(lock !== null);
      if (!lock) return undefined;
      listen(letGo);
      return new Promise((/** @type {(value?: unknown) => void} */ done) => (release = () => done()));
    });
    // another tab stole the lock because this one did not answer
    held.catch(() => {
      if (release) void stop(letGo);
      else resolve(false);
    });
  });
}

/** @param {() => Promise<void>} letGo */
function listen(letGo) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = async () => {
    channel.close();
    await stop(letGo);
  };
}

/** @param {() => Promise<void>} letGo */
async function stop(letGo) {
  const done = release;
  release = null;
  const form = openForm();
  // nobody goes on typing into a form that is not this tab's any more
  if (form) form.inert = true;
  await letGo();
  done?.();
  const kept = form ? " What you had typed here is kept as a draft." : "";
  showOwn(
    "Open in another tab",
    make("p", { role: "status" }, `You went on in another tab.${kept} Close this one, or use it again.`),
    reloadButton(),
  );
}

function reloadButton() {
  return make("button", { type: "button", class: "button", onclick: () => location.reload() }, "Use it here");
}

/** Show that another tab is at work, and wait for the person to decide. @returns {Promise<void>} */
function consent() {
  return new Promise((resolve) => {
    const button = make("button", { type: "button", class: "button primary", onclick: () => resolve() }, "Use it here");
    const words = "This app is open in another tab. Only one can be used at a time; nothing is lost if you go on here.";
    showOwn("Open in another tab", make("p", {}, words), button);
  });
}

/** @param {() => Promise<void>} letGo */
async function takeOver(letGo) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("release");
  const timeout = AbortSignal.timeout(PATIENCE_MS);
  // fault point: lock-asked-for — nothing is written here: the other tab stores its draft and lets go, or
  // is frozen and loses the lock; what it had begun to store is whole or not there.
  const free = navigator.locks.request(LOCK, { signal: timeout }, () => {});
  await free.catch(() => take({ steal: true }, letGo)); // the other tab is frozen
  channel.close();
}
