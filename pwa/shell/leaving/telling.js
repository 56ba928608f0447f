// Tells the office now and then how this device stands, and hears what it orders.

import { whatIsHere } from "../device/owner.js";
import { heardOf } from "../device/sync-button.js";
import { context, userName } from "../page/context.js";

const EVERY_MS = 15 * 60_000;
/** A person who goes to and fro between apps is no reason to ask each time. */
const SELDOM_MS = 60_000;

let told = 0;

/** Tell it now, and whenever there may be a connection again. */
export function startTelling() {
  setInterval(() => void tell(), EVERY_MS);
  addEventListener("online", () => void tell());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void tell();
  });
  void tell();
}

async function tell() {
  if (!context.device || Date.now() - told < SELDOM_MS) return;
  told = Date.now();
  try {
    const answer = await context.device.call("tell", await standing());
    heardOf(answer);
  } catch (error) {
    console.info(error); // there is a next time
  }
}

/** What the browser and the shell know of this device. */
async function standing() {
  const [persisted, space, { drafts }] = await Promise.all([
    navigator.storage?.persisted?.() ?? null,
    navigator.storage?.estimate?.() ?? {},
    whatIsHere(),
  ]);
  const mine = drafts.filter(([, draft]) => draft.user === userName()).length;
  return { persisted, used: space.usage ?? null, quota: space.quota ?? null, drafts: mine };
}
