// Locks the app when nobody has touched it for a while, or at once when somebody says so.

import { context } from "../page/context.js";

const LOOK_EVERY_MS = 5_000;
const SYNC_MS = 120_000;
const TOUCHES = ["pointerdown", "keydown", "input", "wheel", "touchmove"];

/**
 * Begin to look whether somebody is there.
 * @param {number} afterS so many seconds without anybody lock it
 * @param {() => Promise<void>} letGo keeps what is typed, and ends this tab's work
 */
export function startIdling(afterS, letGo) {
  let last = Date.now();
  let isLocking = false;
  const touched = () => (last = Date.now());
  for (const name of TOUCHES) document.addEventListener(name, touched, { capture: true, passive: true });

  const lock = async () => {
    if (isLocking) return;
    isLocking = true;
    document.body.inert = true;
    document.documentElement.dataset.locking = "";
    await context.device?.idle(SYNC_MS); // what is on its way arrives, within reason
    await letGo();
    // nothing that was open stays in this page's memory
    location.reload();
  };
  const look = () => {
    const since = Date.now() - last;
    // a clock that was put back says nothing: then it is counted from now on
    if (since < 0) touched();
    if (since > afterS * 1000) void lock();
  };
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("[data-lock]")) void lock();
  });
}
