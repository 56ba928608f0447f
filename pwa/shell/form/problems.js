// Problems at fields: they speak of the value that was refused. Once that is another one they go, and
// come back with it; what a rule said of several fields is checked again when the form is saved.

import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";

/** What each field held when it was refused. @type {WeakMap<Element, string>} */
const refused = new WeakMap();

/** Let problems go when they are put right. */
export function startProblems() {
  onPage((main) => main.querySelectorAll(".field.has-problem").forEach((field) => refused.set(field, valueOf(field))));
  document.addEventListener("input", onChange);
  document.addEventListener("change", onChange);
}

/** @param {Event} event */
function onChange({ target }) {
  const form = target instanceof Element ? target.closest("form[data-record-form]") : null;
  if (!(target instanceof Element) || !form) return;
  const field = target.closest(".field");
  if (field && refused.has(field)) mark(field, valueOf(field) === refused.get(field));
  form.querySelectorAll(".problem[data-rule]:not([data-again])").forEach((problem) => {
    if (problem.closest(".field") === field) return;
    /** @type {HTMLElement} */ (problem).dataset.again = "";
    problem.append(make("span", { class: "again" }, " It is checked again when you save."));
  });
  recount();
}

/** @param {Element} field */
function valueOf(field) {
  const controls = /** @type {NodeListOf<HTMLInputElement>} */ (field.querySelectorAll("input, select, textarea"));
  const isTick = (/** @type {HTMLInputElement} */ each) => ["checkbox", "radio"].includes(each.type);
  const isSent = (/** @type {HTMLInputElement} */ each) => each.type !== "file" && each.type !== "search";
  return JSON.stringify([...controls].filter(isSent).map((each) => (isTick(each) ? each.checked : each.value)));
}

/**
 * @param {Element} field
 * @param {boolean} isWrong
 */
function mark(field, isWrong) {
  field.classList.toggle("has-problem", isWrong);
  field.querySelectorAll(".problem[id$='-problem']:not(.attachment-problem)").forEach((problem) => {
    /** @type {HTMLElement} */ (problem).hidden = !isWrong;
    const control = field.querySelector(`[aria-describedby~="${problem.id}"]`);
    if (isWrong) control?.setAttribute("aria-invalid", "true");
    else if (!field.querySelector(".attachment-problem")) control?.removeAttribute("aria-invalid");
    const said = document.querySelector(`.problem-summary a[href="#${problem.id.replace(/-problem$/, "")}"]`);
    const line = said?.closest("li");
    if (line) line.hidden = !isWrong;
  });
}

/** Let the summary say how many are left. */
function recount() {
  const summary = /** @type {HTMLElement | null} */ (document.querySelector("main > .problem-summary:has(h2)"));
  const heading = summary?.querySelector("h2");
  if (!summary || !heading) return;
  const left = summary.querySelectorAll("li:not([hidden])").length;
  summary.hidden = left === 0;
  const words = left === 1 ? "One thing is not right yet" : `${left} things are not right yet`;
  if (left && heading.textContent !== words) heading.textContent = words;
}
