// What is wrong with chosen files, said at their field until the person has seen it: each file by its
// name, whatever became of the others, and also after the form was shown again.

import { make, openForm } from "../page/elements.js";
import { onPage } from "../page/document.js";

/** By form and field, the words for each file. @type {Map<string, {name: string, words: string}[]>} */
const complaints = new Map();

/** Show again what was not seen yet on every page. */
export function startComplaints() {
  onPage((main) => {
    const path = openForm()?.dataset.draft ?? "";
    for (const key of complaints.keys()) if (!path || !key.startsWith(`${path} `)) complaints.delete(key);
    const widgets = /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll("[data-attachment]"));
    widgets.forEach(show);
  });
}

/**
 * Say what is wrong with a file.
 * @param {HTMLElement} widget
 * @param {string} name of the file
 * @param {string} words what follows its name
 */
export function complain(widget, name, words) {
  const key = keyOf(widget);
  complaints.set(key, [...(complaints.get(key) ?? []), { name, words }]);
  show(widget);
}

/** Whether something is said that nobody has read. */
export function hasComplaints() {
  return complaints.size > 0;
}

/** The person chooses anew, or has read it. @param {HTMLElement} widget */
export function forgetComplaints(widget) {
  complaints.delete(keyOf(widget));
  show(widget);
}

/** @param {HTMLElement} widget */
function keyOf(widget) {
  const field = /** @type {HTMLInputElement | null} */ (widget.querySelector("input[type=hidden]"));
  return `${widget.closest("form")?.dataset.draft ?? ""} ${field?.name ?? ""}`;
}

/** @param {HTMLElement} widget */
function show(widget) {
  const input = widget.querySelector("input[type=file]");
  const id = `${input?.id}-attachment-problem`;
  widget.querySelector(".attachment-problem")?.remove();
  const found = complaints.get(keyOf(widget)) ?? [];
  if (!input) return;
  describe(input, id, found.length > 0);
  if (!found.length) return;
  const lines = found.map(({ name, words }) => make("p", {}, make("strong", {}, name), ` ${words}`));
  const seen = make("button", { type: "button", class: "button quiet", onclick: () => forgetComplaints(widget) }, "OK");
  widget.append(make("div", { id, class: "problem attachment-problem", role: "alert" }, ...lines, seen));
}

/**
 * Let a field say where it is described, beside what it says already.
 * @param {Element} input
 * @param {string} id
 * @param {boolean} isWrong
 */
function describe(input, id, isWrong) {
  const others = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  const ids = isWrong ? [...others, id] : others;
  if (ids.length) input.setAttribute("aria-describedby", ids.join(" "));
  else input.removeAttribute("aria-describedby");
  const isStillWrong = others.some((each) => each.endsWith("-problem"));
  if (isWrong || isStillWrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}
