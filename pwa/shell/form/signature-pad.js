// Signatures: drawn with finger, pen or mouse on a sheet of their own, kept as a PNG when one says so.
// Nothing on the form itself can be drawn on: a swipe that scrolls past never signs, nor does a tap.

import SignaturePad from "../../vendor/signature_pad.js";
import { attach, hiddenOf } from "./attachments.js";
import { complain, forgetComplaints } from "./complaints.js";
import { ask, make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { pending } from "../page/pending.js";
import { isSignature } from "./strokes.js";

const TOO_SHORT = "This is too little for a signature. Sign with the finger, a pen or the mouse in the box above.";

/** Give every empty signature field a button that opens a sheet to sign on. */
export function startSignatures() {
  const look = (/** @type {HTMLElement} */ main) =>
    main.querySelectorAll('[data-attachment="signature"]').forEach(prepare);
  onPage(look);
  // it was signed, or emptied
  document.addEventListener("input", ({ target }) => {
    const widget = target instanceof Element && target.closest('[data-attachment="signature"]');
    if (widget) prepare(widget);
  });
}

/** @param {Element} element */
function prepare(element) {
  const widget = /** @type {HTMLElement} */ (element);
  const button = widget.querySelector(".sign");
  if (hiddenOf(widget).value) button?.remove();
  if (button || hiddenOf(widget).value) return;
  const open = () => void sign(widget);
  widget.querySelector(".thumbs")?.after(make("button", { type: "button", class: "button sign", onclick: open }, "Sign here"));
}

/** @param {HTMLElement} widget */
async function sign(widget) {
  const label = widget.querySelector("input[type=file]")?.getAttribute("aria-label") ?? "Signature";
  const blob = await ask(label, (finish) => fill(finish, label), /** @type {Blob | null} */ (null));
  if (blob) await pending(keep(widget, blob));
  /** @type {HTMLElement | null} */ (widget.querySelector(".sign, .thumb button"))?.focus();
}

/**
 * @param {(signature: Blob | null) => void} finish
 * @param {string} label
 */
function fill(finish, label) {
  const canvas = make("canvas", { class: "signature-pad", role: "img", "aria-label": `${label}: draw here` });
  const pad = new SignaturePad(canvas, { penColor: "#10201d", backgroundColor: "#ffffff" });
  const problem = make("p", { class: "problem", role: "alert" });
  const done = () => {
    problem.textContent = isSignature(pad.toData()) ? "" : TOO_SHORT;
    if (!problem.textContent) canvas.toBlob(finish, "image/png");
  };
  const clear = () => pad.clear();
  pad.addEventListener("beginStroke", () => (problem.textContent = ""));
  fit(canvas, pad);
  const actions = make(
    "div",
    { class: "form-actions" },
    make("button", { type: "button", class: "button primary", onclick: done }, "Done"),
    make("button", { type: "button", class: "button", onclick: clear }, "Clear"),
    make("button", { type: "button", class: "button quiet", onclick: () => finish(null) }, "Not now"),
  );
  return [canvas, problem, actions];
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
}

/**
 * @param {HTMLElement} widget
 * @param {Blob} blob
 */
async function keep(widget, blob) {
  forgetComplaints(widget);
  const words = await attach(widget, blob, "signature.png");
  if (words) complain(widget, "The signature", words);
}
