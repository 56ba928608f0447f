// Photos and files in forms: made smaller, kept at once, referred to by their hash.

import { context, database } from "../page/context.js";
import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { pending } from "../page/pending.js";
import { write } from "../../store.js";

/** @typedef {{sha256: string, size: number, type: string, name: string}} Reference */

const JPEG_QUALITY = 0.85;
const UNREADABLE = "This picture cannot be read. Choose another one.";
const NOT_KEPT = "There is no space left for this picture. Free some space, then choose it again.";
const NOT_SENT = "The picture could not be sent. Try again with a connection.";

/** Take over the file fields of all forms. */
export function startAttachments() {
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || input.type !== "file" || !input.files) return;
    const widget = widgetOf(input);
    const files = [...input.files];
    input.value = ""; // the file travels by its reference, and may be chosen again
    if (widget) void pending(takeAll(widget, files));
  });
  onPage((main) => main.querySelectorAll("[data-attachment]").forEach(addRemovers));
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
  for (const file of files) {
    const isPicture = widget.dataset.attachment !== "file";
    try {
      const blob = isPicture ? await shrink(file, Number(widget.dataset.maxEdge) || 1600) : file;
      await attach(widget, blob, isPicture ? renamed(file.name, blob.type) : file.name);
    } catch (error) {
      console.info(error);
      complain(widget, UNREADABLE);
    }
  }
}

/**
 * Keep a picture or file, and let the form refer to it. Says at the field what went wrong.
 * @param {HTMLElement} widget
 * @param {Blob} blob
 * @param {string} name
 */
export async function attach(widget, blob, name) {
  const bytes = await blob.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const type = blob.type || "application/octet-stream";
  const reference = { sha256, size: blob.size, type, name };
  const words = context.device
    ? await stage(widget, reference, new Blob([bytes], { type }))
    : await upload(reference, blob);
  complain(widget, words);
  if (!words) refer(widget, [...(isMany(widget) ? references(widget) : []), reference]);
}

/**
 * @param {HTMLElement} widget
 * @param {Reference} reference
 * @param {Blob} blob
 * @returns {Promise<string>} what went wrong, or nothing
 */
async function stage(widget, { sha256, size, type, name }, blob) {
  const draft = widget.closest("form")?.dataset.draft ?? "";
  const value = { blob, type, size, name, draft };
  try {
    await write(await database(), [["put", "staged", sha256, value]]);
    // fault point: picture-staged — the picture is kept and no form refers to it: chosen again it has the
    // same digest, and it goes when its draft is forgotten.
    return "";
  } catch (error) {
    console.info(error);
    return NOT_KEPT;
  }
}

/**
 * @param {Reference} reference
 * @param {Blob} body
 * @returns {Promise<string>} what went wrong, or nothing
 */
async function upload({ sha256, type, name }, body) {
  const headers = { "Content-Type": type, "Upload-Name": encodeURIComponent(name) };
  try {
    const answer = await fetch(`/attachments/${sha256}`, { method: "PUT", headers, body });
    if (answer.ok) return "";
    const { error } = await answer.json();
    return error?.message ?? NOT_SENT;
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
function thumb(widget, { sha256, type, name }, index) {
  const src = `/attachments/${sha256}`;
  const label = widget.querySelector("input[type=file]")?.getAttribute("aria-label") ?? "Picture";
  if (type.startsWith("image/")) return make("img", { src, alt: `${label} ${index + 1}` });
  return make("a", { href: src, "data-native": true }, name);
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
 * Say at the field what is wrong with its picture; nothing takes the words away.
 * @param {HTMLElement} widget
 * @param {string} words
 */
function complain(widget, words) {
  const input = widget.querySelector("input[type=file]");
  widget.querySelector(".attachment-problem")?.remove();
  if (!words || !input) return;
  const id = `${input.id}-attachment-problem`;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", id);
  widget.append(make("p", { id, class: "problem attachment-problem", role: "alert" }, words));
}

/**
 * @param {string} name
 * @param {string} type
 */
function renamed(name, type) {
  const stem = name.replace(/\.[^.]*$/, "") || "picture";
  return `${stem}.${type === "image/jpeg" ? "jpg" : (type.split("/")[1] ?? "")}`;
}
