// What all parts of the shell share: where pages come from, and the store.

import { open } from "../../store.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * Python in its worker: `device/device.js`, which stands above this.
 * @typedef {{call: (name: string, argument?: object) => Promise<any>, idle: () => Promise<void>,
 *   end: () => void}} Device
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

/** How this person sees moments and numbers: her zone and her decimal mark. */
export function locale() {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const parts = new Intl.NumberFormat(navigator.language).formatToParts(1.5);
  const mark = parts.find(({ type }) => type === "decimal")?.value === "," ? "," : ".";
  return { zone: timeZone || "", mark };
}

/** @type {Promise<IDBDatabase> | null} */
let opened = null;

/** Return the store, opened once. @returns {Promise<IDBDatabase>} */
export function database() {
  opened ??= open();
  return opened;
}

/** Close the store. @returns {Promise<void>} */
export async function closeDatabase() {
  const db = await opened;
  opened = null;
  db?.close();
}
