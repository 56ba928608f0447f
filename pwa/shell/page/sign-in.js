// The small dialog that continues a session which has ended, without leaving the page.

import { ask, make } from "./elements.js";
import { userName } from "./context.js";
import { answerOf, wordsOf } from "./passkeys.js";
import { askOffice, NoAnswer } from "../../office.js";

const PATIENCE_MS = 30_000;
const SECOND = "/sign-in/second";

/**
 * What the office says to an attempt: nothing is left to do, words say what is wrong, or it asks for
 * the second factor.
 * @typedef {{words?: string, second?: Document}} Said
 */

/** @type {Promise<boolean> | null} */
let open = null;

/**
 * Ask for the password until the server accepts it.
 * @param {string} [why] in words
 * @returns {Promise<boolean>} false: cancelled
 */
export function signIn(why = "Your session has ended. Nothing is lost.") {
  open ??= ask("Sign in to continue", (finish) => fill(finish, why), false).finally(() => (open = null));
  return open;
}

/**
 * @param {(done: boolean) => void} finish
 * @param {string} why
 */
function fill(finish, why) {
  const name = make("input", { id: "again-name", name: "name", autocomplete: "username", autocapitalize: "none", required: true, value: userName(), autofocus: !userName() });
  const password = make("input", { id: "again-password", name: "password", type: "password", autocomplete: "current-password", required: true, autofocus: Boolean(userName()) });
  const problem = make("p", { class: "problem", role: "alert" });
  const form = make(
    "form",
    { method: "dialog" },
    make("p", {}, why),
    problem,
    make("div", { class: "field" }, make("label", { for: "again-name" }, "User name"), name),
    make("div", { class: "field" }, make("label", { for: "again-password" }, "Password"), password),
    actions("Sign in", finish),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = await send(name.value, password.value);
    problem.textContent = said.words ?? "";
    if (said.second) askSecond(form, said.second, finish);
    else if (said.words) password.select();
    else finish(true);
  });
  return [form];
}

/**
 * Ask for the second factor in place of the password.
 * @param {HTMLFormElement} first
 * @param {Document} page the server's own, which says what there is
 * @param {(done: boolean) => void} finish
 */
function askSecond(first, page, finish) {
  const words = page.querySelector("label[for=code]")?.textContent ?? "Code";
  const code = make("input", { id: "again-code", name: "code", autocomplete: "one-time-code", autocapitalize: "none", required: true });
  const problem = make("p", { class: "problem", role: "alert" });
  const hint = page.getElementById("code-hint")?.textContent ?? "";
  const form = make(
    "form",
    { method: "dialog" },
    make("p", {}, "Your password was right. Now show that it is you."),
    problem,
    make("div", { class: "field" }, make("label", { for: "again-code" }, words), make("p", { class: "hint" }, hint), code),
    actions("Go on", finish),
  );
  const take = (/** @type {Said} */ said) => {
    problem.textContent = said.words ?? "";
    if (!said.words && !said.second) return finish(true);
    if (said.second) return code.select();
    // it took too long: the password is asked for again
    const before = first.querySelector(".problem");
    if (before) before.textContent = said.words ?? "";
    form.replaceWith(first);
    return undefined;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    take(await post(SECOND, { code: code.value }));
  });
  const passkey = page.querySelector("form[data-passkey]");
  if (passkey instanceof HTMLFormElement) {
    const button = make("button", { class: "button", type: "button" }, "Use a passkey");
    button.addEventListener("click", async () => {
      try {
        take(await post(`${SECOND}/passkey`, { credential: await answerOf(passkey) }));
      } catch (error) {
        problem.textContent = wordsOf(error, passkey.dataset.origin ?? "");
      }
    });
    form.querySelector(".form-actions")?.prepend(button);
  }
  first.replaceWith(form);
  code.focus();
}

/**
 * @param {string} words
 * @param {(done: boolean) => void} finish
 */
function actions(words, finish) {
  return make(
    "div",
    { class: "form-actions" },
    make("button", { class: "button primary" }, words),
    make("button", { class: "button", type: "button", onclick: () => finish(false) }, "Cancel"),
  );
}

/**
 * @param {string} name
 * @param {string} password
 * @returns {Promise<Said> | Said}
 */
function send(name, password) {
  // another user's session would send this device's work under a wrong name
  const owner = userName();
  if (owner && name.trim().toLowerCase() !== owner.toLowerCase()) {
    return { words: `This device belongs to ${owner}. Sign out first to use it as somebody else.` };
  }
  return post("/sign-in", { name, password });
}

/**
 * @param {string} path
 * @param {Record<string, string>} fields
 * @returns {Promise<Said>}
 */
async function post(path, fields) {
  try {
    const body = new URLSearchParams(fields);
    const headers = { Accept: "text/html", "Fieldpost-Shell": "1" };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await askOffice(path, { method: "POST", body, headers, signal });
    if (answer.status === 204) return {};
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = page.querySelector("main [role=alert]:not([hidden])")?.textContent?.trim();
    const second = page.querySelector("form[data-second]") ? page : undefined;
    if (second) return { words: said, second };
    return { words: said || "User name or password is wrong. Check both and try again." };
  } catch (error) {
    const isForeign = error instanceof NoAnswer && error.isForeign;
    return { words: isForeign ? `${error.message} Sign in to that first.` : "The office cannot be reached. Try again with a connection." };
  }
}
