// After something was saved or came from the office, the kept pages are made again: when nobody does anything.

import { context, locale } from "../page/context.js";
import { currentPath, isOnTheWay } from "../page/navigation.js";
import { forgetPage, keep, markOfNow, oldPages } from "./kept-pages.js";

/** So long after the last page nobody is in a hurry. */
const QUIET_MS = 3_000;
/** So many at once: those that were seen last. */
const MOST = 8;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Look soon whether kept pages are old; each page that is shown puts it off. */
export function freshenSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => void freshen().catch((error) => console.info(error)), QUIET_MS);
}

async function freshen() {
  const mine = timer;
  const old = (await oldPages(currentPath())).slice(0, MOST);
  // what was seen last is to stay in front
  for (const path of old.reverse()) {
    if (timer !== mine || isOnTheWay() || !context.device || document.hidden) return;
    const mark = await markOfNow();
    const headers = { accept: "text/html" };
    const { status, body, headers: told } = await context.device.call("request", { method: "GET", path, headers, body: null, ...locale() });
    if (status === 200 && body && !told["fieldpost-elsewhere"]) await keep(path, body, mark);
    else await forgetPage(path); // it would be asked for again and again
  }
}
