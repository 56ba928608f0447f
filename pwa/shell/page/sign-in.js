// The small dialog that continues a session which has ended, without leaving the page.

import { ask, make } from "./elements.js";
import { userName } from "./context.js";
import { askOffice, NoAnswer } from "../../office.js";

const PATIENCE_MS = 30_000;

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
    make(
      "div",
      { class: "form-actions" },
      make("button", { class: "button primary" }, "Sign in"),
      make("button", { class: "button", type: "button", onclick: () => finish(false) }, "Cancel"),
    ),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = await send(name.value, password.value);
    problem.textContent = words;
    if (words) password.select();
    else finish(true);
  });
  return [form];
}

/**
 * @param {string} name
 * @param {string} password
 * @returns {Promise<string>} what is wrong, or nothing
 */
async function send(name, password) {
  // another user's session would send this device's work under a wrong name
  const owner = userName();
  if (owner && name.trim().toLowerCase() !== owner.toLowerCase()) {
    return `This device belongs to ${owner}. Sign out first to use it as somebody else.`;
  }
  try {
    const body = new URLSearchParams({ name, password });
    const headers = { Accept: "text/html", "Fieldpost-Shell": "1" };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await askOffice("/sign-in", { method: "POST", body, headers, signal });
    if (answer.status === 204) return "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = page.querySelector("[role=alert], .problem")?.textContent?.trim();
    return said || "User name or password is wrong. Check both and try again.";
  } catch (error) {
    const isForeign = error instanceof NoAnswer && error.isForeign;
    return isForeign ? `${error.message} Sign in to that first.` : "The office cannot be reached. Try again with a connection.";
  }
}
