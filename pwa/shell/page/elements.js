// Small helpers for making and finding elements, and for saying things.

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | EventListener>} [attributes] `onclick` and the like
 *   are listeners, true means present, false absent
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** How long good news stays; a problem stays until one goes on. */
const SAID_MS = 8000;

const STAYING = new Set(["problem", "standing"]);
const WAITING = "Waiting for the app to start";
/** What comes sooner needs no words. */
const HEARD_MS = 1000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading;

/**
 * Say something in the status region.
 * @param {string} words
 * @param {"done" | "problem" | "note" | "standing"} [kind] standing: it is so until somebody takes it back
 */
export function announce(words, kind = "note") {
  const status = document.getElementById("status");
  if (!status) return;
  status.dataset.kind = words ? kind : "";
  status.textContent = words;
  clearTimeout(fading);
  if (words && !STAYING.has(kind)) fading = setTimeout(() => announce(""), SAID_MS);
}

/** Take back what was said, unless something else was said since. @param {string} words */
export function takeBack(words) {
  if (words && document.getElementById("status")?.textContent === words) announce("");
}

/**
 * Wait for Python; whoever sees no picture of it hears it.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export async function heardWaiting(work) {
  const timer = setTimeout(() => announce(WAITING, "standing"), HEARD_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    takeBack(WAITING);
  }
}

/** Let go what a page that came from the server says in its status region. */
export function fadeStatus() {
  const words = document.getElementById("status")?.textContent;
  if (words) announce(words, "done");
}

/** @returns {HTMLFormElement | null} the record form that is open */
export function openForm() {
  return document.querySelector("form[data-record-form]");
}

/**
 * Show a dialog and wait for what the person decides.
 * @template T
 * @param {string} title
 * @param {(finish: (value: T) => void) => Node[]} fill makes the content; `finish` closes it
 * @param {T} dismissed what Escape means
 * @returns {Promise<T>}
 */
export function ask(title, fill, dismissed) {
  return new Promise((resolve) => {
    let decided = dismissed;
    const dialog = make("dialog", { class: "dialog", "aria-labelledby": "dialog-title", "data-keep": true });
    const finish = (/** @type {T} */ value) => {
      decided = value;
      dialog.close();
    };
    dialog.append(make("h2", { id: "dialog-title" }, title), ...fill(finish));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(decided);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
