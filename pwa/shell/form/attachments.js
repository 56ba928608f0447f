// Photos and files in forms: made smaller, kept at once, referred to by their hash.

import { context, database } from "../page/context.js";
import { complain, forgetComplaints, startComplaints } from "./complaints.js";
import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { pending } from "../page/pending.js";
import { askOffice } from "../../office.js";
import { digestOf } from "../../sha256.js";
import { write } from "../../store.js";
import { isFull } from "../../stored-files.js";

/** @typedef {{sha256: string, size: number, type: string, name: string}} Reference */

const JPEG_QUALITY = 0.85;
const MOST_LETTERS = 150;
/** A large file on a slow line takes minutes; longer than this nobody waits for it. */
const SENDING_MS = 300_000;
const UNREADABLE = "cannot be read as a picture. Choose another one, or take it as JPEG.";
const NO_SPACE = "has no space left here. Free some space, then choose it again.";
const NOT_KEPT = "could not be kept by this browser. Choose it again.";
const NOT_SENT = "could not be sent. Try again with a connection.";

/** Take over the file fields of all forms. */
export function startAttachments() {
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || input.type !== "file" || !input.files) return;
    const widget = widgetOf(input);
    if (!widget) return; // a file that goes into no record
    const files = [...input.files];
    input.value = ""; // the file travels by its reference, and may be chosen again
    void pending(takeAll(widget, files));
  });
  onPage((main) => main.querySelectorAll("[data-attachment]").forEach(addRemovers));
  startComplaints();
}

/** @param {Element} inside @returns {HTMLElement | null} */
function widgetOf(inside) {
  return inside.closest("[data-attachment]");
}

/**
 * @param {HTMLElement} widget
 * @param {File[]} files
 */
async function takeAll(widget, files) {
  forgetComplaints(widget);
  const room = isMany(widget) ? limit(widget, "most") - references(widget).length : files.length;
  for (const [index, file] of files.entries()) {
    const words = index < room ? await take(widget, file) : `is one too many: at most ${limit(widget, "most")} fit here.`;
    if (words) complain(widget, file.name, words);
  }
}

/**
 * @param {HTMLElement} widget
 * @param {File} file
 * @returns {Promise<string>} what is wrong with it, or nothing
 */
async function take(widget, file) {
  const isPicture = widget.dataset.attachment !== "file";
  try {
    const blob = isPicture ? await shrink(file, Number(widget.dataset.maxEdge) || 1600) : file;
    const words = notTaken(widget, blob);
    if (words) return words;
    return await attach(widget, blob, isPicture ? renamed(file.name, blob.type) : file.name);
  } catch (error) {
    console.info(error);
    return isPicture ? UNREADABLE : "cannot be read. Choose it again.";
  }
}

/**
 * Why the office would not take a file: said where the person still has it in her hand.
 * @param {HTMLElement} widget
 * @param {Blob} blob
 */
function notTaken(widget, blob) {
  const most = limit(widget, "maxBytes");
  if (blob.size > most) return `is larger than ${Math.floor(most / 2 ** 20)} MB. Choose a smaller one.`;
  const pictures = (widget.dataset.pictures ?? "").split(" ");
  if (!blob.type.startsWith("image/") || pictures.includes(blob.type)) return "";
  const known = pictures.map((type) => type.replace("image/", "").toUpperCase()).join(", ");
  return `is a kind of picture that the office does not take. Choose one of ${known}.`;
}

/**
 * @param {HTMLElement} widget
 * @param {"most" | "maxBytes"} name
 */
function limit(widget, name) {
  return Number(widget.dataset[name]) || Infinity;
}

/**
 * Keep a picture or file, and let the form refer to it.
 * @param {HTMLElement} widget
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<string>} what went wrong, or nothing
 */
export async function attach(widget, blob, name) {
  const bytes = await blob.arrayBuffer();
  const sha256 = await digestOf(new Uint8Array(bytes));
  const type = blob.type || "application/octet-stream";
  const reference = { sha256, size: blob.size, type, name: plainName(name) };
  const words = context.device
    ? await stage(widget, reference, bytes)
    : await upload(reference, blob);
  if (!words) refer(widget, [...(isMany(widget) ? references(widget) : []), reference]);
  return words;
}

/**
 * A name without folders and without characters that are not seen or not taken everywhere; the same
 * rule as `fieldpost.text.filenames`.
 * @param {string} name
 */
function plainName(name) {
  const seen = name.replace(/^.*\//s, "").replace(/[\p{C}\uFFFD]/gu, " ").replace(/\s+/gu, " ");
  const plain = seen.replace(/[\\:*?"<>|]/g, "_").replace(/^[ .]+|[ .]+$/g, "");
  const letters = [...plain];
  if (letters.length <= MOST_LETTERS) return plain || "file";
  const ending = /\.[^.]{1,10}$/u.exec(plain)?.[0] ?? "";
  return letters.slice(0, MOST_LETTERS - [...ending].length).join("") + ending;
}

/**
 * @param {HTMLElement} widget
 * @param {Reference} reference
 * @param {ArrayBuffer} bytes
 * @returns {Promise<string>} what went wrong, or nothing
 */
async function stage(widget, { sha256, size, type, name }, bytes) {
  const draft = widget.closest("form")?.dataset.draft ?? "";
  const value = { bytes, type, size, name, draft };
  try {
    await write(await database(), [["put", "staged", sha256, value]]);
    // fault point: picture-staged — the picture is kept and no form refers to it: chosen again it has the
    // same digest, and it goes when its draft is forgotten.
    return "";
  } catch (error) {
    console.info(error);
    return isFull(error) ? NO_SPACE : NOT_KEPT;
  }
}

/**
 * @param {Reference} reference
 * @param {Blob} body
 * @returns {Promise<string>} what went wrong, or nothing
 */
async function upload({ sha256, type, name }, body) {
  const headers = { "Content-Type": type };
  const address = `/attachments/${sha256}?${new URLSearchParams({ name })}`;
  try {
    const signal = AbortSignal.timeout(SENDING_MS);
    const answer = await askOffice(address, { method: "PUT", headers, body, signal });
    if (answer.status === 201) return "";
    const { error } = await answer.json();
    return error?.message ? `was not taken: ${error.message}` : NOT_SENT;
  } catch {
    return NOT_SENT;
  }
}

/**
 * Draw the picture anew: at most `edge` pixels long, and without position and camera data.
 * @param {Blob} file
 * @param {number} edge
 * @returns {Promise<Blob>} JPEG
 */
async function shrink(file, edge) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, edge / Math.max(picture.width, picture.height));
  const canvas = make("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = "white"; // JPEG knows no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(new Error("empty")));
    canvas.toBlob(done, "image/jpeg", JPEG_QUALITY);
  });
}

/** @param {HTMLElement} widget @returns {HTMLInputElement} */
export function hiddenOf(widget) {
  return /** @type {HTMLInputElement} */ (widget.querySelector("input[type=hidden]"));
}

/** @param {HTMLElement} widget @returns {Reference[]} */
function references(widget) {
  const text = hiddenOf(widget).value;
  const value = text ? JSON.parse(text) : [];
  return Array.isArray(value) ? value : [value];
}

/** @param {HTMLElement} widget */
function isMany(widget) {
  return widget.dataset.attachment === "photos";
}

/**
 * Let the form refer to these, and show them.
 * @param {HTMLElement} widget
 * @param {Reference[]} list
 */
export function refer(widget, list) {
  const hidden = hiddenOf(widget);
  const value = isMany(widget) ? list : list.at(-1);
  hidden.value = list.length ? JSON.stringify(value) : "";
  const shown = isMany(widget) ? list : list.slice(-1);
  widget.querySelector(".thumbs")?.replaceChildren(...shown.map((each, i) => thumb(widget, each, i)));
  addRemovers(widget);
  hidden.dispatchEvent(new Event("input", { bubbles: true })); // a draft is to be kept
}

/**
 * @param {HTMLElement} widget
 * @param {Reference} reference
 * @param {number} index
 */
function thumb(widget, { sha256, size, type, name }, index) {
  const src = `/attachments/${sha256}`;
  const label = widget.querySelector("input[type=file]")?.getAttribute("aria-label") ?? "Picture";
  const known = { "data-name": name, "data-size": String(size) };
  if (type.startsWith("image/")) return make("img", { src, alt: `${label} ${index + 1}`, ...known });
  return make("a", { href: `${src}?${new URLSearchParams({ name })}`, download: name }, name);
}

/** Give each picture a button that takes it out of the form. @param {Element} element */
function addRemovers(element) {
  const widget = /** @type {HTMLElement} */ (element);
  widget.querySelectorAll(".thumbs > :is(img, a)").forEach((shown, index) => {
    const name = shown.getAttribute("alt") ?? shown.textContent ?? "";
    const remove = () => refer(widget, references(widget).toSpliced(index, 1));
    const button = make(
      "button",
      { type: "button", class: "remove-thumb", "aria-label": `Remove ${name}`, onclick: remove },
      "×",
    );
    const figure = make("span", { class: "thumb" });
    shown.replaceWith(figure);
    figure.append(shown, button);
  });
}

/**
 * @param {string} name
 * @param {string} type
 */
function renamed(name, type) {
  const stem = name.replace(/\.[^.]*$/, "") || "picture";
  return `${stem}.${type === "image/jpeg" ? "jpg" : (type.split("/")[1] ?? "")}`;
}
