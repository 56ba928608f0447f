// What all parts of the shell share: where pages come from, and the store.

import { open } from "../../store.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * Python in its worker: `device/device.js`, which stands above this.
 * @typedef {{call: (name: string, argument?: object) => Promise<any>, idle: (ms: number) => Promise<boolean>,
 *   end: () => void, started?: Promise<unknown>}} Device started: it is on its way, and what is asked waits
 */

export const context = {
  /** Python on this device; null where pages come from the server. @type {Device | null} */
  device: null,
  /** The version that runs. @type {Manifest | null} */
  manifest: null,
  /** The signed-in user's name, where no page says it yet. */
  user: "",
};

/** Return the signed-in user's name; empty before the first page. */
export function userName() {
  return document.body.dataset.user || context.user;
}

/** The person's language; undefined, the browser's own, where it names one that is none, such as "C". */
export function language() {
  try {
    return Intl.getCanonicalLocales(navigator.language)[0];
  } catch {
    return undefined;
  }
}

/** How this person sees moments and numbers: her zone and her decimal mark. */
export function locale() {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const parts = new Intl.NumberFormat(language()).formatToParts(1.5);
  const mark = parts.find(({ type }) => type === "decimal")?.value === "," ? "," : ".";
  return { zone: timeZone || "", mark };
}

/** As the server names it: by https only this very host can have set it. */
const SIGNED_IN = ["__Host-fieldpost_user=", "fieldpost_user="];

/** Who is signed in, as the server has told this browser; empty where it has not. */
export function signedIn() {
  const cookies = document.cookie.split("; ");
  for (const name of SIGNED_IN) {
    const found = cookies.find((each) => each.startsWith(name));
    if (found) return decoded(found.slice(name.length));
  }
  return "";
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // not what the server writes
  }
}

/** Nobody is signed in any more. */
export function forgetSignedIn() {
  // fault point: signed-in-unforgotten — the browser says that somebody is signed in who has left: the device
  // stays hidden from others, and signing in puts it right.
  for (const name of SIGNED_IN) {
    const secure = name.startsWith("__Host-") ? "; Secure" : "";
    document.cookie = `${name}; path=/; max-age=0; SameSite=Lax${secure}`;
  }
}

/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** Return the store, opened once. @returns {Promise<IDBDatabase>} */
export function database() {
  // what the browser has closed, or could not open, is opened again when it is asked for next
  opened ??= openAgain().catch((error) => {
    opened = null;
    throw error;
  });
  return opened;
}

let wasThere = false;

/** What was removed meanwhile is not made again: an empty store would look like one without work. */
async function openAgain() {
  const closed = () => (opened = null);
  const db = wasThere ? await open({ create: false, closed }) : await open({ closed });
  if (!db) throw new Error("this app's data was removed from the browser; load this page again");
  wasThere = true;
  return db;
}

/** Close the store. @returns {Promise<void>} */
export async function closeDatabase() {
  const db = await opened?.catch(() => null);
  opened = null;
  db?.close();
}
