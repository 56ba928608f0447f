// A picture that cannot be shown says why, and what it is: without words it would be a speck.

import { make } from "./elements.js";
import { onPage } from "./document.js";
import { context, database } from "./context.js";
import { askOffice, NoAnswer } from "../../office.js";
import { bytesOf } from "../../file-bytes.js";
import { read } from "../../store.js";

const AT_THE_OFFICE = "At the office; shown when there is a connection.";
const LOST = "Its content is gone from this device. Take or choose it again, if you can.";
const NOT_SHOWN = "This picture cannot be shown.";
const ASKING_MS = 10_000;

/** Look after the pictures of all pages. */
export function startMissingPictures() {
  // this event does not bubble
  document.addEventListener("error", ({ target }) => isPicture(target) && void say(target), { capture: true });
  onPage((main) => {
    for (const picture of main.querySelectorAll("img")) {
      if (isPicture(picture) && picture.complete && !picture.naturalWidth) void say(picture);
    }
  });
  window.addEventListener("online", showAgain);
}

/** @param {unknown} element @returns {element is HTMLImageElement} */
function isPicture(element) {
  return element instanceof HTMLImageElement && element.dataset.size !== undefined;
}

/** @param {HTMLImageElement} picture */
async function say(picture) {
  if (!picture.isConnected) return;
  const { name = "", size = "" } = picture.dataset;
  const why = make("span");
  const what = make("strong", {}, name || picture.alt);
  const words = make("span", { class: "missing-picture" }, what, ` ${sizeWords(Number(size))} `, why);
  const link = picture.closest("a"); // it would lead to a page of the browser's that says less
  places.set(words, link ?? picture);
  (link ?? picture).replaceWith(words);
  why.textContent = await whyOf(picture).catch((error) => (console.info(error), NOT_SHOWN));
}

/** What words stand for. @type {WeakMap<Element, Element>} */
const places = new WeakMap();

/** Try again what could not be shown. */
function showAgain() {
  for (const words of document.querySelectorAll(".missing-picture")) {
    const again = places.get(words)?.cloneNode(true);
    if (again) words.replaceWith(again);
  }
}

/** @param {HTMLImageElement} picture */
async function whyOf({ src }) {
  const path = new URL(src).pathname;
  const held = context.device && (await read(await database(), "attachments", path.split("/").pop() ?? ""));
  if (held?.state === "pending" && !(await bytesOf(held))) return LOST;
  try {
    await askOffice(path, { method: "HEAD", signal: AbortSignal.timeout(ASKING_MS) });
    return NOT_SHOWN;
  } catch (error) {
    return error instanceof NoAnswer ? AT_THE_OFFICE : NOT_SHOWN;
  }
}

/** @param {number} bytes */
function sizeWords(bytes) {
  const [amount, unit] = bytes < 1e6 ? [Math.max(1, Math.round(bytes / 1e3)), "KB"] : [Math.round(bytes / 1e5) / 10, "MB"];
  return `${amount.toLocaleString()} ${unit}`;
}
