// Signatures: drawn with finger, pen or mouse, kept as a PNG when a stroke ends.

import SignaturePad from "../../vendor/signature_pad.js";
import { attach, hiddenOf } from "./attachments.js";
import { complain, forgetComplaints } from "./complaints.js";
import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { pending } from "../page/pending.js";

/** Give every empty signature field something to draw on. */
export function startSignatures() {
  const look = (/** @type {HTMLElement} */ main) =>
    main.querySelectorAll('[data-attachment="signature"]').forEach(prepare);
  onPage(look);
  // the field was emptied: draw again
  document.addEventListener("input", ({ target }) => {
    const widget = target instanceof Element && target.closest('[data-attachment="signature"]');
    if (widget && !widget.querySelector("canvas")) prepare(widget);
  });
}

/** @param {Element} element */
function prepare(element) {
  const widget = /** @type {HTMLElement} */ (element);
  if (hiddenOf(widget).value || widget.querySelector("canvas")) return;
  const label = widget.querySelector("input[type=file]")?.getAttribute("aria-label") ?? "Signature";
  const canvas = make("canvas", { class: "signature-pad", role: "img", "aria-label": `${label}: draw here` });
  const clear = make("button", { type: "button", class: "button quiet" }, "Clear");
  widget.querySelector(".thumbs")?.after(canvas, clear);
  const pad = new SignaturePad(canvas, { penColor: "#10201d", backgroundColor: "#ffffff" });
  fit(canvas, pad);
  pad.addEventListener("endStroke", () => void pending(keep(widget, canvas)));
  clear.addEventListener("click", () => {
    pad.clear();
    hiddenOf(widget).value = "";
    hiddenOf(widget).dispatchEvent(new Event("input", { bubbles: true }));
  });
}

/**
 * Give the canvas as many pixels as the screen has there; what was drawn stays.
 * @param {HTMLCanvasElement} canvas
 * @param {SignaturePad} pad
 */
function fit(canvas, pad) {
  const resize = () => {
    const ratio = Math.max(window.devicePixelRatio, 1);
    const [width, height] = [canvas.offsetWidth * ratio, canvas.offsetHeight * ratio];
    if (!width || (canvas.width === width && canvas.height === height)) return;
    const strokes = pad.toData();
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d")?.scale(ratio, ratio);
    pad.clear();
    pad.fromData(strokes);
  };
  new ResizeObserver(resize).observe(canvas);
  resize();
}

/**
 * @param {HTMLElement} widget
 * @param {HTMLCanvasElement} canvas
 */
async function keep(widget, canvas) {
  const blob = await new Promise((/** @type {(b: Blob | null) => void} */ done) => canvas.toBlob(done, "image/png"));
  if (!blob) return;
  forgetComplaints(widget);
  const words = await attach(widget, blob, "signature.png");
  if (words) complain(widget, "The signature", words);
  // the drawing itself shows what was signed; the small picture beside it would be one too many
  widget.querySelector(".thumbs")?.replaceChildren();
}
